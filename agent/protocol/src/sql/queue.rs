//! Comes in: requests in order, responses in the same order, losses. Goes out: exchanges. Refuses: a pair that may be
//! wrong: after a loss, what cannot be told apart ends as lost until the connection is at rest.

use std::collections::VecDeque;

use super::pending::Pending;
use crate::{
    event::Nanos,
    exchange::Ending,
    protocol::{Extent, Scene},
};

/// Names a request of the connection: the first one is 0.
pub(crate) type Number = u64;

/// Requests that wait for responses, oldest first.
pub(crate) struct Queue<W> {
    waiting: VecDeque<Pending<W>>,
    /// Number of the first of them.
    first: Number,
    /// Messages may have been lost: what follows cannot be paired for certain.
    doubt: bool,
    /// Does this client ask again before it was answered?
    pub(crate) pipelines: bool,
    /// Newest byte seen.
    latest: Nanos,
}

impl<W> Queue<W> {
    /// Begins in doubt where bytes were lost before the protocol was recognised.
    pub(crate) const fn new(doubt: bool) -> Self {
        Self { waiting: VecDeque::new(), first: 0, doubt, pipelines: false, latest: Nanos(0) }
    }

    /// A request begins now: doubts end when nothing is on its way; and more requests than may wait end as lost.
    pub(crate) fn settle(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let quiet = !self.pipelines || now.since(self.latest) >= scene.settings.quiet_ns;
        self.doubt &= !(self.waiting.is_empty() && quiet);
        if self.waiting.len() >= scene.settings.max_pending.max(1) {
            self.lose(scene);
        }
    }

    /// Takes a request that was opened.
    pub(crate) fn push(&mut self, mut pending: Pending<W>) -> Number {
        pending.doubtful = self.doubt;
        self.latest = self.latest.max(pending.seen());
        self.waiting.push_back(pending);
        self.first + self.waiting.len() as u64 - 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The oldest.
    pub(crate) fn front(&mut self) -> Option<&mut Pending<W>> {
        self.waiting.front_mut()
    }

    /// The newest.
    pub(crate) fn back(&mut self) -> Option<&mut Pending<W>> {
        self.waiting.back_mut()
    }

    /// The one of this number, if it still waits.
    pub(crate) fn get(&mut self, number: Number) -> Option<&mut Pending<W>> {
        let place = number.checked_sub(self.first)?;
        self.waiting.get_mut(usize::try_from(place).ok()?)
    }

    /// Number of the first that satisfies `wanted`.
    pub(crate) fn find(&self, wanted: impl Fn(&Pending<W>) -> bool) -> Option<Number> {
        self.waiting.iter().position(wanted).map(|place| self.first + place as u64)
    }

    /// Number of the newest.
    pub(crate) fn newest(&self) -> Option<Number> {
        self.waiting.len().checked_sub(1).map(|place| self.first + place as u64)
    }

    /// All that wait.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pending<W>> {
        self.waiting.iter()
    }

    /// Bytes of a message that were not looked at.
    pub(crate) fn pass(&mut self, number: Number, response: bool, extent: &Extent) {
        self.latest = self.latest.max(extent.last.time);
        match self.get(number) {
            Some(pending) if response => pending.passed(extent),
            Some(pending) => pending.asked(extent),
            None => {}
        }
    }

    /// The oldest ends.
    pub(crate) fn end_front(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if let Some(mut pending) = self.waiting.pop_front() {
            self.first += 1;
            self.latest = self.latest.max(pending.seen());
            pending.close(ending, now, scene);
        }
    }

    /// Requests may have been lost: those that wait keep their places, later ones are doubtful.
    pub(crate) const fn doubt(&mut self) {
        self.doubt = true;
    }

    /// Responses may have been lost: nobody knows which request the next one answers.
    pub(crate) fn lose(&mut self, scene: &mut Scene<'_>) {
        self.doubt = true;
        self.end_all(Ending::Lost, Nanos::default(), scene);
    }

    pub(crate) fn end_all(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        while !self.is_empty() {
            self.end_front(ending, now, scene);
        }
    }

    /// Has the newest byte of what waits longest come too long ago?
    pub(crate) fn silent(&self, now: Nanos, scene: &Scene<'_>) -> bool {
        self.waiting.front().is_some_and(|pending| silent(pending, now, scene))
    }

    /// Ends those without a response after the configured time; they keep their places.
    pub(crate) fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        for pending in &mut self.waiting {
            if !pending.is_answered() && silent(pending, now, scene) {
                pending.close(Ending::TimedOut, now, scene);
            }
        }
    }
}

fn silent<W>(pending: &Pending<W>, now: Nanos, scene: &Scene<'_>) -> bool {
    now.since(pending.seen()) >= scene.settings.request_timeout_ns
}
