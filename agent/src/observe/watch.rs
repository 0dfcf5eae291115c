//! The place where the capture thread leaves what it counted, and where everybody else looks. Comes in: a [`Snapshot`] a
//! few times a second. Goes out: the latest one and its age. Refuses: making the capture thread wait for a reader.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use wirespan_export::otlp::Intake;
use wirespan_kernel::{Cost, Losses, Plan};

use super::shares::Shares;
use crate::{
    daemon::Backlog,
    pipeline::{Counters, Held},
};

/// A capture thread that has said nothing for so long hangs: it speaks several times a second, idle or not.
const HANGS: Duration = Duration::from_secs(5);

/// Everything that the capture thread knows, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Of every stage.
    pub counters: Counters,
    /// What the stages hold.
    pub held: Held,
    /// Of the rings.
    pub losses: Losses,
    /// Times that the kernel left a program out ([`wirespan_kernel::Programs::interrupted`]).
    pub interrupted: u64,
    /// Of each kernel program.
    pub costs: Vec<Cost>,
    /// Of each process.
    pub shares: Shares,
    /// Times that new filters and redaction took effect.
    pub reloads: u64,
}

/// What stays the same while the daemon runs.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The attach plan.
    pub plan: Plan,
    /// Kernel programs and the tracepoints they are attached to.
    pub hooks: Vec<(&'static str, &'static str)>,
    /// Spans that wait at most for the exporter or the terminal.
    pub queue_spans: u32,
    /// Spans that are open or wait for the rest of their trace, at most.
    pub open_spans: u32,
}

struct Latest {
    snapshot: Snapshot,
    at: Instant,
}

/// Where it is left and looked at.
pub struct Watch {
    /// What stays the same.
    pub setup: Setup,
    latest: Mutex<Latest>,
    exporter: Option<Intake>,
    terminal: Option<Backlog>,
    refused: AtomicU64,
}

impl Watch {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(setup: Setup, exporter: Option<Intake>, terminal: Option<Backlog>) -> Self {
        let latest = Mutex::new(Latest { snapshot: Snapshot::default(), at: Instant::now() });
        Self { setup, latest, exporter, terminal, refused: AtomicU64::new(0) }
    }

    /// Leaves a snapshot, unless somebody is looking just now: then the next one will do.
    pub fn publish(&self, snapshot: Snapshot) {
        if let Ok(mut latest) = self.latest.try_lock() {
            *latest = Latest { snapshot, at: Instant::now() };
        }
    }

    /// The latest snapshot, and how old it is.
    #[must_use]
    pub fn latest(&self) -> (Snapshot, Duration) {
        let latest = self.locked();
        (latest.snapshot.clone(), latest.at.elapsed())
    }

    /// Does the capture thread go round?
    #[must_use]
    pub fn alive(&self) -> bool {
        self.locked().at.elapsed() < HANGS
    }

    /// A configuration could not be used and the old one stayed.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// How often that happened.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// The way to the exporter, where there is one.
    #[must_use]
    pub fn exporter(&self) -> Option<&Intake> {
        self.exporter.as_ref()
    }

    /// What waits for the terminal, where there is one.
    #[must_use]
    pub fn terminal(&self) -> Option<&Backlog> {
        self.terminal.as_ref()
    }

    /// A panic while it was locked leaves a snapshot that is whole: poison does not matter.
    fn locked(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn watch() -> Watch {
        let hooks = vec![("ws_sock_send", "sock_send_length")];
        let setup = Setup { plan: Plan::Sock, hooks, queue_spans: 100, open_spans: 1000 };
        Watch::new(setup, None, None)
    }

    #[test]
    fn the_latest_is_seen() {
        let watch = watch();
        assert!(watch.alive());
        watch.publish(Snapshot { reloads: 3, ..Snapshot::default() });
        assert_eq!(watch.latest().0.reloads, 3);
    }

    #[test]
    fn a_reader_does_not_hold_up_the_capture_thread() {
        let watch = watch();
        let looking = watch.locked();
        watch.publish(Snapshot { reloads: 3, ..Snapshot::default() });
        drop(looking);
        assert_eq!(watch.latest().0.reloads, 0, "left out, not waited for");
    }
}
