//! `wirespan record`: what the host's programs do, into a file, to be looked at later and elsewhere.

use std::{
    fs::{File, OpenOptions},
    future,
    io::{self, IsTerminal},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::ExitCode,
};

use anyhow::Context;

use super::display;
use crate::{
    cli::Record,
    config,
    daemon::{Daemon, Purpose, Scope, Summary},
};

/// Records until it is told to stop.
///
/// # Errors
/// An unusable configuration, a kernel that does not let us, a file that cannot be written.
pub fn run(args: &Record) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.flags)?.config;
    let shown = display::output(config.output.format).map(|output| {
        let color = display::color(&config, io::stdout().is_terminal());
        display::on(Box::new(io::stdout()), output, color)
    });
    let file = create(&args.file)?;
    let purpose = Purpose::Record(shown, file);
    let mut daemon = Daemon::start_for(&config, &Scope::Host, purpose).inspect_err(|_| {
        // Made a moment ago by us, and empty.
        let _ = std::fs::remove_file(&args.file);
    })?;
    eprintln!("wirespan: recording to {} (plan {}); Ctrl-C stops", args.file.display(), daemon.plan);
    daemon.run_until(future::pending())?;
    finish(&args.file, daemon.stop())
}

/// Only its owner may read it: it holds what the programs said to each other.
fn create(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(|| {
        let hint =
            if path.exists() { " (it is there already: choose another name, or remove it)" } else { "" };
        format!("cannot create {}{hint}", path.display())
    })
}

fn finish(path: &Path, summary: Summary) -> anyhow::Result<ExitCode> {
    let recorded = summary.recorded.as_ref();
    let bytes = recorded.map_or(0, |recorded| recorded.bytes);
    eprintln!("wirespan: {bytes} bytes in {}; {summary}", path.display());
    if let Some(error) = summary.recorded.and_then(|recorded| recorded.error) {
        return Err(error).with_context(|| {
            format!("cannot write {}; what is in it can be replayed up to there", path.display())
        });
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_recording_is_its_owners_and_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.wirespan");
        let mode = create(&path).unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = format!("{:#}", create(&path).unwrap_err());
        assert!(error.contains("it is there already"), "{error}");
    }
}
