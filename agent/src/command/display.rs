//! Where and how the commands that capture show spans.

use std::io::Write;

use wirespan_export::terminal::Output;

use crate::{
    config::{Config, choice},
    daemon::Display,
};

/// Shows spans on `to`, which is given whole batches.
pub(super) fn on(to: Box<dyn Write + Send>, output: Output, color: bool) -> Display {
    Display { output, color, to }
}

/// The chosen form, where a form is chosen.
pub(super) fn output(chosen: choice::Output) -> Option<Output> {
    match chosen {
        choice::Output::Line => Some(Output::Line),
        choice::Output::Tree => Some(Output::Tree),
        choice::Output::Json => Some(Output::Json),
        choice::Output::Auto | choice::Output::None => None,
    }
}

/// With colours? `NO_COLOR` (no-color.org) is heard, and so is a terminal that says that it has none.
pub(super) fn color(config: &Config, terminal: bool) -> bool {
    match config.output.color {
        choice::Color::Always => true,
        choice::Color::Never => false,
        choice::Color::Auto => {
            let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            terminal && !unwanted && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}
