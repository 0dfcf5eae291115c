//! `wirespan man`: the manual as roff, one page on stdout or a page for every command in a directory.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use clap::{Command, CommandFactory};

use crate::cli::{Cli, Man};

/// Prints or writes the pages.
///
/// # Errors
/// A stdout or directory that cannot be written.
pub fn run(args: &Man) -> anyhow::Result<ExitCode> {
    let mut command = Cli::command();
    command.build();
    match &args.dir {
        Some(dir) => write_pages(&command, "wirespan", dir)?,
        None => {
            io::stdout().lock().write_all(&page(&command, "wirespan")?).context("cannot write to stdout")?
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A page for `command` and each one below it: `wirespan.1`, `wirespan-config.1`, `wirespan-config-print.1` …
fn write_pages(command: &Command, name: &str, dir: &Path) -> anyhow::Result<()> {
    let path = dir.join(format!("{name}.1"));
    fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
    fs::write(&path, page(command, name)?).with_context(|| format!("cannot write {}", path.display()))?;
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        write_pages(below, &format!("{name}-{}", below.get_name()), dir)?;
    }
    Ok(())
}

fn page(command: &Command, name: &str) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_every_command() {
        let dir = tempfile::tempdir().unwrap();
        run(&Man { dir: Some(dir.path().to_owned()) }).unwrap();
        let mut pages: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        pages.sort();
        assert_eq!(
            pages,
            [
                "wirespan-agent.1",
                "wirespan-collector.1",
                "wirespan-completions.1",
                "wirespan-config-check.1",
                "wirespan-config-print.1",
                "wirespan-config.1",
                "wirespan-doctor.1",
                "wirespan-man.1",
                "wirespan-query-export.1",
                "wirespan-query-import.1",
                "wirespan-query-map.1",
                "wirespan-query-operations.1",
                "wirespan-query-red.1",
                "wirespan-query-search.1",
                "wirespan-query-services.1",
                "wirespan-query-status.1",
                "wirespan-query-tail.1",
                "wirespan-query-trace.1",
                "wirespan-query.1",
                "wirespan-record.1",
                "wirespan-replay.1",
                "wirespan-run.1",
                "wirespan-top.1",
                "wirespan-trace.1",
                "wirespan.1"
            ]
        );
        let agent = fs::read_to_string(dir.path().join("wirespan-agent.1")).unwrap();
        for text in ["WIRESPAN_OTLP_ENDPOINT", "from 256 to 16KiB", "head\\-bytes"] {
            assert!(agent.contains(text), "{text} is missing in\n{agent}");
        }
    }
}
