//! The capture thread: drains the rings, runs the pipeline, hands traces over, sleeps. It owns the kernel programs, so
//! that they are detached when it ends.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use tokio::sync::oneshot;
use wirespan_kernel::{Cost, Offset, Policies, Programs, Reader, Verdicts, Waker};
use wirespan_proto::event::{Cookie, Event, Nanos, Policy};
use wirespan_span::{Clock, span::UnixNanos};
use wirespan_trace::trace::Trace;

use super::{Recorder, Shown, Sinks, Summary, budget::Budget, reload::Reload};
use crate::{
    observe::watch::{Snapshot, Watch},
    pipeline::{Orders, Pipeline},
    runtime::Finder,
};

/// Time between two sweeps while events come in, ns. Below the grace of the trace stage.
const SWEEP_NS: u64 = 5_000_000;

/// Time between two snapshots of the counters, ns. One costs a few microseconds.
const PUBLISH_NS: u64 = 250_000_000;

/// Time between two rounds of what is done seldom, ns: an occasion for the allocator to give memory back, and what the kernel
/// tells of each program, some ten microseconds a question.
const SELDOM_NS: u64 = 2_000_000_000;

/// Finished traces are handed over together: a wake-up of the thread that writes costs as much as writing several. After so long,
/// ns, or so many of them; more would no longer be in the processor's cache.
const GIVE_NS: u64 = 25_000_000;
const GIVE: usize = 256;

/// Larger than what the allocator takes from pages that it keeps (512 KiB), bytes; no larger, since it keeps what such a piece was.
const LARGE: usize = 1 << 20;

/// Tells the capture thread what to do.
pub(super) struct Control {
    flag: Arc<AtomicBool>,
    reloads: mpsc::Sender<Reload>,
    waker: Waker,
}

impl Control {
    /// From now on, these filters and this redaction.
    pub(super) fn reload(&self, reload: Reload) {
        // A thread that has ended captures nothing more.
        let _ = self.reloads.send(reload);
        self.waker.wake();
    }

    /// Ends it after what was captured so far.
    pub(super) fn stop(&self) {
        self.flag.store(true, Ordering::SeqCst);
        self.waker.wake();
    }
}

/// The orders of the pipeline, carried out.
pub(super) struct Kernel {
    policies: Policies,
    verdicts: Verdicts,
    finder: Finder,
    /// Did a process ask for its wake-ups?
    wakes: bool,
}

impl Kernel {
    /// With all that the programs let be written.
    pub(super) fn new(programs: &mut Programs, verdicts: Verdicts) -> io::Result<Self> {
        let policies = programs.take_policies().expect("taken once");
        let finder = Finder::start(programs.take_runtimes().expect("taken once"))?;
        Ok(Self { policies, verdicts, finder, wakes: false })
    }

    /// Processes that use sockets are looked at for their runtime, once for each program that they run.
    fn heard(&mut self, event: &Event<'_>, wanted: bool) {
        match event {
            Event::Data(data) if wanted => self.finder.seen(data.task.pid),
            Event::Exec(exec) => self.finder.forget(exec.pid),
            Event::Exit(exit) => self.finder.forget(exit.pid),
            _ => {}
        }
    }
}

impl Orders for Kernel {
    fn policy(&mut self, cookie: Cookie, policy: Policy) {
        self.policies.set(cookie, policy);
    }

    fn verdict(&mut self, pid: u32, capture: bool) {
        // Without the verdict the process goes on paying; its events are dropped in the pipeline all the same.
        let _ = self.verdicts.set(pid, capture);
    }

    fn follow(&mut self, pid: u32) {
        // Without it, calls of threads that are made for one piece of work stay roots.
        let _ = self.verdicts.follow(pid, false);
    }

    fn wakes(&mut self, pid: u32, told: bool) {
        self.wakes |= told;
        // Without it, calls of pools stay roots.
        let _ = self.verdicts.follow(pid, told);
    }
}

