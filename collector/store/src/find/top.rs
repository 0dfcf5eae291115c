//! Hits in, in any order; the first few by the order asked for out. Holds no more than a page and what lies before it.

use std::collections::{BTreeMap, btree_map::Entry};

use rustc_hash::FxHashMap;

use super::{Found, Hit, Search, Sort};
use crate::{SpanId, TraceId};

/// Where a hit stands: less is earlier.
type Place = (u64, TraceId, SpanId);

/// The best so far.
pub(crate) struct Top {
    sort: Sort,
    limit: usize,
    offset: usize,
    keep: usize,
    best: BTreeMap<Place, Hit>,
    /// Where each trace's hit stands, when each has only one.
    traces: Option<FxHashMap<TraceId, Place>>,
    count: Option<u64>,
    pub(crate) incomplete: bool,
}

impl Top {
    pub(crate) fn new(search: &Search) -> Self {
        Self {
            sort: search.sort,
            limit: search.limit,
            offset: search.offset,
            // One more, to know whether there are more.
            keep: search.offset.saturating_add(search.limit).saturating_add(1),
            best: BTreeMap::new(),
            traces: search.per_trace.then(FxHashMap::default),
            count: search.count.then_some(0),
            incomplete: false,
        }
    }

    /// Would a span of this start and duration be looked at?
    pub(crate) fn wants(&self, start: u64, duration: u64) -> bool {
        let last = || self.best.last_key_value().map_or(u64::MAX, |(place, _)| place.0);
        self.best.len() < self.keep || self.rank(start, duration) <= last()
    }

    /// Nothing but counting is left to do with spans that start in `first..=last`, of up to this duration.
    pub(crate) fn settled(&self, first: u64, last: u64, durations: (u64, u64)) -> bool {
        self.count.is_none()
            && match self.sort {
                Sort::Newest => !self.wants(last, 0),
                Sort::Oldest => !self.wants(first, 0),
                Sort::Longest => !self.wants(0, durations.1),
                Sort::Shortest => !self.wants(0, durations.0),
            }
    }

    fn rank(&self, start: u64, duration: u64) -> u64 {
        match self.sort {
            Sort::Newest => u64::MAX - start,
            Sort::Oldest => start,
            Sort::Longest => u64::MAX - duration,
            Sort::Shortest => duration,
        }
    }

    /// Counts a match that is not wanted otherwise.
    pub(crate) fn count(&mut self) {
        self.count = self.count.map(|count| count + 1);
    }

    /// Takes a match, counted already.
    pub(crate) fn add(&mut self, hit: Hit) {
        let place = (self.rank(hit.start, hit.duration), hit.trace, hit.id);
        if let Some(traces) = &mut self.traces {
            match traces.get_mut(&hit.trace) {
                Some(known) if *known <= place => return,
                Some(known) => {
                    self.best.remove(known);
                    *known = place;
                }
                None => {
                    traces.insert(hit.trace, place);
                }
            }
        }
        if let Entry::Vacant(entry) = self.best.entry(place) {
            entry.insert(hit);
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.best.len() > self.keep {
            if let (Some((_, hit)), Some(traces)) = (self.best.pop_last(), &mut self.traces) {
                traces.remove(&hit.trace);
            }
        }
    }

    /// The page.
    pub(crate) fn found(self) -> Found {
        let more = self.best.len() >= self.keep;
        Found {
            hits: self.best.into_values().skip(self.offset).take(self.limit).collect(),
            more,
            count: self.count,
            incomplete: self.incomplete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, Span};

    fn hit(trace: u8, start: u64, duration: u64) -> Hit {
        Hit::of(&Span {
            trace: TraceId([trace; 16]),
            id: SpanId(start.to_be_bytes()),
            start,
            duration,
            ..Span::default()
        })
    }

    fn starts(search: &Search, hits: &[Hit]) -> (Vec<u64>, bool) {
        let mut top = Top::new(search);
        hits.iter().cloned().for_each(|hit| top.add(hit));
        let found = top.found();
        (found.hits.iter().map(|hit| hit.start).collect(), found.more)
    }

    #[test]
    fn orders_and_pages() {
        let hits = [hit(1, 10, 3), hit(2, 30, 1), hit(3, 20, 2), hit(2, 25, 9)];
        let search = Search::new(Filter::All, 2);
        assert_eq!(starts(&search, &hits), (vec![30, 25], true));
        assert_eq!(starts(&Search { offset: 2, ..search.clone() }, &hits), (vec![20, 10], false));
        assert_eq!(starts(&Search { sort: Sort::Longest, ..search.clone() }, &hits), (vec![25, 10], true));
        assert_eq!(starts(&Search { sort: Sort::Shortest, ..search.clone() }, &hits), (vec![30, 20], true));
        assert_eq!(starts(&Search { sort: Sort::Oldest, ..search }, &hits), (vec![10, 20], true));
    }

    #[test]
    fn a_trace_shows_once_by_its_first() {
        let hits = [hit(2, 25, 9), hit(1, 10, 3), hit(2, 30, 1), hit(3, 20, 2), hit(2, 5, 1)];
        let search = Search { per_trace: true, ..Search::new(Filter::All, 2) };
        assert_eq!(starts(&search, &hits), (vec![30, 20], true));
        assert_eq!(starts(&Search { offset: 2, ..search }, &hits), (vec![10], false));
    }
}
