//! Comes in: calls that may be for one of several requests, and what becomes known of these. Goes out: calls for which one is
//! left. Refuses: calls with too many of them. What is believed stands in [`crate::remaining`].
//!
//! Who waits for what it calls answers no request while a call for that is not answered. And who goes through its work in order
//! calls in the order in which it had read, or numbers its tasks so.

use rustc_hash::FxHashMap;
use wirespan_span::span::{Key, Nanos};

use crate::{evidence::Word, threads::ThreadKey};

/// Requests that one call may be for; where there are more, nothing is looked for.
const MAX_SUSPECTS: usize = 32;

/// Calls that are looked at.
const MAX_CALLS: usize = 16_384;

/// Calls that one request may be suspected of, and calls in one order.
const MAX_TOGETHER: usize = 256;

/// A request that a call may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suspect {
    pub(crate) request: Key,
    /// When what may have led to the call was read last: the request itself, or the response to a call for it.
    pub(crate) read: Nanos,
    /// The call, if that was a response.
    pub(crate) call: Option<Key>,
}

/// In which order calls may follow what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As they are made, between two sleeps of their thread.
    Turn,
    /// As the tasks that make them are numbered, each its first.
    Number,
}

impl Order {
    pub(crate) const ALL: [Self; 2] = [Self::Turn, Self::Number];
}

/// Calls that an order may hold for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    /// A thread, and how often it had slept.
    Turn(ThreadKey, u32),
    /// A process.
    Numbers(u32),
}

impl Line {
    pub(crate) const fn order(self) -> Order {
        match self {
            Self::Turn(..) => Order::Turn,
            Self::Numbers(_) => Order::Number,
        }
    }
}

/// What a thread says of its call, where its process had just read for others as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) request: Key,
    pub(crate) word: Word,
    /// Was it believed?
    pub(crate) believed: bool,
    /// Is it to be, if nothing speaks against it until the request is answered?
    pub(crate) likely: bool,
}

#[derive(Debug)]
struct Call {
    suspects: Vec<Suspect>,
    /// What its thread says.
    said: Option<Said>,
    /// Of them, those that are open.
    open: usize,
    /// Has its response come?
    responded: bool,
    /// Is it known for whom?
    known: bool,
    /// Only by an order?
    by_order: bool,
    /// Its place in each line that it stands in.
    places: Vec<(Line, u64)>,
}

impl Call {
    /// The one that is left.
    fn sole(&self) -> Option<Suspect> {
        match self.suspects.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// Is it known for whom, and without any order?
    const fn witness(&self) -> bool {
        self.known && !self.by_order
    }

    fn place(&self, line: Line) -> Option<u64> {
        self.places.iter().find(|(own, _)| *own == line).map(|(_, place)| *place)
    }
}

/// A call, and the request that is left for it.
pub(crate) type Settled = (Key, Key);

/// Calls that may be for several requests, and those beside them that are known. Bounded.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    calls: FxHashMap<Key, Call>,
    of_request: FxHashMap<Key, Vec<Key>>,
    lines: FxHashMap<Line, Vec<Key>>,
    /// Calls that became known, of which the others in their lines have not heard.
    news: Vec<Key>,
    /// Calls so far.
    count: u64,
}

impl Suspects {
    /// The place of the next call among all.
    pub(crate) const fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// A call is made that may be for one of these.
    pub(crate) fn add(
        &mut self,
        call: Key,
        suspects: Vec<Suspect>,
        said: Option<Said>,
        places: Vec<(Line, u64)>,
    ) {
        let full = |suspect: &Suspect| {
            self.of_request.get(&suspect.request).is_some_and(|calls| calls.len() >= MAX_TOGETHER)
        };
        if self.calls.len() >= MAX_CALLS
            || suspects.len() > MAX_SUSPECTS
            || self.calls.contains_key(&call)
            || suspects.iter().any(full)
        {
            return;
        }
        for suspect in &suspects {
            self.of_request.entry(suspect.request).or_default().push(call);
        }
        for (line, _) in &places {
            let line = self.lines.entry(*line).or_default();
            if line.len() < MAX_TOGETHER {
                line.push(call);
            }
        }
        let open = suspects.len();
        let (responded, known, by_order) = Default::default();
        let new = Call { suspects, said, open, responded, known, by_order, places };
        self.calls.insert(call, new);
    }

    /// Whom a call may be for.
    pub(crate) fn of(&self, call: Key) -> Option<&[Suspect]> {
        self.calls.get(&call).map(|call| call.suspects.as_slice())
    }

    /// Of a call that is known: the request.
    pub(crate) fn sole(&self, call: Key) -> Option<Suspect> {
        self.calls.get(&call)?.sole()
    }

