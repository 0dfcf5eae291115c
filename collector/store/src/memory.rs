//! The store that forgets: spans in memory, the oldest given up for room. For `run` without a directory, and for tests.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::{
    Arrival, Catalogue, Edge, EdgeQuery, Fields, Figure, Found, Hit, Join, Red, RedQuery, Search, Span,
    Store, StoreError, TraceId,
    again::Marks,
    figure::{EdgeRows, Widths, merge_edges, merge_red},
    find::Top,
    join::Joined,
    segment::{Segment, hits_in_order, in_order},
};

/// In how many parts the spans are kept: one part is forgotten at a time.
const PARTS: usize = 8;

/// Spans in memory.
pub struct Memory {
    most: usize,
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    segments: VecDeque<Segment>,
    /// Joins, as many as there are segments and as old: they are forgotten together.
    joined: VecDeque<Joined>,
    past: Past,
    marks: Marks,
    forgotten: u64,
    repeated: u64,
}

/// Figures of spans that are forgotten.
#[derive(Debug, Default)]
struct Past {
    catalogue: Catalogue,
    red: Widths,
    edges: EdgeRows,
}

impl Memory {
    /// Keeps at least `spans` spans, and at most a seventh more.
    #[must_use]
    pub fn new(spans: usize) -> Self {
        Self { most: spans.div_ceil(PARTS - 1).max(1), kept: RwLock::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn rotate(&mut self) {
        let handover = self.segments.back().map(Segment::handover).unwrap_or_default();
        self.segments.push_back(Segment::after(handover));
        self.joined.push_back(Joined::default());
        if self.joined.len() > PARTS {
            self.joined.pop_front();
        }
        if self.segments.len() > PARTS
            && let Some(oldest) = self.segments.pop_front()
        {
            self.forgotten += oldest.spans.len() as u64;
            self.past.take(&oldest);
        }
    }

    /// The trace that `id` is a part of, or itself.
    fn whole(&self, id: TraceId) -> TraceId {
        self.joined.iter().fold(id, |id, joined| joined.whole(id))
    }

    fn join(&mut self, join: &Join) {
        let known = self.joined.iter().any(|joined| joined.knows(join.span));
        let (part, whole) = (self.whole(join.trace), self.whole(join.whole));
        let Some(joined) = self.joined.back_mut() else { return };
        joined.add(&Join { trace: part, whole, ..join.clone() });
        for segment in &mut self.segments {
            segment.join(part, joined);
            segment.answer(join.parent);
        }
        if !known {
            self.past.edges.entry(join.call.key()).or_default().merge(&join.call.figures());
        }
    }

    /// Takes away what is here already.
    fn leave_out(&mut self, spans: &mut Vec<Span>) {
        let mut doubts = self.marks.doubts(spans.iter());
        for trace in doubts.open() {
            let whole = self.whole(trace);
            let here: Vec<Hit> =
                self.segments.iter().flat_map(|segment| segment.trace(whole)).map(Hit::of).collect();
            doubts.learn(trace, &here);
        }
        self.repeated += doubts.leave_out(spans);
    }
}

impl Past {
    fn take(&mut self, segment: &Segment) {
        self.catalogue.merge(&segment.catalogue);
        self.red.merge(&segment.red);
        for (key, figures) in segment.edges() {
            self.edges.entry(key).or_default().merge(&figures);
        }
    }
}

impl Store for Memory {
    fn take(&self, Arrival { mut spans, joins }: Arrival) -> Result<(), StoreError> {
        let mut kept = self.write();
        let full = kept.segments.back().is_none_or(|segment| segment.spans.len() >= self.most);
        if full {
            kept.rotate();
        }
        kept.leave_out(&mut spans);
        let Kept { segments, joined, .. } = &mut *kept;
        if let Some(segment) = segments.back_mut() {
            segment.add(spans, joined.iter());
        }
        joins.iter().for_each(|join| kept.join(join));
        Ok(())
    }

    fn trace(&self, id: TraceId) -> Result<Vec<Span>, StoreError> {
        let kept = self.read();
        let id = kept.whole(id);
        Ok(in_order(kept.segments.iter().flat_map(|segment| segment.trace(id)).cloned().collect()))
    }

    fn outline(&self, id: TraceId) -> Result<Vec<Hit>, StoreError> {
        let kept = self.read();
        let id = kept.whole(id);
        Ok(hits_in_order(kept.segments.iter().flat_map(|segment| segment.trace(id)).map(Hit::of).collect()))
    }

    fn search(&self, search: &Search) -> Result<Found, StoreError> {
        let kept = self.read();
        let mut top = Top::new(search);
        kept.segments.iter().rev().for_each(|segment| segment.search(search, &mut top));
        Ok(top.found())
    }

    fn scan(
        &self,
        start: u64,
        end: u64,
        each: &mut dyn FnMut(&dyn Fields) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        // Breaking off is no error.
        let _ended = self.read().segments.iter().try_for_each(|segment| segment.scan(start, end, each));
        Ok(())
    }

    fn recent(&self, limit: usize) -> Result<Vec<Span>, StoreError> {
        let kept = self.read();
        let newest = kept.segments.iter().rev().flat_map(|segment| segment.spans.iter().rev());
        Ok(newest.take(limit).cloned().collect())
    }

    fn catalogue(&self) -> Result<Catalogue, StoreError> {
        let kept = self.read();
        let mut all = kept.past.catalogue.clone();
        kept.segments.iter().for_each(|segment| all.merge(&segment.catalogue));
        Ok(all)
    }

    fn red(&self, query: &RedQuery) -> Result<Red, StoreError> {
        let kept = self.read();
        let rows = kept.segments.iter().map(|segment| &segment.red).chain([&kept.past.red]);
        let rows = rows.flat_map(|widths| widths.of(query));
        Ok(merge_red(query, rows.map(|((start, key), figures)| (*start, key, figures))))
    }

    fn edges(&self, query: EdgeQuery) -> Result<Vec<Edge>, StoreError> {
        let kept = self.read();
        let live: Vec<_> = kept.segments.iter().map(Segment::edges).collect();
        let rows = live.iter().chain([&kept.past.edges]).flatten();
        Ok(merge_edges(query, rows.map(|((start, key), figures)| (*start, key, figures))))
    }

    fn figure(&self) -> Result<Figure, StoreError> {
        let kept = self.read();
        let full = || kept.segments.iter().filter(|segment| !segment.spans.is_empty());
        let spans: usize = full().map(|segment| segment.spans.len()).sum();
        Ok(Figure {
            spans: spans as u64,
            unsealed: spans as u64,
            oldest: full().map(|segment| segment.first).min(),
            newest: full().map(|segment| segment.last).max(),
            forgotten: kept.forgotten,
            repeated: kept.repeated,
            ..Figure::default()
        })
    }
}
