//! The flags of the settings, made from the table, so that a setting's help is its documentation.

use std::path::PathBuf;

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint, builder::PossibleValuesParser,
};

use super::{
    DEFAULT_FILE, FILE_ENV, KEYS, Key,
    value::{Raw, Shape},
};

/// Settings given on the command line, not yet checked.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The configuration file.
    pub config: Option<PathBuf>,
    values: Vec<(&'static Key, Vec<String>)>,
    set: Vec<(String, String)>,
}

impl Flags {
    /// What the settings' own flags say.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&'static Key, Result<Raw, String>)> {
        self.values.iter().map(|(key, texts)| (*key, joined(key, texts)))
    }

    /// What `--set` says: paths and values.
    pub(super) fn set(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set.iter().map(|(path, value)| (path.as_str(), value.as_str()))
    }
}

fn joined(key: &Key, texts: &[String]) -> Result<Raw, String> {
    let mut raws = texts.iter().map(|text| Raw::from_line(key.shape, text));
    let first = raws.next().unwrap_or_else(|| Ok(key.default_raw()))?;
    raws.try_fold(first, |joined, next| Ok(joined.join(next?)))
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let flags = KEYS.iter().filter_map(flag);
        command.next_help_heading("Configuration").arg(config()).arg(set()).args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>("config").cloned();
        self.set = matches.get_many("set").into_iter().flatten().cloned().collect();
        let given = |key: &&Key| {
            key.flag.is_some()
                && matches.value_source(key.path) == Some(clap::parser::ValueSource::CommandLine)
        };
        let texts = |key: &Key| matches.get_many(key.path).into_iter().flatten().cloned().collect();
        self.values = KEYS.iter().filter(given).map(|key| (key, texts(key))).collect();
        Ok(())
    }
}

fn config() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .value_parser(clap::value_parser!(PathBuf))
        .help(format!("Configuration file [env: {FILE_ENV}] [default: {DEFAULT_FILE}, if it exists]"))
}

fn set() -> Arg {
    Arg::new("set")
        .long("set")
        .value_name("KEY=VALUE")
        .action(ArgAction::Append)
        .value_parser(pair)
        .help("Set any key of the configuration, such as limits.trace_wait=2s; may be given several times")
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (path, value) = text.split_once('=').ok_or("must be of the form KEY=VALUE")?;
    Ok((path.trim().to_owned(), value.to_owned()))
}

fn flag(key: &Key) -> Option<Arg> {
    let arg = Arg::new(key.path)
        .long(key.flag?)
        .value_name(key.syntax)
        .help(first_line(key))
        .long_help(long_help(key))
        .action(action(key.shape));
    Some(if key.choices.is_empty() {
        arg.value_hint(if key.syntax == "FILE" { ValueHint::FilePath } else { ValueHint::Other })
    } else {
        arg.value_parser(PossibleValuesParser::new(key.choices))
    })
}

const fn action(shape: Shape) -> ArgAction {
    match shape {
        Shape::List | Shape::Pairs => ArgAction::Append,
        Shape::Text | Shape::Number | Shape::Switch => ArgAction::Set,
    }
}

fn first_line(key: &Key) -> String {
    key.doc.first().map(|line| line.trim().trim_end_matches('.').to_owned()).unwrap_or_default()
}

fn long_help(key: &Key) -> String {
    let mut text = key.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    if matches!(key.shape, Shape::List | Shape::Pairs) {
        text.push_str(" May be given several times.");
    }
    text.push_str(&format!("\n\nKey `{}`, variable {}", key.path, key.env()));
    if !key.default.is_empty() {
        text.push_str(&format!(", default {}", key.default));
    }
    if let Some((least, most)) = key.range {
        text.push_str(&format!(", from {least} to {most}"));
    }
    if let Some(otel) = key.otel {
        text.push_str(&format!("; where not set, {otel}"));
    }
    text
}
