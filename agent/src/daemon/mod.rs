//! The running daemon: kernel programs, pipeline and outputs, from the configuration to the summary at the end. Comes
//! in: a [`Config`] and who is to be looked at. Goes out: spans on the terminal and to the OTLP endpoint.
//!
//! Two threads do the work. The capture thread drains the rings and runs the pipeline; it never waits for an output.
//! The main thread runs the exporter and listens for signals. A third writes to the terminal, which may block.

mod capture;
mod screen;
mod setup;
mod summary;

use std::{io::Write, time::Duration};

use anyhow::Context;
use tokio::sync::oneshot;
use wirespan_export::{
    otlp::{Exporter, Intake},
    terminal::Output,
};
use wirespan_kernel::{Filter as ProcessFilter, Programs};

use self::{
    capture::{Capture, Stop},
    screen::Screen,
};
use crate::config::Config;

pub use self::{screen::Shown, summary::Summary};

/// Whom to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole host, less what the configuration leaves out.
    Host,
    /// These processes and their children.
    Processes(Vec<u32>),
    /// The children of this process that are born from now on, and theirs.
    Children,
}

/// What to show where.
pub struct Display {
    /// How.
    pub output: Output,
    /// With colours?
    pub color: bool,
    /// Where.
    pub to: Box<dyn Write + Send>,
}

/// A daemon that captures.
pub struct Daemon {
    runtime: tokio::runtime::Runtime,
    exporter: Option<Exporter>,
    screen: Option<Screen>,
    stop: Stop,
    ended: oneshot::Receiver<Summary>,
    flush: Duration,
    /// Which plan the kernel programs follow.
    pub plan: wirespan_kernel::Plan,
}

/// Why a daemon stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// SIGINT or SIGTERM.
    Asked,
    /// All it was to look at is gone, or the reader of its output is.
    Done,
}

impl Daemon {
    /// Attaches the kernel programs and starts everything. When it returns, events are being captured.
    ///
    /// # Errors
    /// The kernel does not allow it, or a setting cannot be used; the message says what to do.
    pub fn start(config: &Config, scope: &Scope, display: Option<Display>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime of the exporter")?;
        let exporter = exporter(config, &runtime)?;
        let pipeline = setup::pipeline(config)?;
        let mut programs = Programs::load(&setup::kernel(config, scope))?;
        let plan = programs.plan();
        let mut verdicts = programs.take_verdicts().expect("taken once");
        for pid in watched(scope) {
            verdicts.set(pid, true).with_context(|| format!("cannot watch process {pid}"))?;
        }
        let screen = display.map(|display| Screen::start(display, config.limits.queue_spans));
        let (capture, stop, ended) = Capture::new(
            programs,
            verdicts,
            pipeline,
            exporter.as_ref().map(Exporter::intake),
            screen.as_ref().map(Screen::shown),
        );
        capture.start().context("cannot start the capture thread")?;
        Ok(Self { runtime, exporter, screen, stop, ended, flush: config.limits.flush_timeout, plan })
    }

    /// Captures until a signal asks to stop, or `done` says that there is nothing more to see.
    ///
    /// # Errors
    /// Signals cannot be listened to.
    pub fn run_until(&mut self, done: impl Future<Output = ()>) -> anyhow::Result<Reason> {
        let ended = &mut self.ended;
        self.runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
            let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
            Ok(tokio::select! {
                _ = terminate.recv() => Reason::Asked,
                _ = interrupt.recv() => Reason::Asked,
                () = done => Reason::Done,
                _ = ended => Reason::Done,
            })
        })
    }

    /// Stops: what was captured is finished, shown and sent, for as long as the configuration allows.
    #[must_use]
    pub fn stop(mut self) -> Summary {
        self.stop.stop();
        let mut summary = if self.ended.is_terminated() {
            Summary::default()
        } else {
            self.runtime.block_on(&mut self.ended).unwrap_or_default()
        };
        if let Some(screen) = self.screen.take() {
            summary.shown = Some(screen.finish());
        }
        if let Some(exporter) = self.exporter.take() {
            summary.exported = Some(self.runtime.block_on(exporter.shutdown(self.flush)));
        }
        summary
    }
}

fn exporter(config: &Config, runtime: &tokio::runtime::Runtime) -> anyhow::Result<Option<Exporter>> {
    let Some(settings) = setup::otlp(config)? else { return Ok(None) };
    let _inside = runtime.enter();
    let say = |message: &str| eprintln!("wirespan: {message}");
    Ok(Some(Exporter::start(&settings, say)?))
}

/// The processes whose verdict must stand before the first event.
fn watched(scope: &Scope) -> Vec<u32> {
    match scope {
        Scope::Host => Vec::new(),
        Scope::Processes(pids) => pids.iter().flat_map(|pid| setup::family(*pid)).collect(),
        // Children inherit the verdict of their parent at birth, before their first instruction; the daemon itself
        // is never captured, whatever its verdict.
        Scope::Children => vec![std::process::id()],
    }
}

/// The kernel's way to look at all processes or only listed ones.
fn process_filter(config: &Config, scope: &Scope) -> ProcessFilter {
    match scope {
        Scope::Processes(_) | Scope::Children => ProcessFilter::Only,
        Scope::Host if setup::takes_all(config) => ProcessFilter::All,
        Scope::Host => ProcessFilter::Except,
    }
}

/// What the capture thread hands finished traces to.
struct Sinks {
    intake: Option<Intake>,
    shown: Option<Shown>,
}
