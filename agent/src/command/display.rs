//! Where and how the commands that capture show spans.

use std::io::{BufWriter, Write};

use wirespan_export::terminal::Output;

use crate::{
    config::{Config, value},
    daemon::Display,
};

/// Enough for a few dozen spans; the terminal stage flushes after each batch.
const BUFFER: usize = 64 << 10;

/// Shows spans on `to`.
pub(super) fn on(to: Box<dyn Write + Send>, output: Output, color: bool) -> Display {
    Display { output, color, to: Box::new(BufWriter::with_capacity(BUFFER, to)) }
}

/// The chosen form, where a form is chosen.
pub(super) fn output(chosen: value::Output) -> Option<Output> {
    match chosen {
        value::Output::Line => Some(Output::Line),
        value::Output::Tree => Some(Output::Tree),
        value::Output::Json => Some(Output::Json),
        value::Output::Auto | value::Output::None => None,
    }
}

/// With colours? `NO_COLOR` (no-color.org) is heard.
pub(super) fn color(config: &Config, terminal: bool) -> bool {
    match config.output.color {
        value::Color::Always => true,
        value::Color::Never => false,
        value::Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}
