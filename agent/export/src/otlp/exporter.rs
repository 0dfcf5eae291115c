//! The exporter's task. Comes in: traces from any thread. Goes out: requests, several at a time, retried until they
//! arrive, are refused, or the time is up. Refuses: making the caller wait.

use std::{
    future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Notify, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use super::{
    counters::{Counters, Snapshot, add},
    delays::{Delays, Histogram},
    message,
    notice::{Kind, Notices},
    queue::{Batch, Due, Queue, later},
    retry::Backoff,
    settings::{Settings, SettingsError},
    transport::{Accepted, Failure, Transport},
};
use crate::{trace::Trace, written::Written};

/// Sends traces to one OTLP endpoint, in the background.
#[derive(Debug)]
pub struct Exporter {
    intake: Intake,
    task: JoinHandle<()>,
}

/// What the stages before hold: takes traces without waiting. Clones feed the same exporter.
#[derive(Clone)]
pub struct Intake {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

/// What became of everything, at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The last values of the counters.
    pub counters: Snapshot,
    /// Was everything settled before the deadline?
    pub complete: bool,
}

struct Shared {
    settings: Settings,
    transport: Transport,
    queue: Mutex<Queue>,
    /// How the parts of requests look that come again and again.
    written: Mutex<Written>,
    /// Signalled for every trace that arrives and at the end.
    arrived: Notify,
    /// The deadline, once the end has begun.
    ending: watch::Sender<Option<Instant>>,
    closed: AtomicBool,
    counters: Counters,
    delays: Histogram,
    notices: Notices,
}

impl Exporter {
    /// Reads certificates and starts the task. `say` is given lines for the user, at most a few a minute; it must
    /// not block. The endpoint need not be there yet.
    ///
    /// # Errors
    /// When the settings cannot work; the error says what to change.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time and I/O enabled.
    pub fn start(
        settings: &Settings,
        say: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, SettingsError> {
        let shared = Arc::new(Shared {
            settings: settings.clone(),
            transport: Transport::new(settings)?,
            queue: Mutex::default(),
            written: Mutex::default(),
            arrived: Notify::new(),
            ending: watch::Sender::new(None),
            closed: AtomicBool::new(false),
            counters: Counters::default(),
            delays: Histogram::default(),
            notices: Notices::new(say),
        });
        let task = tokio::spawn(run(Arc::clone(&shared)));
        Ok(Self { intake: Intake { shared }, task })
    }

    /// A handle for the stage before.
    #[must_use]
    pub fn intake(&self) -> Intake {
        self.intake.clone()
    }

    /// See [`Intake::offer`].
    pub fn offer(&self, trace: Trace) {
        self.intake.offer(trace);
    }

    /// What became of the spans so far.
    #[must_use]
    pub fn counters(&self) -> Snapshot {
        self.intake.counters()
    }

    /// Takes no more traces, sends what waits, and ends after at most `deadline`. Requests that wait for a retry
    /// are tried at once, except where the server named a time.
    pub async fn shutdown(self, deadline: Duration) -> Report {
        self.shutdown_unless(deadline, future::pending()).await
    }

    /// The same, until nobody wants to wait any longer.
    pub async fn shutdown_unless(mut self, deadline: Duration, enough: impl Future<Output = ()>) -> Report {
        self.intake.shared.close(later(Instant::now(), deadline));
        tokio::select! {
            // An error is a panic of the task, whose message the runtime has printed; the counters tell what it cost.
            _panicked = &mut self.task => {}
            () = enough => self.task.abort(),
        }
        let shared = &self.intake.shared;
        let left = shared.counters.snapshot().spans_waiting();
        add(&shared.counters.spans_abandoned, left);
        Report { counters: shared.counters.snapshot(), complete: left == 0 }
    }
}

/// Without a shutdown the task ends here, and what waits is gone with its counters.
impl Drop for Exporter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Intake {
    /// See [`offer_all`](Self::offer_all).
    pub fn offer(&self, trace: Trace) {
        self.offer_all(vec![trace]);
    }

    /// Queues traces; never waits. When the queue is full the oldest waiting traces are dropped and counted.
    pub fn offer_all(&self, traces: Vec<Trace>) {
        let Shared { counters, settings, notices, .. } = self.shared.as_ref();
        let spans: usize = traces.iter().map(|trace| trace.spans.len()).sum();
        if spans == 0 {
            return;
        }
        // Counted under the queue's lock, so that the sums of a shutdown agree.
        let mut queue = self.shared.queue();
        add(&counters.spans_offered, spans as u64);
        if self.shared.closed.load(Ordering::Relaxed) {
            add(&counters.spans_abandoned, spans as u64);
            return;
        }
        let now = Instant::now();
        let whole = traces.into_iter().filter(|trace| !trace.spans.is_empty());
        let dropped: usize = whole.map(|trace| queue.push(trace, &settings.limits, now)).sum();
        add(&counters.spans_overflowed, dropped as u64);
        drop(queue);
        if dropped > 0 {
            notices.say(Kind::Overflowed, || {
                format!("spans dropped ({dropped}), queue full: is the endpoint there and fast enough?")
            });
        }
        self.shared.arrived.notify_one();
    }

    /// What became of the spans so far.
    #[must_use]
    pub fn counters(&self) -> Snapshot {
        self.shared.counters.snapshot()
    }

    /// How long spans took from their end to the endpoint's acknowledgement.
    #[must_use]
    pub fn delays(&self) -> Delays {
        self.shared.delays.snapshot()
    }
}

impl Shared {
    /// A panic while it was locked leaves a queue that is still in order: poison does not matter.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request that carries a batch. A panic while it was locked leaves no place that is only half written.
    fn encode(&self, batch: &Batch) -> Vec<u8> {
        message::request(&batch.traces, &mut self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn close(&self, deadline: Instant) {
        {
            // Under the queue's lock, so that no trace slips in after the last look.
            let _queue = self.queue();
            self.closed.store(true, Ordering::Relaxed);
        }
        self.ending.send_replace(Some(deadline));
        self.arrived.notify_one();
    }

    /// Waits until a batch is due; `None` at the end.
    async fn next_batch(&self) -> Option<Batch> {
        loop {
            let ending = self.ending.borrow().is_some();
            match self.due() {
                Due::Never if ending => return None,
                Due::Never => self.arrived.notified().await,
                Due::At(at) if !ending => {
                    // Too early: either the time comes or more traces do.
                    let _elapsed = tokio::time::timeout_at(at, self.arrived.notified()).await;
                }
                Due::Now | Due::At(_) => return Some(self.queue().take(&self.settings.limits)),
            }
        }
    }

    fn due(&self) -> Due {
        self.queue().due(&self.settings.limits, Instant::now())
    }

    /// Ends when the deadline of the shutdown has passed.
    async fn deadline(&self) {
        let mut ending = self.ending.subscribe();
        let at = ending.wait_for(Option::is_some).await.ok().and_then(|at| *at);
        match at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Waits before a retry. A shutdown cuts it short, once, unless the server named the time.
    async fn pause(&self, pause: Duration, asked: bool) {
        let mut ending = self.ending.subscribe();
        if asked || ending.borrow().is_some() {
            tokio::time::sleep(pause).await;
        } else {
            let _begun = timeout(pause, ending.wait_for(Option::is_some)).await;
        }
    }
}

/// Lives until everything is sent or the deadline of the shutdown has passed.
async fn run(shared: Arc<Shared>) {
    let mut flights = JoinSet::new();
    tokio::select! {
        () = pump(&shared, &mut flights) => {}
        () = shared.deadline() => {}
    }
    flights.shutdown().await;
}

async fn pump(shared: &Arc<Shared>, flights: &mut JoinSet<()>) {
    loop {
        while flights.len() >= shared.settings.limits.requests.max(1) {
            flights.join_next().await;
        }
        let Some(batch) = shared.next_batch().await else { break };
        flights.spawn(deliver(Arc::clone(shared), batch));
    }
    while flights.join_next().await.is_some() {}
}

/// Sends one batch until its fate is known.
async fn deliver(shared: Arc<Shared>, batch: Batch) {
    let Shared { counters, settings, transport, .. } = shared.as_ref();
    let ends: Vec<_> =
        batch.traces.iter().flat_map(|trace| &trace.spans).map(|span| span.span.end.0).collect();
    let body = transport.body(shared.encode(&batch));
    drop(batch);
    let spans = ends.len() as u64;
    let mut backoff = Backoff::new(&settings.limits);
    let begun = Instant::now();
    loop {
        add(&counters.requests_sent, 1);
        add(&counters.bytes_sent, body.len() as u64);
        let answer = timeout(settings.timeout, transport.send(body.clone())).await;
        let (after, message) = match answer.unwrap_or_else(|_| Err(too_late(settings.timeout))) {
            Ok(accepted) => return shared.accept(&ends, &accepted),
            Err(Failure::Permanent(message)) => return shared.refuse(spans, &message),
            Err(Failure::Transient { after, message }) => (after, message),
        };
        add(&counters.requests_retriable, 1);
        let pause = backoff.pause(after);
        if begun.elapsed().saturating_add(pause) > settings.limits.give_up {
            return shared.expire(spans, &message);
        }
        shared.notices.say(Kind::Retried, || format!("{message}; will try again"));
        shared.pause(pause, after.is_some()).await;
    }
}

fn too_late(limit: Duration) -> Failure {
    let message = format!("no answer within {limit:?}");
    Failure::Transient { after: None, message }
}

impl Shared {
    fn accept(&self, ends: &[u64], accepted: &Accepted) {
        self.delays.acknowledged(ends, SystemTime::now());
        let spans = ends.len() as u64;
        let rejected = accepted.rejected.min(spans);
        add(&self.counters.spans_exported, spans - rejected);
        add(&self.counters.spans_rejected, rejected);
        if rejected > 0 || !accepted.message.is_empty() {
            let text = || format!("the endpoint rejected {rejected} of {spans} spans: {}", accepted.message);
            self.notices.say(Kind::Rejected, text);
        }
    }

    fn refuse(&self, spans: u64, message: &str) {
        add(&self.counters.spans_refused, spans);
        self.notices.say(Kind::Refused, || format!("spans dropped ({spans}), refused: {message}"));
    }

    fn expire(&self, spans: u64, message: &str) {
        add(&self.counters.spans_expired, spans);
        self.notices.say(Kind::Expired, || format!("spans dropped ({spans}), gave up retrying: {message}"));
    }
}
