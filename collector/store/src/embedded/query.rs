//! Questions to the store on disk. Each looks at memory first, under a lock that is held briefly, then at blocks and
//! catalogue as they were at that moment.

use std::{io::ErrorKind, ops::ControlFlow, sync::Arc};

use parquet::errors::ParquetError;
use rusqlite::{Connection, params};
use rustc_hash::FxHashSet;

use super::{
    Embedded, index,
    joins::{self, Whole},
    seal::decode,
    state::{Entry, Shared, State},
};
use crate::{
    Arrival, Catalogue, Edge, EdgeQuery, Field, Fields, Figure, Figures, Found, Hit, Kind, NodeKind,
    Operation, Red, RedQuery, Search, Service, Sort, Span, Store, StoreError, Text, TraceId,
    block::{self, Block},
    figure::{EdgeKey, SeriesKey, merge_edges, merge_red},
    find::Top,
    segment::{Segment, hits_in_order, in_order},
};

/// Blocks in which spans that come again are looked for: as many as marks know of.
const NEWEST: usize = 32;

impl State {
    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.sealing.as_deref().into_iter().chain([&self.active])
    }

    fn live<R>(&self, whole: &Whole, live: impl Fn(&Span) -> R) -> Vec<R> {
        let of = |segment| whole.traces.iter().flat_map(move |id| Segment::trace(segment, *id));
        self.segments().flat_map(of).map(live).collect()
    }
}

impl Shared {
    /// All of a trace and its parts: from memory by `live`, from blocks by `sealed`.
    fn gather<R>(
        &self,
        whole: &Whole,
        live: impl Fn(&Span) -> R,
        sealed: impl Fn(&Block, TraceId, usize, usize) -> Result<Vec<R>, ParquetError>,
    ) -> Result<Vec<R>, StoreError> {
        let (mut all, blocks) = {
            let state = self.read();
            (state.live(whole, live), state.blocks.clone())
        };
        all.extend(self.sealed(whole, &blocks, sealed)?);
        Ok(all)
    }

    fn sealed<R>(
        &self,
        whole: &Whole,
        blocks: &[Arc<Entry>],
        sealed: impl Fn(&Block, TraceId, usize, usize) -> Result<Vec<R>, ParquetError>,
    ) -> Result<Vec<R>, StoreError> {
        let mut all = Vec::new();
        for id in &whole.traces {
            for (block, row, rows) in self.places(blocks, *id)? {
                all.extend(self.look(block, |block| sealed(block, *id, row, rows))?.unwrap_or_default());
            }
        }
        Ok(all)
    }

    /// What is in memory of a trace.
    pub(super) fn in_memory(&self, id: TraceId) -> Result<Vec<Hit>, StoreError> {
        let whole = self.whole(id)?;
        Ok(self.read().live(&whole, Hit::of))
    }

    /// What is in the newest blocks of a trace.
    pub(super) fn in_blocks(&self, id: TraceId) -> Result<Vec<Hit>, StoreError> {
        let blocks = self.read().blocks.clone();
        let newest = blocks.get(blocks.len().saturating_sub(NEWEST)..).unwrap_or_default();
        self.sealed(&self.whole(id)?, newest, Block::hits)
    }

    /// All spans of a block; none when it was forgotten meanwhile.
    pub(super) fn all_of(&self, block: i64) -> Result<Vec<Hit>, StoreError> {
        Ok(self.look(block, Block::all)?.unwrap_or_default())
    }

    fn whole(&self, id: TraceId) -> Result<Whole, StoreError> {
        self.connections.read(|connection| joins::of(connection, id))
    }

    /// The traces that hits are parts of; of two that are one now, the first stays.
    fn rename(&self, hits: &mut Vec<Hit>, per_trace: bool) -> Result<(), StoreError> {
        self.connections.read(|connection| {
            hits.iter_mut().try_for_each(|hit| {
                hit.trace = joins::whole(connection, hit.trace)?;
                Ok(())
            })
        })?;
        if per_trace {
            let mut seen = FxHashSet::default();
            hits.retain(|hit| seen.insert(hit.trace));
        }
        Ok(())
    }

    /// Block, row and number of rows wherever a trace may stand.
    fn places(&self, blocks: &[Arc<Entry>], id: TraceId) -> Result<Vec<(i64, usize, usize)>, StoreError> {
        self.connections.read(|connection| index::find(connection, blocks, id))
    }

