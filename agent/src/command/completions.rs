//! `wirespan completions`: a script for the shell on stdout.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, Completions};

/// Prints the script.
///
/// # Errors
/// A stdout that cannot be written.
pub fn run(args: &Completions) -> anyhow::Result<ExitCode> {
    io::stdout().lock().write_all(&script(args.shell)).context("cannot write the script to stdout")?;
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wirespan", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_learns_commands_flags_and_values() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = String::from_utf8(script(shell)).unwrap();
            for word in ["completions", "otlp-ca-file", "include-exe"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
        let bash = String::from_utf8(script(Shell::Bash)).unwrap();
        assert!(bash.contains("auto line tree json none"));
    }
}
