//! Comes in: the configuration file, `WIRESPAN_*` variables and flags, in rising precedence. Goes out: a typed
//! [`Config`] within its ranges, and the origin of every value. Refuses: unknown keys (it names the nearest) and
//! values that would have to be guessed at; all problems are reported together.

pub mod choice;
pub mod file;
pub mod flags;
pub mod key;
mod keys;
pub mod show;
pub mod value;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

pub use flags::Flags;
pub use key::Key;
pub use keys::*;

use key::Source;
use value::{Raw, Setting};

/// Read where neither `--config` nor `WIRESPAN_CONFIG` names another file.
pub const DEFAULT_FILE: &str = "/etc/wirespan/wirespan.yaml";

/// The variable that names the configuration file.
pub const FILE_ENV: &str = "WIRESPAN_CONFIG";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
    },
    /// The environment variable with this name.
    Env(String),
    /// The flag, as it is written.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "file {}:{line}", path.display()),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One thing that is wrong with the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written.
    pub origin: Origin,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Default => f.write_str(&self.message),
            Origin::File { path, line } => write!(f, "{}:{line}: {}", path.display(), self.message),
            Origin::Env(name) => write!(f, "variable {name}: {}", self.message),
            Origin::Flag(flag) => write!(f, "{flag}: {}", self.message),
        }
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

/// A value and who set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// As written.
    pub raw: Raw,
    /// By whom.
    pub origin: Origin,
}

/// What everybody said, with the stronger voice on top.
#[derive(Debug)]
pub struct Merged {
    /// One for each of [`KEYS`], in their order.
    values: Vec<Given>,
    problems: Vec<Problem>,
}

impl Merged {
    fn defaults() -> Self {
        let given = |key: &Key| Given { raw: key.default_raw(), origin: Origin::Default };
        Self { values: KEYS.iter().map(given).collect(), problems: Vec::new() }
    }

    /// Every key with its value and origin, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Key, &Given)> {
        KEYS.iter().zip(&self.values)
    }

    fn problem(&mut self, origin: Origin, message: impl Into<String>) {
        self.problems.push(Problem { origin, message: message.into() });
    }

    fn set(&mut self, path: &str, origin: Origin, raw: Raw) {
        match KEYS.iter().position(|key| key.path == path) {
            Some(index) => self.values[index] = Given { raw, origin },
            None => self.problem(origin, unknown("setting", path, KEYS.iter().map(|key| key.path))),
        }
    }

    fn set_line(&mut self, key: &Key, origin: Origin, text: &str) {
        match Raw::from_line(key.shape, text) {
            Ok(raw) => self.set(key.path, origin, raw),
            Err(message) => self.problem(origin, format!("`{}`: {message}", key.path)),
        }
    }

    fn add_file(&mut self, path: &Path, text: &str) {
        let origin = |line| Origin::File { path: path.to_owned(), line };
        match file::entries(text) {
            Ok(entries) => entries.into_iter().for_each(|e| self.add_entry(&e.path, origin(e.line), e.raw)),
            Err(malformed) => self.problem(origin(malformed.line), malformed.message),
        }
    }

    fn add_entry(&mut self, path: &str, origin: Origin, raw: Raw) {
        if GROUPS.iter().any(|(group, _)| *group == path) {
            return self.problem(origin, format!("`{path}` must be a mapping of settings to values"));
        }
        self.set(path, origin, raw);
    }

    /// An empty variable is taken as not set, as OpenTelemetry's specification has it for its own.
    fn add_env(&mut self, vars: &[(String, String)]) {
        for (name, value) in vars {
            if !name.starts_with("WIRESPAN_") || name == FILE_ENV || value.is_empty() {
                continue;
            }
            match KEYS.iter().find(|key| key.env() == *name) {
                Some(key) => self.set_line(key, Origin::Env(name.clone()), value),
                None => {
                    let names: Vec<_> = KEYS.iter().map(Key::env).collect();
                    let message = unknown("variable", name, names.iter().map(String::as_str));
                    self.problem(Origin::Env(name.clone()), message);
                }
            }
        }
    }

    fn add_flags(&mut self, flags: &Flags) {
        for (key, raw) in flags.settings() {
            let flag = format!("--{}", key.flag.unwrap_or_default());
            match raw {
                Ok(raw) => self.set(key.path, Origin::Flag(flag), raw),
                Err(message) => self.problem(Origin::Flag(flag), message),
            }
        }
        for (path, value) in flags.set() {
            let origin = Origin::Flag(format!("--set {path}"));
            match KEYS.iter().find(|key| key.path == path) {
                Some(key) => self.set_line(key, origin, value),
                None => self.problem(origin, unknown("setting", path, KEYS.iter().map(|key| key.path))),
            }
        }
    }
}

