//! A block's file in; its spans out, by row or by condition. Open files are kept, up to a bound: their metadata is what
//! costs.

use std::{
    collections::VecDeque,
    fs::File,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use parquet::{
    errors::Result,
    file::{
        reader::FileReader,
        serialized_reader::{ReadOptionsBuilder, SerializedFileReader},
        statistics::Statistics,
    },
};

use super::{
    columns, dictionary,
    group::{Group, Row},
    source::Source,
};
use crate::{Fields, Filter, Hit, Search, Sort, Span, TraceId, find::Top};

/// An open block.
pub(crate) struct Block {
    reader: SerializedFileReader<Source>,
}

impl Block {
    /// Opens a file that `write` made.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let options = ReadOptionsBuilder::new().with_page_index().build();
        let reader =
            SerializedFileReader::new_with_options(Source { file: Arc::new(file), length }, options)?;
        Ok(Self { reader })
    }

    /// The spans of `trace` among `rows` rows from `row` on.
    pub(crate) fn spans(&self, trace: TraceId, row: usize, rows: usize) -> Result<Vec<Span>> {
        self.rows(row, rows, |row| (row.trace() == trace).then(|| row.span()))
    }

    /// The same without attributes.
    pub(crate) fn hits(&self, trace: TraceId, row: usize, rows: usize) -> Result<Vec<Hit>> {
        self.rows(row, rows, |row| (row.trace() == trace).then(|| row.hit()))
    }

    /// The last `limit` spans of the file.
    pub(crate) fn last(&self, limit: usize) -> Result<Vec<Span>> {
        let rows = usize::try_from(self.reader.metadata().file_metadata().num_rows()).unwrap_or(0);
        let limit = limit.min(rows);
        self.rows(rows - limit, limit, |row| Some(row.span()))
    }

    /// All spans without attributes.
    pub(crate) fn all(&self) -> Result<Vec<Hit>> {
        self.rows(0, usize::MAX, |row| Some(row.hit()))
    }

    fn rows<R>(&self, row: usize, rows: usize, take: impl Fn(Row<'_>) -> Option<R>) -> Result<Vec<R>> {
        let mut taken = Vec::with_capacity(rows.min(1 << 16));
        let mut before = 0;
        for at in 0..self.reader.num_row_groups() {
            let length = self.length(at);
            let from = row.max(before);
            let to = row.saturating_add(rows).min(before + length);
            if from < to {
                let group = Group::new(self.reader.get_row_group(at)?, from - before, to - from);
                taken.extend((0..group.rows).filter_map(|at| take(Row { group: &group, at })));
                group.finish()?;
            }
            before += length;
        }
        Ok(taken)
    }

    fn length(&self, group: usize) -> usize {
        usize::try_from(self.reader.metadata().row_group(group).num_rows()).unwrap_or(0)
    }

    /// Adds what matches.
    pub(crate) fn search(&self, search: &Search, top: &mut Top) -> Result<()> {
        let groups = self.reader.num_row_groups();
        for step in 0..groups {
            let at = if search.sort == Sort::Oldest { step } else { groups - 1 - step };
            let (first, last) = self.range(at, columns::START);
            let durations = self.range(at, columns::DURATION);
            let bounds = search.filter.durations();
            let outside = last < search.start || first >= search.end;
            if outside
                || durations.1 < bounds.0
                || durations.0 > bounds.1
                || top.settled(first, last, durations)
            {
                continue;
            }
            if search.until.is_some_and(|until| Instant::now() > until) {
                top.incomplete = true;
                return Ok(());
            }
            let group = self.reader.get_row_group(at)?;
            if !dictionary::excludes(&*group, &search.filter)? {
                let group = Group::new(group, 0, self.length(at));
                search_group(group, search, top)?;
            }
        }
        Ok(())
    }

    /// Calls `each` with the spans that begin in a time.
    pub(crate) fn scan(
        &self,
        start: u64,
        end: u64,
        each: &mut dyn FnMut(&dyn Fields) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        for at in 0..self.reader.num_row_groups() {
            let (first, last) = self.range(at, columns::START);
            if last < start || first >= end {
                continue;
            }
            let group = Group::new(self.reader.get_row_group(at)?, 0, self.length(at));
            let begins = |row: &usize| group.long(columns::START, *row).unwrap_or_default() as u64;
            let mut rows = (0..group.rows).filter(|row| (start..end).contains(&begins(row)));
            let scanned = rows.try_for_each(|at| each(&Row { group: &group, at }));
            group.finish()?;
            if scanned.is_break() {
                return Ok(scanned);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The least and the most of a column in a row group.
    fn range(&self, group: usize, column: usize) -> (u64, u64) {
        match self.reader.metadata().row_group(group).column(column).statistics() {
            Some(Statistics::Int64(range)) => (
                range.min_opt().map_or(0, |least| *least as u64),
                range.max_opt().map_or(u64::MAX, |most| *most as u64),
            ),
            _ => (0, u64::MAX),
        }
    }
}

fn search_group(group: Group<'_>, search: &Search, top: &mut Top) -> Result<()> {
    let bounds = search.filter.durations();
    let start = |at| group.long(columns::START, at).unwrap_or_default() as u64;
    let duration = |at| group.long(columns::DURATION, at).unwrap_or_default() as u64;
    let candidate = |at: &usize| {
        (search.start..search.end).contains(&start(*at))
            && (bounds.0..=bounds.1).contains(&duration(*at))
            && (search.count || top.wants(start(*at), duration(*at)))
    };
    let mut rows: Vec<usize> = (0..group.rows).filter(candidate).collect();
    // One condition at a time, so that a column is decoded only when rows are left that need it.
    for condition in conditions(&search.filter) {
        rows.retain(|at| condition.holds(&Row { group: &group, at: *at }));
        if rows.is_empty() {
            break;
        }
    }
    for at in rows.into_iter().rev() {
        top.count();
        if top.wants(start(at), duration(at)) {
            top.add(Row { group: &group, at }.hit());
        }
    }
    group.finish()
}

/// What must all hold.
fn conditions(filter: &Filter) -> Vec<&Filter> {
    match filter {
        Filter::And(filters) => filters.iter().flat_map(conditions).collect(),
        one => vec![one],
    }
}

/// Open blocks, the one used last at the end.
pub(crate) struct Cache {
    folder: PathBuf,
    open: Mutex<VecDeque<(i64, Arc<Block>)>>,
}

/// The most blocks that are kept open: a file descriptor and some 100 KiB of metadata each.
const MOST_OPEN: usize = 128;

impl Cache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, open: Mutex::default() }
    }

    /// The file of a block.
    pub(crate) fn path(&self, id: i64) -> PathBuf {
        self.folder.join(format!("{id:010}.parquet"))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The open block `id`.
    pub(crate) fn block(&self, id: i64) -> Result<Arc<Block>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|(known, _)| *known == id)
            && let Some(entry) = open.remove(at)
        {
            let block = entry.1.clone();
            open.push_back(entry);
            return Ok(block);
        }
        let block = Arc::new(Block::open(&self.path(id))?);
        open.push_back((id, block.clone()));
        if open.len() > MOST_OPEN {
            open.pop_front();
        }
        Ok(block)
    }

    /// Closes a block that is no more.
    pub(crate) fn forget(&self, id: i64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| *known != id);
    }
}