    /// Looks into a block; none when it was forgotten meanwhile.
    fn look<R>(
        &self,
        id: i64,
        look: impl FnOnce(&Block) -> Result<R, ParquetError>,
    ) -> Result<Option<R>, StoreError> {
        match self.cache.block(id).and_then(|block| look(&block)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if block::io_error(&error) == Some(ErrorKind::NotFound) => Ok(None),
            Err(source) => Err(StoreError::Block { path: self.cache.path(id), source }),
        }
    }
}

impl Store for Embedded {
    fn take(&self, arrival: Arrival) -> Result<(), StoreError> {
        let writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        writer.ok_or(StoreError::Closed)?.take(arrival)
    }

    fn trace(&self, id: TraceId) -> Result<Vec<Span>, StoreError> {
        let whole = self.shared.whole(id)?;
        let mut spans = self.shared.gather(&whole, Span::clone, Block::spans)?;
        spans.iter_mut().for_each(|span| {
            whole.joined.apply(span);
        });
        Ok(in_order(spans))
    }

    fn outline(&self, id: TraceId) -> Result<Vec<Hit>, StoreError> {
        let whole = self.shared.whole(id)?;
        let mut hits = self.shared.gather(&whole, Hit::of, Block::hits)?;
        for hit in &mut hits {
            hit.trace = whole.id;
            hit.parent = whole.joined.parent(hit.id, hit.kind).or(hit.parent);
        }
        Ok(hits_in_order(hits))
    }

    fn search(&self, search: &Search) -> Result<Found, StoreError> {
        let mut top = Top::new(search);
        let mut blocks: Vec<_> = {
            let state = self.shared.read();
            state.segments().for_each(|segment| segment.search(search, &mut top));
            state.blocks.iter().cloned().collect()
        };
        let service = search.filter.required(&Field::Service);
        blocks.retain(|block| {
            block.last >= search.start
                && block.first < search.end
                && service.is_none_or(|service| block.services.contains(service))
        });
        if search.sort == Sort::Oldest {
            blocks.sort_by_key(|block| block.first);
        } else {
            blocks.sort_by_key(|block| std::cmp::Reverse(block.last));
        }
        for block in blocks {
            if top.incomplete || top.settled(block.first, block.last, (0, u64::MAX)) {
                break;
            }
            self.shared.look(block.id, |block| block.search(search, &mut top))?;
        }
        let mut found = top.found();
        self.shared.rename(&mut found.hits, search.per_trace)?;
        Ok(found)
    }

    fn scan(
        &self,
        start: u64,
        end: u64,
        each: &mut dyn FnMut(&dyn Fields) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let blocks = {
            let state = self.shared.read();
            if state.segments().try_for_each(|segment| segment.scan(start, end, each)).is_break() {
                return Ok(());
            }
            state.blocks.clone()
        };
        for block in blocks.iter().filter(|block| block.last >= start && block.first < end) {
            let scanned = self.shared.look(block.id, |block| block.scan(start, end, each))?;
            if scanned.is_some_and(|scanned| scanned.is_break()) {
                break;
            }
        }
        Ok(())
    }

    fn recent(&self, limit: usize) -> Result<Vec<Span>, StoreError> {
        let (mut spans, blocks) = {
            let state = self.shared.read();
            let sealing = state.sealing.as_deref().into_iter();
            let newest =
                [&state.active].into_iter().chain(sealing).flat_map(|segment| segment.spans.iter().rev());
            (newest.take(limit).cloned().collect::<Vec<_>>(), state.blocks.clone())
        };
        if let Some(block) = blocks.last().filter(|_| spans.len() < limit) {
            let rest = limit - spans.len();
            spans.extend(self.shared.look(block.id, |block| block.last(rest))?.unwrap_or_default());
        }
        Ok(spans)
    }

    fn catalogue(&self) -> Result<Catalogue, StoreError> {
        let state = self.shared.read();
        let mut all = self.shared.connections.read(names)?;
        state.segments().for_each(|segment| all.merge(&segment.catalogue));
        Ok(all)
    }

    fn red(&self, query: &RedQuery) -> Result<Red, StoreError> {
        let state = self.shared.read();
        let sealed = self.shared.connections.read(|connection| red(connection, query))?;
        let live = state.segments().flat_map(|segment| segment.red.of(query));
        let live = live.map(|((start, key), figures)| (*start, key, figures));
        Ok(merge_red(query, sealed.iter().map(|(start, key, figures)| (*start, key, figures)).chain(live)))
    }