    /// What the thread said of this call that is known now, and whether that was right.
    pub(crate) fn said(&self, call: Key) -> Option<(Word, bool)> {
        let call = self.calls.get(&call).filter(|call| call.witness())?;
        let said = call.said.filter(|said| !said.believed)?;
        Some((said.word, call.sole()?.request == said.request))
    }

    /// Of the calls that threads said were for this request, which is answered now, and that were believed: were they answered?
    pub(crate) fn believed(&self, request: Key) -> impl Iterator<Item = (Word, bool)> {
        let calls = self.of_request.get(&request).into_iter().flatten();
        calls.filter_map(move |call| {
            let call = self.calls.get(call)?;
            let said = call.said.filter(|said| said.believed && said.request == request)?;
            Some((said.word, call.responded))
        })
    }

    /// The response to a call has come.
    pub(crate) fn responded(&mut self, call: Key) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.responded = true;
        }
    }

    /// A request is being answered: calls that were not are not for it. Gives those for which one is left now.
    pub(crate) fn answers(&mut self, request: Key) -> Vec<Settled> {
        let Some(calls) = self.of_request.get(&request) else { return Vec::new() };
        let mut settled = Vec::new();
        for name in calls {
            let Some(call) = self.calls.get_mut(name).filter(|call| !call.responded) else { continue };
            if call.suspects.len() < 2 {
                continue;
            }
            let before = call.suspects.len();
            call.suspects.retain(|suspect| suspect.request != request);
            call.open = call.open.saturating_sub(before - call.suspects.len());
            settled.extend(call.sole().map(|left| (*name, left.request)));
        }
        settled
    }

    /// A request makes no more calls: those of which nobody knows for whom they are are not for it. Gives those for which one is
    /// left now.
    pub(crate) fn excludes(&mut self, request: Key) -> Vec<Settled> {
        let Some(calls) = self.of_request.get(&request) else { return Vec::new() };
        let mut settled = Vec::new();
        for name in calls {
            let Some(call) = self.calls.get_mut(name).filter(|call| call.suspects.len() > 1) else {
                continue;
            };
            let before = call.suspects.len();
            call.suspects.retain(|suspect| suspect.request != request);
            call.open = call.open.saturating_sub(before - call.suspects.len());
            if let Some(left) = call.sole().filter(|_| call.suspects.len() < before) {
                (call.known, call.by_order) = (true, true);
                settled.push((*name, left.request));
            }
        }
        settled
    }

    /// Calls that were answered before this request is, and whose threads spoke for it: nothing speaks against it.
    pub(crate) fn agrees(&mut self, request: Key) -> Vec<Key> {
        let calls = self.of_request.get(&request).into_iter().flatten();
        let agree = calls.filter(|name| {
            let Some(call) = self.calls.get_mut(name) else { return false };
            let agrees = call.responded
                && call.suspects.len() > 1
                && call.said.is_some_and(|said| said.likely && said.request == request);
            call.by_order |= agrees;
            agrees
        });
        agree.copied().collect()
    }

    /// It is known for whom a call was, and by no order.
    pub(crate) fn settle(&mut self, call: Key, request: Key) {
        let Some(known) = self.calls.get_mut(&call) else { return };
        let Some(suspect) = known.suspects.iter().find(|suspect| suspect.request == request).copied() else {
            return;
        };
        if !std::mem::replace(&mut known.known, true) {
            known.suspects = vec![suspect];
            known.open = 1;
            self.news.push(call);
        }
    }

    /// The next call that became known.
    pub(crate) fn news(&mut self) -> Option<Key> {
        self.news.pop()
    }

    /// Are a call and the ones beside it whose request is known in order? Says so of each order.
    pub(crate) fn examples(&self, call: Key) -> Vec<(Order, bool)> {
        let mut examples = Vec::new();
        let Some(known) = self.calls.get(&call).filter(|call| call.witness()) else { return examples };
        let Some(own) = known.sole() else { return examples };
        for (line, place) in &known.places {
            let others = self.lines.get(line).into_iter().flatten().filter_map(|name| {
                let other = self.calls.get(name).filter(|other| other.witness())?;
                Some((other.place(*line)?, other.sole()?))
            });
            let (mut before, mut behind) = (None, None);
            for (at, other) in others.filter(|(_, other)| other.request != own.request) {
                let nearest = if at < *place { &mut before } else { &mut behind };
                if nearest.is_none_or(|(near, _): (u64, Nanos)| near.abs_diff(*place) > at.abs_diff(*place)) {
                    *nearest = Some((at, other.read));
                }
            }
            let right = before.map(|(_, read)| read <= own.read);
            examples.extend(right.map(|right| (line.order(), right)));
            let right = behind.map(|(_, read)| own.read <= read);
            examples.extend(right.map(|right| (line.order(), right)));
        }
        examples
    }

    /// Those before a call whose request is known are for what was read no later, those behind it for what was read no sooner, as
    /// far as the order is believed. Gives the ones for which one is left now.
    pub(crate) fn in_order(&mut self, call: Key, holds: impl Fn(Order) -> Option<bool>) -> Vec<Settled> {
        let Some(known) = self.calls.get(&call) else { return Vec::new() };
        let Some(own) = known.sole() else { return Vec::new() };
        // Numbers say more: they come first in `places`, and until it is known whether they do, nothing says anything.
        let first = known
            .places
            .iter()
            .map(|place| (*place, holds(place.0.order())))
            .find(|(_, holds)| *holds != Some(false));
        let mut settled = Vec::new();
        if let Some(((line, place), Some(true))) = first {
            for name in self.lines.get(&line).into_iter().flatten() {
                let Some(other) = self.calls.get_mut(name).filter(|other| other.suspects.len() > 1) else {
                    continue;
                };
                let Some(at) = other.place(line) else { continue };
                let fits = |other: &Suspect| {
                    if at < place { other.read <= own.read } else { other.read >= own.read }
                };
                if !other.suspects.iter().any(fits) {
                    continue;
                }
                other.suspects.retain(fits);
                (other.known, other.by_order) = (other.suspects.len() == 1, true);
                settled.extend(other.sole().map(|left| (*name, left.request)));
            }
        }
        settled
    }

    /// A request is over. Calls of which all are over are forgotten; gives them.
    pub(crate) fn leave(&mut self, request: Key) -> Vec<Key> {
        let mut forgotten = Vec::new();
        for name in self.of_request.remove(&request).unwrap_or_default() {
            let Some(call) = self.calls.get_mut(&name) else { continue };
            if call.suspects.iter().any(|suspect| suspect.request == request) {
                call.open = call.open.saturating_sub(1);
            }
            if call.open == 0
                && let Some(call) = self.calls.remove(&name)
            {
                self.out_of_line(name, &call);
                forgotten.push(name);
            }
        }
        forgotten
    }

    fn out_of_line(&mut self, name: Key, call: &Call) {
        for (line, _) in &call.places {
            if let Some(others) = self.lines.get_mut(line) {
                others.retain(|other| *other != name);
                if others.is_empty() {
                    self.lines.remove(line);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wirespan_span::span::Cookie;

    use super::*;

    fn key(number: u64) -> Key {
        Key { cookie: Cookie(number), offset: 0, sub: 0 }
    }

    fn among(requests: &[u64]) -> Vec<Suspect> {
        let suspect = |number: &u64| Suspect { request: key(*number), read: Nanos(*number), call: None };
        requests.iter().map(suspect).collect()
    }

    const LINE: Line = Line::Numbers(20);

    fn added(calls: &[(u64, &[u64])]) -> Suspects {
        let mut suspects = Suspects::default();
        for (call, requests) in calls {
            suspects.add(key(*call), among(requests), None, vec![(LINE, *call)]);
        }
        suspects
    }

    #[test]
    fn calls_between_two_that_are_for_one_request_are_for_that() {
        let mut suspects = added(&[(11, &[1, 2]), (12, &[1, 2]), (13, &[1, 2, 3])]);
        suspects.settle(key(11), key(2));
        suspects.settle(key(13), key(3));
        assert_eq!(suspects.examples(key(13)), [(Order::Number, true)]);
        assert_eq!(suspects.in_order(key(11), |_| None), []);
        assert_eq!(suspects.in_order(key(11), |_| Some(true)), [(key(12), key(2))]);
    }

    #[test]
    fn an_answered_call_loses_no_suspect() {
        let mut suspects = added(&[(11, &[1, 2]), (12, &[1, 2])]);
        suspects.responded(key(11));
        assert_eq!(suspects.answers(key(1)), [(key(12), key(2))]);
        assert_eq!(suspects.of(key(11)).map(<[_]>::len), Some(2));
    }

    #[test]
    fn no_request_is_suspected_of_more_than_is_remembered() {
        let mut suspects = Suspects::default();
        for call in 0..2 * MAX_TOGETHER as u64 {
            suspects.add(key(1000 + call), among(&[1, 2]), None, Vec::new());
        }
        assert_eq!((suspects.calls.len(), suspects.of_request[&key(1)].len()), (MAX_TOGETHER, MAX_TOGETHER));
        assert_eq!((suspects.leave(key(1)).len(), suspects.leave(key(2)).len()), (0, MAX_TOGETHER));
        assert!(suspects.calls.is_empty());
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut suspects = added(&[(11, &[1, 2]), (12, &[2])]);
        assert_eq!(suspects.leave(key(1)), []);
        assert_eq!(suspects.leave(key(2)), [key(11), key(12)]);
        assert!(suspects.calls.is_empty() && suspects.lines.is_empty() && suspects.of_request.is_empty());
    }
}