/// Everything the thread works with.
pub(super) struct Capture {
    programs: Programs,
    reader: Reader,
    kernel: Kernel,
    pipeline: Pipeline,
    sinks: Sinks,
    watch: Arc<Watch>,
    reloads: mpsc::Receiver<Reload>,
    reloaded: u64,
    /// Events read so far.
    read: u64,
    published: Nanos,
    seldom: Nanos,
    given: Nanos,
    interrupted: u64,
    costs: Vec<Cost>,
    /// The time of day at which the boot-time clock stood at zero.
    day: Offset,
    budget: Option<Budget>,
    stop: Arc<AtomicBool>,
    ended: oneshot::Sender<Summary>,
    /// Was the user told that some sockets are driven by `io_uring`?
    told: bool,
}

impl Capture {
    /// Ready to start; with the handle that steers it and what it says at its end.
    pub(super) fn new(
        mut programs: Programs,
        kernel: Kernel,
        mut pipeline: Pipeline,
        sinks: Sinks,
        watch: Arc<Watch>,
        budget: Option<Budget>,
    ) -> (Self, Control, oneshot::Receiver<Summary>) {
        let reader = programs.take_reader().expect("taken once");
        let flag = Arc::new(AtomicBool::new(false));
        let (sender, reloads) = mpsc::channel();
        let control = Control { flag: Arc::clone(&flag), reloads: sender, waker: reader.waker() };
        let (ended, said) = oneshot::channel();
        if sinks.recorder.is_some() {
            pipeline.processes().keep_told();
        }
        let capture = Self {
            programs,
            reader,
            kernel,
            pipeline,
            sinks,
            watch,
            reloads,
            reloaded: 0,
            read: 0,
            published: Nanos(0),
            seldom: Nanos(0),
            given: Nanos(0),
            interrupted: 0,
            costs: Vec::new(),
            day: Offset::day(),
            budget,
            stop: flag,
            ended,
            told: false,
        };
        (capture, control, said)
    }

    /// Runs on a thread of its own.
    pub(super) fn start(self) -> io::Result<()> {
        thread::Builder::new().name("capture".into()).spawn(move || self.run()).map(drop)
    }

    fn run(mut self) {
        let mut swept = self.reader.now();
        while !self.stop.load(Ordering::SeqCst) && self.sinks.open() {
            let clock = Clock { boot: UnixNanos(self.day.now()) };
            let Self { reader, pipeline, kernel, sinks, .. } = &mut self;
            let events = reader.poll(|event| pass(event, clock, pipeline, kernel, sinks));
            self.read += events as u64;
            let now = self.reader.now();
            if events == 0 || now.since(swept) >= SWEEP_NS {
                swept = now;
                self.pipeline.sweep(now, clock, &mut self.kernel);
                self.spend(now);
                self.watch();
                self.tell();
                self.hear();
                self.seldom(now);
                self.publish(now);
                if let Some(recorder) = &mut self.sinks.recorder {
                    recorder.tick(now);
                }
            }
            if self.pipeline.done() >= GIVE || now.since(self.given) >= GIVE_NS {
                self.given = now;
                self.sinks.give(self.pipeline.take());
            }
            self.reader.wait();
        }
        self.finish();
    }

    /// Shows as many connections as there is time for.
    fn spend(&mut self, now: Nanos) {
        let Some(budget) = &mut self.budget else { return };
        if let Some(share) = budget.look(now, self.read, self.reader.losses().lost_records) {
            self.pipeline.show(share);
        }
    }

    /// Does what was asked for since the last time.
    fn hear(&mut self) {
        while let Ok(Reload { filter, spans }) = self.reloads.try_recv() {
            self.pipeline.reload(filter, spans, &mut self.kernel);
            self.reloaded += 1;
        }
    }

    /// Wake-ups are told from when the first process needs it.
    fn watch(&mut self) {
        if std::mem::take(&mut self.kernel.wakes)
            && let Err(error) = self.programs.watch_wakes()
        {
            eprintln!("wirespan: calls of thread pools will have no parent: {}", error.chain());
        }
    }