    fn edges(&self, query: EdgeQuery) -> Result<Vec<Edge>, StoreError> {
        let state = self.shared.read();
        let sealed = self.shared.connections.read(|connection| edges(connection, query))?;
        let live: Vec<_> = state.segments().map(Segment::edges).collect();
        drop(state);
        let live = live.iter().flatten().map(|((start, key), figures)| (*start, key, figures));
        Ok(merge_edges(query, sealed.iter().map(|(start, key, figures)| (*start, key, figures)).chain(live)))
    }

    fn figure(&self) -> Result<Figure, StoreError> {
        let state = self.shared.read();
        let live = || state.segments().filter(|segment| !segment.spans.is_empty());
        let unsealed: usize = live().map(|segment| segment.spans.len()).sum();
        let blocks = state.blocks.clone();
        let firsts = blocks.iter().map(|block| block.first).chain(live().map(|segment| segment.first));
        let lasts = blocks.iter().map(|block| block.last).chain(live().map(|segment| segment.last));
        let (oldest, newest) = (firsts.min(), lasts.max());
        let forgotten = state.forgotten;
        drop(state);
        Ok(Figure {
            spans: blocks.iter().map(|block| block.spans).sum::<u64>() + unsealed as u64,
            bytes: self.shared.bytes(),
            blocks: blocks.len() as u64,
            unsealed: unsealed as u64,
            oldest,
            newest,
            forgotten,
            repeated: self.shared.repeated.load(std::sync::atomic::Ordering::Relaxed),
            durable: self.shared.durable(),
        })
    }
}

fn names(connection: &Connection) -> rusqlite::Result<Catalogue> {
    let mut all = Catalogue::default();
    let mut services = connection.prepare_cached("SELECT name, spans, errors, first, last FROM service")?;
    let mut rows = services.query([])?;
    while let Some(row) = rows.next()? {
        let number = |at: usize| row.get::<_, i64>(at).map(|number| number as u64);
        all.service(&Service {
            name: text(row, 0)?,
            spans: number(1)?,
            errors: number(2)?,
            first: number(3)?,
            last: number(4)?,
        });
    }
    let mut operations = connection.prepare_cached("SELECT service, name, kind, spans FROM operation")?;
    let mut rows = operations.query([])?;
    while let Some(row) = rows.next()? {
        all.operation(&Operation {
            service: text(row, 0)?,
            name: text(row, 1)?,
            kind: Kind::from_number(row.get(2)?),
            spans: row.get::<_, i64>(3)? as u64,
        });
    }
    Ok(all)
}

fn text(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Text> {
    Ok(row.get_ref(at)?.as_str()?.into())
}

fn red(connection: &Connection, query: &RedQuery) -> rusqlite::Result<Vec<(u64, SeriesKey, Figures)>> {
    let mut select = connection.prepare_cached(
        "SELECT start, service, operation, kind, figures FROM red WHERE width = ? AND start >= ? AND start < ?",
    )?;
    let range =
        params![query.width() as i64, query.from() as i64, i64::try_from(query.end).unwrap_or(i64::MAX)];
    let mut rows = select.query(range)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let key = (text(row, 1)?, text(row, 2)?, Kind::from_number(row.get(3)?));
        let wanted =
            query.service.as_ref().is_none_or(|service| *service == key.0) && query.kinds.contains(&key.2);
        if let Some(figures) = decode(row.get_ref(4)?.as_blob()?).filter(|_| wanted) {
            all.push((row.get::<_, i64>(0)? as u64, key, figures));
        }
    }
    Ok(all)
}

fn edges(connection: &Connection, query: EdgeQuery) -> rusqlite::Result<Vec<(u64, EdgeKey, Figures)>> {
    let mut select = connection.prepare_cached(
        "SELECT start, source, target, kind, figures FROM edge WHERE start >= ? AND start < ?",
    )?;
    let from = query.start - query.start % crate::figure::MINUTE;
    let mut rows = select.query(params![from as i64, i64::try_from(query.end).unwrap_or(i64::MAX)])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let kind = match row.get::<_, i64>(3)? {
            1 => NodeKind::Database,
            2 => NodeKind::Messaging,
            3 => NodeKind::External,
            _ => NodeKind::Service,
        };
        let key = (text(row, 1)?, text(row, 2)?, kind);
        if let Some(figures) = decode(row.get_ref(4)?.as_blob()?) {
            all.push((row.get::<_, i64>(0)? as u64, key, figures));
        }
    }
    Ok(all)
}
