//! What a daemon says at its end: what it saw, and what it did not.

use std::fmt;

use wirespan_export::otlp::Report;
use wirespan_kernel::Losses;

use super::Recorded;
use crate::pipeline::{Counters, Group};

/// The end of a capture, in figures.
#[derive(Debug, Default)]
pub struct Summary {
    /// Of every stage.
    pub counters: Counters,
    /// Connections of protocols that were not recognised.
    pub unrecognised: Vec<Group>,
    /// Of the rings.
    pub losses: Losses,
    /// Times that the kernel left a program out.
    pub interrupted: u64,
    /// Spans that the terminal could not take; `None` where none were shown.
    pub shown: Option<u64>,
    /// What became of the recording; `None` where there was none.
    pub recorded: Option<Recorded>,
    /// What the exporter did; `None` where there was none.
    pub exported: Option<Report>,
}

impl Summary {
    /// Everything that was missed, by cause.
    fn causes(&self) -> [(u64, &'static str); 13] {
        let Counters { connections, traces, panics, left_out, .. } = &self.counters;
        [
            (self.losses.lost_records, "events lost (ring full)"),
            (self.interrupted, "events lost (the kernel left a program out that it met at work)"),
            (connections.lost, "bytes lost"),
            (connections.shed, "bytes shed"),
            (self.losses.faults, "unreadable buffers"),
            (connections.io_uring, "bytes moved by io_uring, not read"),
            (self.losses.io_uring, "calls of io_uring, not looked into"),
            (*panics, "connections given up"),
            (*left_out, "connections left out to stay within the CPU budget"),
            (self.shown.unwrap_or(0), "spans not shown (output too slow, or closed)"),
            (
                self.recorded.as_ref().map_or(0, |recorded| recorded.unwritten),
                "events not recorded (disk too slow)",
            ),
            (self.exported.as_ref().map_or(0, |report| report.counters.spans_lost()), "spans not exported"),
            (traces.untracked, "spans not linked (table full)"),
        ]
    }

    /// Was anything missed, or not understood?
    #[must_use]
    pub fn missed(&self) -> bool {
        self.counters.unrecognised.connections > 0 || self.causes().iter().any(|(count, _)| *count > 0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters { traces, unrecognised, .. } = &self.counters;
        write!(f, "{} in {}", many(traces.spans, "span"), many(traces.parts, "trace"))?;
        if let Some(report) = &self.exported {
            write!(f, ", {} exported", report.counters.spans_exported)?;
        }
        for (count, what) in self.causes().iter().filter(|(count, _)| *count > 0) {
            write!(f, "; {count} {what}")?;
        }
        if unrecognised.connections > 0 {
            let connections = many(unrecognised.connections, "connection");
            write!(
                f,
                "; {connections} encrypted or of unrecognised protocols ({} bytes)",
                unrecognised.bytes
            )?;
        }
        Ok(())
    }
}

fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_and_what_was_not() {
        let mut summary = Summary::default();
        assert_eq!(summary.to_string(), "0 spans in 0 traces");
        assert!(!summary.missed());
        let Counters { traces, unrecognised, .. } = &mut summary.counters;
        (traces.spans, traces.parts) = (2, 1);
        (unrecognised.connections, unrecognised.bytes) = (1, 900);
        assert!(summary.missed());
        summary.shown = Some(3);
        assert_eq!(
            summary.to_string(),
            "2 spans in 1 trace; 3 spans not shown (output too slow, or closed); \
             1 connection encrypted or of unrecognised protocols (900 bytes)"
        );
    }
}
