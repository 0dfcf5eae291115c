//! Spans for people and pipes. Comes in: traces. Goes out: lines, trees or JSON, on any writer, flushed with every
//! batch. Refuses: control characters from captured bytes.

mod duration;
mod escape;
mod json;
mod label;
mod line;
mod style;
mod tree;

use std::{
    io::{self, Write},
    ops::ControlFlow,
    str::FromStr,
};

pub(crate) use escape::escaped;
use style::Style;

use crate::trace::Trace;

/// What spans look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// One line a span, for a terminal of 80 to 120 columns.
    #[default]
    Line,
    /// A trace as a tree with a waterfall.
    Tree,
    /// One JSON object a span and line, with OTLP/JSON's field names.
    Json,
}

impl Output {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Line, Self::Tree, Self::Json];

    /// As `--output` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Tree => "tree",
            Self::Json => "json",
        }
    }
}

/// Not the name of an [`Output`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an output: use line, tree or json")]
pub struct UnknownOutput(String);

impl FromStr for Output {
    type Err = UnknownOutput;

    fn from_str(name: &str) -> Result<Self, UnknownOutput> {
        Self::ALL.into_iter().find(|output| output.name() == name).ok_or_else(|| UnknownOutput(name.into()))
    }
}

/// Bytes from which on text is handed over before the batch ends: what waits stays in the processor's cache.
const CHUNK: usize = 256 << 10;

/// Writes traces in one form.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    output: Output,
    style: Style,
    json: json::Lines,
    /// What is not handed over yet.
    text: Vec<u8>,
}

impl<W: Write> Terminal<W> {
    /// Colour is used only when asked for, and never in JSON.
    pub fn new(out: W, output: Output, colour: bool) -> Self {
        Self { out, output, style: Style { colour }, json: json::Lines::default(), text: Vec::new() }
    }

    /// Writes a batch and flushes. `Break` when the reader has gone (a closed pipe): nothing more need be written.
    ///
    /// # Errors
    /// Any other error of the writer.
    pub fn write(&mut self, traces: &[Trace]) -> io::Result<ControlFlow<()>> {
        match self.write_all(traces).and_then(|()| self.out.flush()) {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
            Err(error) => Err(error),
        }
    }

    fn write_all(&mut self, traces: &[Trace]) -> io::Result<()> {
        for trace in traces {
            match self.output {
                Output::Line => self.append(|style, text| line::render(trace, style, text)),
                Output::Tree => self.append(|style, text| tree::render(trace, style, text)),
                Output::Json => self.json.render(trace, &mut self.text),
            }
            if self.text.len() >= CHUNK {
                self.hand_over()?;
            }
        }
        self.hand_over()
    }

    fn append(&mut self, render: impl FnOnce(Style, &mut String)) {
        let mut text = String::new();
        render(self.style, &mut text);
        self.text.extend_from_slice(text.as_bytes());
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.text);
        self.text.clear();
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn failing(kind: io::ErrorKind) -> io::Result<ControlFlow<()>> {
        Terminal::new(Failing(kind), Output::Json, false).write(&[sample::shop()])
    }

    #[test]
    fn a_closed_pipe_is_an_end_and_no_error() {
        assert_eq!(failing(io::ErrorKind::BrokenPipe).unwrap(), ControlFlow::Break(()));
        assert_eq!(failing(io::ErrorKind::StorageFull).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn what_is_written_is_flushed() {
        let mut out = io::BufWriter::new(Vec::new());
        let flow = Terminal::new(&mut out, Output::Line, false).write(&[sample::shop()]).unwrap();
        assert_eq!((flow, out.buffer().len()), (ControlFlow::Continue(()), 0));
        assert_eq!(out.get_ref().iter().filter(|&&byte| byte == b'\n').count(), 3);
    }

    #[test]
    fn names() {
        for output in Output::ALL {
            assert_eq!(output.name().parse(), Ok(output));
        }
        let error = "xml".parse::<Output>().unwrap_err().to_string();
        assert_eq!(error, "`xml` is not an output: use line, tree or json");
    }
}
