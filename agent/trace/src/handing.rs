//! Comes in: wake-ups at futexes. Goes out: for which request a thread works that reads none, and late parents of what it
//! called. What is believed stands in [`crate::handovers`].

use wirespan_span::span::{Key, Nanos, Task};

use crate::{
    evidence::Evidence,
    suspects::Suspect,
    threads::ThreadKey,
    trace::Method,
    traces::{Traces, WakeOrder},
};

/// A hand-over that is believed less says nothing, not even enough for a link.
const LEAST: f32 = 0.4;

impl Traces {
    /// A thread woke another one of its process, which had waited at this futex. Call it between the activities, at its place
    /// in time.
    pub fn woke(&mut self, by: Task, tid: u32, futex: u64, time: Nanos) {
        self.heard(time);
        let (waker, woken) = (ThreadKey::from(by), ThreadKey::thread(by.pid, tid));
        let several = self.habits.of(by.pid).answers_several();
        if !self.handovers.worth(by.pid, several) {
            self.wake_orders.push(WakeOrder { pid: by.pid, told: false });
        }
        match (self.only(waker, time), self.only(woken, time)) {
            (Some(own), Some(theirs)) if own != theirs => self.handovers.contradicts(by.pid, futex),
            (Some(_), Some(_)) => {}
            (None, Some(theirs)) => self.returned(waker, futex, theirs),
            (Some(own), None) => self.handovers.hands(woken, futex, own, time),
            (None, None) => {
                let nodes = &self.nodes;
                let open = |request| nodes.get(&request).is_some_and(|node| node.open());
                self.handovers.passes_on(waker, woken, futex, open);
            }
        }
    }

    /// A program ended, or its process runs another from now on: what was learned of it is not that one's, nor another's that
    /// has its number later.
    pub fn ended(&mut self, pid: u32) {
        self.habits.forget(pid);
        self.tasks.forget(pid);
        self.starts.forget(pid);
        self.handovers.forget(pid);
        self.timing.forget(pid);
    }

    /// The one request that this thread has read and not answered.
    fn only(&self, thread: ThreadKey, time: Nanos) -> Option<Key> {
        let read = |request: &Key| self.nodes.get(request).is_some_and(|node| node.thread == thread);
        self.threads.only(thread).filter(|request| read(request) && self.working(*request, thread.pid, time))
    }

    /// A thread woke one that works on `request`, and may have had the response to a call for that.
    fn returned(&mut self, thread: ThreadKey, futex: u64, request: Key) {
        let rivals = self.habits.of(thread.pid).answers_several();
        let returned = self.handovers.returns(thread, futex, request, rivals);
        if let Some((call, confidence)) = returned.filter(|(_, sure)| *sure >= self.settings.min_confidence) {
            self.handovers.explained(thread.pid);
            self.suspects.settle(call, request);
            self.place_late(call, request, Method::Handoff, confidence);
        }
    }

    /// The request that a thread was handed the work for. Of one that was made for a request its birth tells.
    pub(crate) fn by_handover(&mut self, task: Task, time: Nanos) -> Option<Evidence> {
        let thread = ThreadKey::from(task);
        if self.lineage.of(thread).is_some() {
            return None;
        }
        let (server, confidence) = self.handovers.work(thread, time)?;
        let tells = confidence >= LEAST && self.working(server, task.pid, time);
        tells.then(|| Evidence::new(server, Method::Handoff, confidence))
    }

    /// The requests that a call may be for: by what its thread or process had read, or by what was put into a queue.
    pub(crate) fn may_be_for(&mut self, task: Task, time: Nanos) -> Option<Vec<Suspect>> {
        self.suspects(task, time).or_else(|| {
            let handed = self.handovers.suspects(task.into(), time)?.into_iter();
            let open = handed.filter(|(request, _)| self.working(*request, task.pid, time));
            let suspects = open.map(|(request, read)| Suspect { request, read, call: None });
            Some(suspects.collect()).filter(|suspects: &Vec<_>| !suspects.is_empty())
        })
    }
}
