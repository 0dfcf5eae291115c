//! The running daemon: kernel programs, pipeline and outputs, from the configuration to the summary at the end. Comes
//! in: a [`Config`] and who is to be looked at. Goes out: spans on the terminal and to the OTLP endpoint.
//!
//! Two threads do the work. The capture thread drains the rings and runs the pipeline; it never waits for an output.
//! The main thread runs the exporter and listens for signals. A third writes to the terminal, which may block.

mod budget;
mod capture;
mod duty;
mod recorder;
mod reload;
mod screen;
pub(crate) mod setup;
mod summary;

use std::{fs::File, future, io::Write, panic::resume_unwind, sync::Arc, thread, time::Duration};

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::timeout,
};
use wirespan_export::{
    otlp::{Exporter, Intake},
    terminal::Output,
};
use wirespan_kernel::{Filter as ProcessFilter, Programs, Verdicts};

use self::{
    budget::Budget,
    capture::{Capture, Control, Kernel},
    duty::Duty,
    recorder::{Disk, Recorder},
    screen::Screen,
};
use crate::{
    config::{Config, value::Listen},
    observe::{
        routes::Routes,
        server,
        watch::{Setup, Watch},
    },
};

pub use self::{
    recorder::Recorded,
    reload::Source,
    screen::{Backlog, Shown},
    summary::Summary,
};

/// How long what is left may take to be sent before a word is said.
const SILENT: Duration = Duration::from_millis(500);

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

/// What a daemon is for.
pub enum Purpose {
    /// Somebody looks on: spans are shown, and sent where the configuration says.
    Look(Option<Display>),
    /// A service: the same, and once attached it gives away the privileges that only loading took.
    Serve(Option<Display>),
    /// What is captured is written to a file for [`replay`](crate::replay); spans are as for `Look`.
    Record(Option<Display>, File),
    /// Spans are counted by route; nothing is shown, sent or served.
    Count(Arc<Routes>),
}

/// A daemon that captures.
pub struct Daemon {
    runtime: tokio::runtime::Runtime,
    exporter: Option<Exporter>,
    screen: Option<Screen>,
    disk: Option<Disk>,
    control: Control,
    watch: Arc<Watch>,
    duty: Duty,
    ended: oneshot::Receiver<Summary>,
    /// What the capture thread left, where it ended before it was asked to.
    left: Option<Summary>,
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
        Self::start_for(config, scope, Purpose::Look(display))
    }

    /// The same for another purpose.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_for(config: &Config, scope: &Scope, purpose: Purpose) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime of the exporter")?;
        let counting = matches!(purpose, Purpose::Count(_));
        let exporter = if counting { None } else { exporter(config, &runtime)? };
        let pipeline = setup::pipeline(config)?;
        let (mut programs, verdicts) = attach(config, scope)?;
        let plan = programs.plan();
        // Threads inherit what their parent has: it goes before there are any.
        if matches!(purpose, Purpose::Serve(_)) {
            wirespan_kernel::drop_privileges().context("cannot give away privileges")?;
        }
        let Outputs { screen, disk, sinks } = outputs(config, purpose, exporter.as_ref(), plan)?;
        let watch = Arc::new(watch(config, &programs, &sinks));
        if *scope == Scope::Host && !counting {
            observe(config, &runtime, &watch);
        }
        let kernel = Kernel::new(&mut programs, verdicts).context("cannot start the thread for runtimes")?;
        let budget = budget(config, scope, &sinks);
        let (capture, control, ended) =
            Capture::new(programs, kernel, pipeline, sinks, Arc::clone(&watch), budget);
        capture.start().context("cannot start the capture thread")?;
        let (flush, duty) = (config.limits.flush_timeout, Duty::default());
        Ok(Self { runtime, exporter, screen, disk, control, watch, duty, ended, left: None, flush, plan })
    }

    /// From now on SIGHUP reads the configuration again instead of ending the daemon, and systemd, where it manages
    /// the daemon, hears how it is.
    ///
    /// # Errors
    /// Signals cannot be listened to.
    pub fn serve(&mut self, source: Source) -> anyhow::Result<()> {
        let _inside = self.runtime.enter();
        self.duty = Duty::serve(source)?;
        Ok(())
    }

    /// What it counted up to now.
    #[must_use]
    pub fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Captures until a signal asks to stop, or `done` says that there is nothing more to see.
    ///
    /// # Errors
    /// Signals cannot be listened to.
    pub fn run_until(&mut self, done: impl Future<Output = ()>) -> anyhow::Result<Reason> {
        let Self { runtime, ended, left, duty, control, watch, .. } = self;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
            let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
            Ok(tokio::select! {
                _ = terminate.recv() => Reason::Asked,
                _ = interrupt.recv() => Reason::Asked,
                () = done => Reason::Done,
                summary = ended => {
                    *left = summary.ok();
                    Reason::Done
                }
                never = duty.perform(control, watch) => match never {},
            })
        })
    }

    /// Stops: what was captured is finished, shown and sent, for as long as the configuration allows.
    #[must_use]
    pub fn stop(mut self) -> Summary {
        self.duty.end();
        self.control.stop();
        let mut summary = match self.left.take() {
            Some(summary) => summary,
            None if self.ended.is_terminated() => Summary::default(),
            None => self.runtime.block_on(&mut self.ended).unwrap_or_default(),
        };
        if let Some(screen) = self.screen.take() {
            summary.shown = Some(screen.finish());
        }
        if let Some(disk) = self.disk.take() {
            summary.recorded = Some(disk.finish());
        }
        if let Some(exporter) = self.exporter.take() {
            let report = self.runtime.block_on(exporter.shutdown_unless(self.flush, enough(self.flush)));
            summary.exported = Some(report);
        }
        summary
    }
}