    /// Leaves the counters where others see them.
    fn publish(&mut self, now: Nanos) {
        if now.since(self.published) < PUBLISH_NS {
            return;
        }
        self.published = now;
        let processes = self.pipeline.processes();
        let shares = self.kernel.finder.ledger().shares(|pid| processes.process(pid, 0));
        self.watch.publish(Snapshot {
            counters: self.pipeline.counters(),
            held: self.pipeline.held(),
            losses: self.reader.losses(),
            interrupted: self.interrupted,
            costs: self.costs.clone(),
            shares,
            reloads: self.reloaded,
        });
    }

    fn seldom(&mut self, now: Nanos) {
        if now.since(self.seldom) < SELDOM_NS {
            return;
        }
        self.seldom = now;
        self.interrupted = self.programs.interrupted(&self.reader.losses());
        self.costs = self.programs.costs();
        // Memory that has been free for a while goes back to the kernel. The allocator looks for such only where a large piece is
        // freed, which an idle daemon never does: it kept what its start had needed. The piece is never touched.
        drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE)));
    }

    /// Says once, when it is first seen, what cannot be seen.
    fn tell(&mut self) {
        if self.told {
            return;
        }
        let bytes = self.pipeline.counters().connections.io_uring;
        if bytes > 0 || self.reader.losses().io_uring > 0 {
            self.told = true;
            eprintln!(
                "wirespan: a program drives its sockets by io_uring: what it sends and receives there is counted but \
                 not read, so spans of it are missing or incomplete (the summary at the end says how many bytes)"
            );
        }
    }

    fn finish(mut self) {
        let clock = Clock { boot: UnixNanos(self.day.now()) };
        let Self { reader, pipeline, kernel, sinks, .. } = &mut self;
        reader.finish(|event| pass(event, clock, pipeline, kernel, sinks));
        pipeline.sweep(reader.now(), clock, kernel);
        pipeline.flush();
        if let Some(recorder) = sinks.recorder.take() {
            recorder.finish(pipeline.processes().told(), reader.now(), &reader.losses());
        }
        self.sinks.give(self.pipeline.take());
        let summary = Summary {
            counters: self.pipeline.counters(),
            unrecognised: self.pipeline.unrecognised(),
            losses: self.reader.losses(),
            interrupted: self.programs.interrupted(&self.reader.losses()),
            ..Summary::default()
        };
        // Nobody listens any more: the daemon is being dropped.
        let _ = self.ended.send(summary);
    }
}

/// One event, to the pipeline and the recorder. What the filters leave out is in no recording.
fn pass(event: &Event<'_>, clock: Clock, pipeline: &mut Pipeline, kernel: &mut Kernel, sinks: &mut Sinks) {
    let wanted = pipeline.event(event, clock, kernel);
    kernel.heard(event, wanted);
    if let Some(recorder) = &mut sinks.recorder
        && wanted
    {
        // What the pipeline asked the host because of this event stands before it: there it is asked again.
        recorder.event(pipeline.processes().told(), event, clock);
    }
}

impl Sinks {
    /// Is somebody still looking?
    fn open(&self) -> bool {
        let looking = self.shown.as_ref().is_none_or(Shown::open) || self.intake.is_some();
        self.recorder.as_ref().map_or(looking, Recorder::open)
    }

    fn give(&self, traces: Vec<Trace>) {
        if traces.is_empty() {
            return;
        }
        if let Some(routes) = &self.routes {
            routes.count(&traces);
        }
        match (&self.shown, &self.intake) {
            (Some(shown), Some(intake)) => {
                intake.offer_all(traces.clone());
                shown.offer(traces);
            }
            (Some(shown), None) => shown.offer(traces),
            (None, Some(intake)) => intake.offer_all(traces),
            (None, None) => {}
        }
    }
}
