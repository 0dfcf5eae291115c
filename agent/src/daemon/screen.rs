//! The thread that writes spans to the terminal, a file or a pipe. It may block for as long as its reader likes; the
//! capture thread does not: what does not fit into the queue is dropped and counted.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use wirespan_export::terminal::Terminal;
use wirespan_trace::trace::Trace;

use super::Display;

/// Counts and state that both sides see.
#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicU64,
    dropped: AtomicU64,
    closed: AtomicBool,
}

/// The capture thread's handle.
#[derive(Clone)]
pub struct Shown {
    /// `None` is the end: whoever watches the daemon's counters has a handle, too, and may keep it for longer.
    queue: mpsc::Sender<Option<Vec<Trace>>>,
    shared: Arc<Shared>,
    limit: u64,
}

/// What waits to be written, and what was not.
#[derive(Clone, Debug)]
pub struct Backlog(Arc<Shared>);

impl Backlog {
    /// Spans that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Spans that were dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

/// The thread's owner.
pub(super) struct Screen {
    shown: Shown,
    thread: thread::JoinHandle<()>,
}

impl Screen {
    /// Starts writing. At most `limit` spans wait.
    pub(super) fn start(display: Display, limit: u32) -> Self {
        let (queue, traces) = mpsc::channel();
        let shared = Arc::<Shared>::default();
        let shown = Shown { queue, shared: Arc::clone(&shared), limit: u64::from(limit) };
        let thread = thread::spawn(move || write(display, &traces, &shared));
        Self { shown, thread }
    }

    /// A handle for the capture thread.
    pub(super) fn shown(&self) -> Shown {
        self.shown.clone()
    }

    /// Writes what waits, and ends. Gives the number of spans that were dropped.
    pub(super) fn finish(self) -> u64 {
        let Self { shown, thread } = self;
        // A thread that has ended needs not be told.
        let _ = shown.queue.send(None);
        // The thread panics only if a writer does; its message is out already.
        let _ = thread.join();
        shown.backlog().dropped()
    }
}

fn write(display: Display, traces: &mpsc::Receiver<Option<Vec<Trace>>>, shared: &Shared) {
    let mut terminal = Terminal::new(display.to, display.output, display.color);
    for batch in traces.iter().map_while(|batch| batch) {
        let written = terminal.write(&batch);
        shared.waiting.fetch_sub(spans(&batch), Ordering::Relaxed);
        match written {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => break,
            Err(error) => {
                eprintln!("wirespan: cannot write spans: {error}; capture goes on without showing them");
                break;
            }
        }
    }
    shared.closed.store(true, Ordering::Relaxed);
}

fn spans(traces: &[Trace]) -> u64 {
    traces.iter().map(|trace| trace.spans.len() as u64).sum()
}

impl Shown {
    /// Hands traces over, or drops and counts them.
    pub(super) fn offer(&self, traces: Vec<Trace>) {
        let count = spans(&traces);
        let waiting = self.shared.waiting.fetch_add(count, Ordering::Relaxed);
        if waiting + count > self.limit || self.queue.send(Some(traces)).is_err() {
            self.shared.waiting.fetch_sub(count, Ordering::Relaxed);
            self.shared.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// A look at the counts, for whoever hands nothing over.
    pub(super) fn backlog(&self) -> Backlog {
        Backlog(Arc::clone(&self.shared))
    }

    /// Is somebody still reading?
    pub(super) fn open(&self) -> bool {
        !self.shared.closed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use wirespan_export::terminal::Output;

    use super::*;

    #[test]
    fn the_end_does_not_wait_for_those_who_watch() {
        let display = Display { output: Output::Line, color: false, to: Box::new(std::io::sink()) };
        let screen = Screen::start(display, 9);
        let watching = screen.shown();
        assert_eq!(screen.finish(), 0);
        assert!(!watching.open());
    }
}
