//! What `doctor` finds. Comes in: this kernel, this host, a daemon that may run here. Goes out: findings in plain words,
//! each with what to do about it. Refuses: leaving anything attached; capturing anything meanwhile.

mod daemon;
mod host;
mod kernel;
mod runtimes;

use std::{fmt, path::Path, process::ExitCode};

use serde_json::{Value, json};

use crate::config::Config;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Well,
    /// Works, but something is missing or costs more than it need.
    Limited,
    /// Does not work.
    Broken,
}

impl Level {
    /// Its word in the output.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Limited => "limit",
            Self::Broken => "broken",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, a word or two.
    pub topic: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found, and what that means.
    pub text: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Finding {
    fn well(topic: &'static str, text: impl Into<String>) -> Self {
        Self { topic, level: Level::Well, text: text.into(), advice: None }
    }

    fn limited(topic: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { topic, level: Level::Limited, text: text.into(), advice: Some(advice.into()) }
    }

    fn broken(topic: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { topic, level: Level::Broken, text: text.into(), advice: Some(advice.into()) }
    }
}

/// All findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkup(pub Vec<Finding>);

impl Checkup {
    /// Looks at everything, as `agent` would be run with this configuration. Takes about a second: each attach plan is
    /// loaded, attached and taken away again.
    #[must_use]
    pub fn run(config: &Config) -> Self {
        let (root, mut findings) = (Path::new("/"), Vec::new());
        findings.extend(host::version(root));
        findings.extend(kernel::findings(config.capture.plan));
        findings.extend(host::findings(root));
        findings.extend(runtimes::findings());
        findings.push(daemon::finding(config.observe.listen));
        Self(findings)
    }

    /// How it is altogether.
    #[must_use]
    pub fn level(&self) -> Level {
        self.0.iter().map(|finding| finding.level).max().unwrap_or(Level::Well)
    }

    /// 0: all is well; 1: works with limits; 2: does not work.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.level() as u8)
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let findings = self.0.iter().map(|Finding { topic, level, text, advice }| {
            json!({"topic": topic, "level": level.word(), "text": text, "advice": advice})
        });
        json!({"level": self.level().word(), "findings": findings.collect::<Vec<_>>()})
    }
}

impl fmt::Display for Checkup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { topic, level, text, advice } in &self.0 {
            writeln!(f, "{:7}{topic:14}{text}", level.word())?;
            if let Some(advice) = advice {
                writeln!(f, "{:21}-> {advice}", "")?;
            }
        }
        f.write_str(match self.level() {
            Level::Well => "\nwirespan works here.",
            Level::Limited => "\nwirespan works here, with the limits above.",
            Level::Broken => "\nwirespan does not work here until what is broken above is mended.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Checkup {
        Checkup(vec![
            Finding::well("types", "there"),
            Finding::limited("io_uring", "counted, not read", "use Linux 6.4 or later"),
        ])
    }

    #[test]
    fn the_worst_finding_is_the_exit_status() {
        let mut checkup = sample();
        assert_eq!((checkup.level(), checkup.code()), (Level::Limited, ExitCode::from(1)));
        checkup.0.push(Finding::broken("fields", "missing", "report it"));
        assert_eq!((checkup.level(), checkup.code()), (Level::Broken, ExitCode::from(2)));
        checkup.0.clear();
        assert_eq!(checkup.code(), ExitCode::SUCCESS);
    }

    #[test]
    fn for_people_and_for_programs() {
        assert_eq!(
            sample().to_string(),
            "ok     types         there\n\
             limit  io_uring      counted, not read\n                     -> use Linux 6.4 or later\n\
             \nwirespan works here, with the limits above."
        );
        let json = sample().json();
        assert_eq!(
            (json["level"].as_str(), json["findings"][1]["topic"].as_str()),
            (Some("limit"), Some("io_uring"))
        );
        assert!(json["findings"][0]["advice"].is_null());
    }
}