/// Reads values by path; what is wrong is noted, and the default stands in so that the next one can be read.
impl Source for Merged {
    fn read<T: Setting>(&mut self, path: &'static str) -> T {
        let index =
            KEYS.iter().position(|key| key.path == path).expect("the macro makes both from one table");
        let (key, given) = (&KEYS[index], self.values[index].clone());
        key.read(&given.raw).unwrap_or_else(|message| {
            self.problem(given.origin, format!("`{path}` {message}"));
            key.read(&key.default_raw()).expect("the table's defaults are tested")
        })
    }
}

/// "unknown setting `x`; did you mean `y`?"
fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(nearest) => format!("unknown {what} `{name}`; did you mean `{nearest}`?"),
        None => format!("unknown {what} `{name}`; `wirespan config print` lists all there are"),
    }
}

/// The known name that a person most likely meant: a few slips away, or right but for its group.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |path: &str| path.rsplit('.').next().map(str::to_owned).unwrap_or_default();
    let distance = |candidate: &str| {
        let whole = strsim::damerau_levenshtein(name, candidate);
        let tail = strsim::damerau_levenshtein(&last(name), &last(candidate));
        whole.min(tail + 1)
    };
    let slips = (name.len() / 4).max(2);
    known
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(d, _)| *d <= slips)
        .min()
        .map(|(_, name)| name)
}

/// A configuration that can be used, and how it came about.
#[derive(Debug)]
pub struct Loaded {
    /// The typed values.
    pub config: Config,
    /// The same as written, with origins.
    pub merged: Merged,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// Merges a file's text, variables and flags.
///
/// # Errors
/// Everything that is wrong.
pub fn merge(
    file: Option<(&Path, &str)>,
    vars: &[(String, String)],
    flags: &Flags,
) -> Result<Loaded, Problems> {
    let mut merged = Merged::defaults();
    if let Some((path, text)) = file {
        merged.add_file(path, text);
    }
    merged.add_env(vars);
    merged.add_flags(flags);
    let config = Config::read_from(&mut merged);
    if !merged.problems.is_empty() {
        return Err(Problems(merged.problems));
    }
    Ok(Loaded { config, merged, file: file.map(|(path, _)| path.to_owned()) })
}

/// The configuration that this process was started with.
///
/// # Errors
/// A file that was asked for and cannot be read, and everything that is wrong in what was read.
pub fn load(flags: &Flags) -> Result<Loaded, Problems> {
    let vars: Vec<_> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    let (path, asked) = file_path(&vars, flags);
    let text = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound && asked == Origin::Default => None,
        Err(error) => {
            let message = format!("cannot read the configuration file {}: {error}", path.display());
            return Err(Problems(vec![Problem { origin: asked, message }]));
        }
    };
    merge(text.as_deref().map(|text| (path.as_path(), text)), &vars, flags)
}

/// Which file to read, and who said so.
fn file_path(vars: &[(String, String)], flags: &Flags) -> (PathBuf, Origin) {
    if let Some(path) = &flags.config {
        return (path.clone(), Origin::Flag("--config".to_owned()));
    }
    match vars.iter().find(|(name, value)| name == FILE_ENV && !value.is_empty()) {
        Some((name, value)) => (PathBuf::from(value), Origin::Env(name.clone())),
        None => (PathBuf::from(DEFAULT_FILE), Origin::Default),
    }
}

#[cfg(test)]
mod tests;