/// Whoever stopped the daemon and has to wait is told why, and may say that it is long enough.
async fn enough(deadline: Duration) {
    let Ok(mut interrupt) = signal(SignalKind::interrupt()) else { return future::pending().await };
    if timeout(SILENT, interrupt.recv()).await.is_err() {
        let most = deadline.as_secs_f64();
        eprintln!("wirespan: sending what is left, for {most} s at most; Ctrl-C again ends it now");
        interrupt.recv().await;
    }
}

/// The exporter, where an endpoint is named.
pub(crate) fn exporter(
    config: &Config,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<Option<Exporter>> {
    let Some(settings) = setup::otlp(config)? else { return Ok(None) };
    let _inside = runtime.enter();
    let say = |message: &str| eprintln!("wirespan: {message}");
    Ok(Some(Exporter::start(&settings, say)?))
}

/// The kernel programs, attached, and what is to be said of processes before the first event.
fn attach(config: &Config, scope: &Scope) -> anyhow::Result<(Programs, Verdicts)> {
    let settings = setup::kernel(config, scope);
    // The kernel's types take tens of MiB for a moment. The allocator keeps some of what a thread has freed for this thread, until it ends.
    let loaded = thread::scope(|scope| scope.spawn(|| Programs::load(&settings)).join());
    let mut programs = loaded.unwrap_or_else(|panic| resume_unwind(panic))?;
    for passed in programs.passed_over() {
        let (refused, why, taken) = (passed.plan, &passed.why, programs.plan());
        eprintln!("wirespan: the kernel did not take the plan {refused}, {taken} stands in: {why}");
    }
    let mut verdicts = programs.take_verdicts().expect("taken once");
    for pid in watched(scope) {
        verdicts.set(pid, true).with_context(|| format!("cannot watch process {pid}"))?;
    }
    Ok((programs, verdicts))
}

/// The whole host is looked at within a budget; what a command does, and what is recorded, is wanted whole.
fn budget(config: &Config, scope: &Scope, sinks: &Sinks) -> Option<Budget> {
    let bounded = *scope == Scope::Host && sinks.recorder.is_none() && config.budget.cpu_percent > 0;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    bounded.then(|| Budget::new(config.budget.cpu_percent, processors))
}

/// Where everything goes.
struct Outputs {
    screen: Option<Screen>,
    disk: Option<Disk>,
    sinks: Sinks,
}

fn outputs(
    config: &Config,
    purpose: Purpose,
    exporter: Option<&Exporter>,
    plan: wirespan_kernel::Plan,
) -> anyhow::Result<Outputs> {
    let (display, routes, file) = match purpose {
        Purpose::Look(display) | Purpose::Serve(display) => (display, None, None),
        Purpose::Record(display, file) => (display, None, Some(file)),
        Purpose::Count(routes) => (None, Some(routes), None),
    };
    let (recorder, disk) = file.map(|file| Recorder::start(file, plan)).transpose()?.unzip();
    let screen = display.map(|display| Screen::start(display, config.limits.queue_spans));
    let shown = screen.as_ref().map(Screen::shown);
    let sinks = Sinks { intake: exporter.map(Exporter::intake), shown, routes, recorder };
    Ok(Outputs { screen, disk, sinks })
}

fn watch(config: &Config, programs: &Programs, sinks: &Sinks) -> Watch {
    let setup = Setup {
        plan: programs.plan(),
        hooks: programs.hooks().collect(),
        queue_spans: config.limits.queue_spans,
        open_spans: config.limits.open_spans,
    };
    Watch::new(setup, sinks.intake.clone(), sinks.shown.as_ref().map(Shown::backlog))
}

/// Answers /metrics and /healthz. A port that somebody else has is no reason not to capture.
fn observe(config: &Config, runtime: &tokio::runtime::Runtime, watch: &Arc<Watch>) {
    let Listen::At(address) = config.observe.listen else { return };
    let _inside = runtime.enter();
    match server::listen(address) {
        Ok(listener) => drop(runtime.spawn(server::serve(listener, Arc::clone(watch)))),
        Err(error) => eprintln!(
            "wirespan: no /metrics and /healthz, since {address} cannot be listened to: {error}; capturing all the \
             same (--metrics ADDRESS chooses another, --metrics off none)"
        ),
    }
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

/// What the capture thread hands finished traces to, and the events themselves.
struct Sinks {
    intake: Option<Intake>,
    shown: Option<Shown>,
    routes: Option<Arc<Routes>>,
    recorder: Option<Recorder>,
}
