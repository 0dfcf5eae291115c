//! Operations that wait for their ends, of all channels of a connection. Comes in: what began, and what was settled.
//! Goes out: closed exchanges. Refuses: more than the setting allows; the oldest of its kind ends as lost.

use std::collections::BTreeMap;

use super::operation::Operation;
use crate::{
    event::Nanos,
    exchange::{Ending, Outcome},
    protocol::{Extent, Scene},
};

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The answer to a question, in order.
    Call,
    /// The broker's confirmation, by its number.
    Publish,
    /// The consumer's settlement, by its tag.
    Delivery,
}

/// Channel, kind, and place among those of its kind.
type Place = (u16, Kind, u64);

/// Operations by channel, kind and number.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    operations: BTreeMap<Place, Operation>,
    calls: u64,
}

impl Waiting {
    /// A question was asked.
    pub(super) fn call(&mut self, channel: u16, operation: Operation, scene: &mut Scene<'_>) {
        self.calls += 1;
        self.hold(channel, Kind::Call, self.calls, operation, scene);
    }

    /// Holds an operation until it is ended by its number.
    pub(super) fn hold(
        &mut self,
        channel: u16,
        kind: Kind,
        number: u64,
        operation: Operation,
        scene: &mut Scene<'_>,
    ) {
        if self.operations.len() >= scene.settings.max_pending.max(1) {
            let first = self.first(channel, kind).or_else(|| self.operations.keys().next().copied());
            self.close(first, Ending::Lost, Nanos::default(), scene);
        }
        if let Some(before) = self.operations.insert((channel, kind, number), operation) {
            before.close(Ending::Lost, Nanos::default(), scene);
        }
    }

    fn first(&self, channel: u16, kind: Kind) -> Option<Place> {
        self.places(channel, kind, u64::MAX).next()
    }

    fn places(&self, channel: u16, kind: Kind, last: u64) -> impl Iterator<Item = Place> + '_ {
        self.operations.range((channel, kind, 0)..=(channel, kind, last)).map(|(place, _)| *place)
    }

    fn close(&mut self, place: Option<Place>, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if let Some(operation) = place.and_then(|place| self.operations.remove(&place)) {
            operation.close(ending, now, scene);
        }
    }

    /// The question whose answer comes next on a channel.
    pub(super) fn front(&mut self, channel: u16) -> Option<&mut Operation> {
        let place = self.first(channel, Kind::Call)?;
        self.operations.get_mut(&place)
    }

    /// Its answer is complete.
    pub(super) fn answered(&mut self, channel: u16, scene: &mut Scene<'_>) {
        let place = self.first(channel, Kind::Call);
        self.close(place, Ending::Answered, Nanos::default(), scene);
    }

    /// The published messages that wait on a channel, oldest first.
    pub(super) fn published(&mut self, channel: u16) -> impl Iterator<Item = &mut Operation> {
        let places = (channel, Kind::Publish, 0)..=(channel, Kind::Publish, u64::MAX);
        self.operations.range_mut(places).map(|(_, operation)| operation)
    }

    /// One message is settled, or all up to it. Says how many there were.
    pub(super) fn settle(
        &mut self,
        channel: u16,
        kind: Kind,
        (number, multiple): (u64, bool),
        outcome: &Outcome,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) -> usize {
        let first = if multiple { 0 } else { number };
        // 0 with `multiple` means all (specification of basic.ack).
        let last = if multiple && number == 0 { u64::MAX } else { number };
        let range = (channel, kind, first)..=(channel, kind, last);
        let settled: Vec<_> = self.operations.range(range).map(|(place, _)| *place).collect();
        for place in &settled {
            let Some(mut operation) = self.operations.remove(place) else { continue };
            operation.answered(extent, scene);
            if operation.outcome == Outcome::Unset {
                operation.outcome = outcome.clone();
            }
            operation.close(Ending::Answered, Nanos::default(), scene);
        }
        settled.len()
    }

    /// A channel was closed, or the whole connection (`None`): what waits there has failed, all or one kind. Says how many did.
    pub(super) fn fail(
        &mut self,
        (channel, kind): (Option<u16>, Option<Kind>),
        outcome: &Outcome,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) -> usize {
        let here = |place: &&Place| {
            channel.is_none_or(|channel| channel == place.0) && kind.is_none_or(|kind| kind == place.1)
        };
        let places: Vec<_> = self.operations.keys().filter(here).copied().collect();
        let mut failed = 0;
        for place in places {
            let Some(mut operation) = self.operations.remove(&place) else { continue };
            let ending = match (outcome, place.1) {
                // What a consumer has not settled goes back to its queue: nothing went wrong.
                (Outcome::Unset, Kind::Delivery) => Ending::Answered,
                (Outcome::Unset, _) | (_, Kind::Delivery) => Ending::Closed,
                (Outcome::Error(..), _) => {
                    operation.answered(extent, scene);
                    operation.outcome = outcome.clone();
                    failed += 1;
                    Ending::Answered
                }
            };
            operation.close(ending, extent.last.time, scene);
        }
        failed
    }

    /// Answers of a kind may have been lost.
    pub(super) fn doubt(&mut self, kind: Kind) {
        let concerned = self.operations.iter_mut().filter(|(place, _)| place.1 == kind);
        concerned.for_each(|(_, operation)| operation.doubtful = true);
    }

    /// Ends the questions that nobody can tell apart any more.
    pub(super) fn lose_calls(&mut self, scene: &mut Scene<'_>) {
        let calls: Vec<_> = self.operations.keys().filter(|place| place.1 == Kind::Call).copied().collect();
        calls.into_iter().for_each(|place| self.close(Some(place), Ending::Lost, Nanos::default(), scene));
    }

    /// Ends what nobody answered in time. A consumer may work on a message as long as it likes.
    pub(super) fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let limit = scene.settings.request_timeout_ns;
        let late = |(place, operation): &(&Place, &Operation)| {
            let silent = operation.response.is_none() && now.since(operation.request.last.time) >= limit;
            place.1 != Kind::Delivery && silent
        };
        let places: Vec<_> = self.operations.iter().filter(late).map(|(place, _)| *place).collect();
        places.into_iter().for_each(|place| self.close(Some(place), Ending::TimedOut, now, scene));
    }

    /// Ends everything.
    pub(super) fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        for (_, operation) in std::mem::take(&mut self.operations) {
            operation.close(ending, now, scene);
        }
    }
}
