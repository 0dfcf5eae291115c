//! SIGHUP: the configuration is read again. Comes in: the flags of the start, and the file as it is now. Goes out: what
//! takes effect at once, and the names of what does not. Refuses: a configuration with a mistake; the old one stays.

use wirespan_span::Spans;

use super::setup;
use crate::{
    config::{self, Flags, Loaded, Merged},
    filter::Filter,
};

/// What takes effect at once.
pub(super) struct Reload {
    pub(super) filter: Filter,
    pub(super) spans: Spans,
}

/// Where the configuration comes from, and how it stood when it was last read.
#[derive(Debug)]
pub struct Source {
    flags: Flags,
    merged: Merged,
}

impl Source {
    /// Read by `loaded` with these flags.
    #[must_use]
    pub fn new(flags: &Flags, loaded: Loaded) -> Self {
        Self { flags: flags.clone(), merged: loaded.merged }
    }

    /// Reads it again. Gives also the settings that were changed and wait for a new start.
    pub(super) fn read(&mut self) -> anyhow::Result<(Reload, Vec<&'static str>)> {
        let loaded = config::load(&self.flags)?;
        let reload = Reload {
            filter: Filter::new(&loaded.config.filter)?,
            spans: Spans::new(&setup::spans(&loaded.config))?,
        };
        let waiting = waiting(&self.merged, &loaded.merged);
        self.merged = loaded.merged;
        Ok((reload, waiting))
    }
}

/// Settings that differ and that a running daemon cannot change.
fn waiting(old: &Merged, new: &Merged) -> Vec<&'static str> {
    old.iter()
        .zip(new.iter())
        .filter(|((key, old), (_, new))| old.raw != new.raw && !takes_effect(key.path))
        .map(|((key, _), _)| key.path)
        .collect()
}

/// Filters and redaction; but how the kernel treats ports is built into the programs as they are loaded.
fn takes_effect(path: &str) -> bool {
    path.starts_with("redaction.") || (path.starts_with("filter.") && !path.ends_with("_ports"))
}

/// What the user hears.
pub(super) fn message(waiting: &[&str]) -> String {
    let read = "the configuration was read again; filters and redaction take effect now";
    match waiting {
        [] => read.to_owned(),
        waiting => format!("{read}, but at the next start only: {}", waiting.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::{Args, FromArgMatches};

    use super::*;

    fn source(file: &std::path::Path) -> Source {
        let command = Flags::augment_args(clap::Command::new("test").no_binary_name(true));
        let matches =
            command.try_get_matches_from([std::ffi::OsStr::new("--config"), file.as_os_str()]).unwrap();
        let flags = Flags::from_arg_matches(&matches).unwrap();
        let loaded = config::load(&flags).unwrap();
        Source::new(&flags, loaded)
    }

    #[test]
    fn what_cannot_change_now_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("w.yaml");
        fs::write(&file, "filter: {exclude_pids: [1]}\n").unwrap();
        let mut source = source(&file);
        fs::write(&file, "filter: {exclude_pids: [2], include_ports: [80]}\ncapture: {plan: syscall}\n")
            .unwrap();
        let (_, waiting) = source.read().unwrap();
        assert_eq!(waiting, ["capture.plan", "filter.include_ports"]);
        assert!(source.read().unwrap().1.is_empty(), "said once");
    }

    #[test]
    fn a_mistake_keeps_the_old_one_and_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("w.yaml");
        fs::write(&file, "").unwrap();
        let mut source = source(&file);
        fs::write(&file, "redaction:\n  heders: [x]\n").unwrap();
        let Err(error) = source.read() else { panic!("a mistake was taken") };
        let message = format!("{error:#}");
        assert!(message.contains("w.yaml:2") && message.contains("redaction.headers"), "{message}");
    }
}
