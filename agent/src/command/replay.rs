//! `wirespan replay`: a recording or a packet capture, to the same outputs as a live capture.

use std::{
    io::{self, IsTerminal, Write},
    ops::ControlFlow,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use wirespan_export::{
    otlp::{Exporter, Report},
    terminal::{Output, Terminal},
};
use wirespan_trace::trace::Trace;

use super::{display, host};
use crate::{
    cli,
    config::{self, Config},
    daemon,
    replay::Replay,
};

/// How often it is looked whether the exporter has room.
const LOOK: Duration = Duration::from_millis(5);

/// Replays one file to its end.
///
/// # Errors
/// An unusable configuration, a file that cannot be read, an output that cannot be written.
pub fn run(args: &cli::Replay) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.flags)?.config;
    let replay = Replay::open(&args.file, &config, args.end.into())?;
    let mut outlets = Outlets::open(&config)?;
    let replayed = replay.run(|traces| outlets.give(traces))?;
    let mut summary = replayed.summary;
    summary.exported = outlets.finish();
    eprintln!("wirespan: {summary}");
    for note in replayed.notes {
        eprintln!("wirespan: {}: {note}", args.file.display());
    }
    match replayed.damage {
        None => Ok(ExitCode::SUCCESS),
        Some(damage) => {
            Err(damage).with_context(|| format!("{} was replayed only in part", args.file.display()))
        }
    }
}

/// Where spans go. Unlike a daemon's, these are waited for: a file can wait.
struct Outlets {
    terminal: Option<Terminal<Box<dyn Write + Send>>>,
    export: Option<Export>,
}

/// The exporter, and the runtime that it lives on.
struct Export {
    runtime: tokio::runtime::Runtime,
    exporter: Exporter,
    /// Spans that its queue holds.
    room: u64,
    /// How long it is waited for room, and at the end.
    patience: Duration,
}

impl Outlets {
    fn open(config: &Config) -> anyhow::Result<Self> {
        let terminal = host::output(config, Output::Line).map(|output| {
            let color = display::color(config, io::stdout().is_terminal());
            let shown = display::on(Box::new(io::stdout()), output, color);
            Terminal::new(shown.to, shown.output, shown.color)
        });
        Ok(Self { terminal, export: Export::open(config)? })
    }

    fn give(&mut self, traces: Vec<Trace>) -> anyhow::Result<ControlFlow<()>> {
        if let Some(terminal) = &mut self.terminal
            && terminal.write(&traces).context("cannot write spans")?.is_break()
        {
            self.terminal = None;
            if self.export.is_none() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if let Some(export) = &mut self.export {
            traces.into_iter().for_each(|trace| export.offer(trace));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(self) -> Option<Report> {
        self.export
            .map(|Export { runtime, exporter, patience, .. }| runtime.block_on(exporter.shutdown(patience)))
    }
}

impl Export {
    fn open(config: &Config) -> anyhow::Result<Option<Self>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime of the exporter")?;
        let exporter = daemon::exporter(config, &runtime)?;
        let room = u64::from(config.limits.queue_spans);
        let patience = config.limits.flush_timeout;
        Ok(exporter.map(|exporter| Self { runtime, exporter, room, patience }))
    }

    /// Waits for room, but not for an endpoint that takes nothing: what does not fit is dropped and counted then.
    fn offer(&mut self, trace: Trace) {
        let spans = trace.spans.len() as u64;
        let (mut sent, mut since) = (0, Instant::now());
        loop {
            let counters = self.exporter.counters();
            if counters.spans_waiting() + spans <= self.room || since.elapsed() >= self.patience {
                break;
            }
            if counters.spans_exported > sent {
                (sent, since) = (counters.spans_exported, Instant::now());
            }
            // Within: a timer belongs to the runtime in which it is made.
            self.runtime.block_on(async { tokio::time::sleep(LOOK).await });
        }
        self.exporter.offer(trace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    /// Nobody listens on port 1: what was given stays in the queue, which soon is full.
    #[test]
    fn a_full_queue_is_waited_for_and_not_for_ever() {
        let endpoint = [("WIRESPAN_OTLP_ENDPOINT".to_owned(), "http://127.0.0.1:1".to_owned())];
        let mut config = config::merge(None, &endpoint, &Flags::default()).unwrap().config;
        (config.limits.queue_spans, config.limits.flush_timeout) = (64, Duration::from_millis(20));
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/bench/nginx.wirespan");
        let replay = Replay::open(file.as_ref(), &config, wirespan_capture_file::Ends::Server).unwrap();
        let mut export = Export::open(&config).unwrap().unwrap();
        let (mut given, begun) = (0, Instant::now());
        let replayed = replay.run(|traces| {
            for trace in traces.into_iter().take(40 - given) {
                given += 1;
                export.offer(trace);
            }
            Ok(if given < 40 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        });
        assert!(replayed.is_ok() && begun.elapsed() >= Duration::from_millis(20));
        let report = export.runtime.block_on(export.exporter.shutdown(Duration::ZERO));
        assert!(!report.complete && report.counters.spans_exported == 0);
    }
}
