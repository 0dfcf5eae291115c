//! Comes in: fields that a header block inserts, indexes that it refers to. Goes out: the fields behind the indexes
//! (RFC 7541 section 2.3), as far as they are known. Refuses: more memory than [`MAX_SIZE`].
//!
//! Indexes count from the newest entry, so a table that was joined late, or that lost its older part, is right as far
//! as it goes: an index beyond what it holds stands for a field that is not known. For the same reason nothing hangs on
//! the `SETTINGS_HEADER_TABLE_SIZE` of the other side: what the encoder has dropped it does not name.

use std::collections::VecDeque;

/// Most memory of one table, as RFC 7541 section 4.1 counts. Programs use the default of 4096 bytes, browsers and
/// some proxies up to 64 KiB; entries beyond ours are not known.
const MAX_SIZE: usize = 16 << 10;

/// What an encoder may use before it says otherwise (RFC 9113 section 6.5.2).
const DEFAULT_SIZE: usize = 4096;

/// Size of an entry beyond its strings (RFC 7541 section 4.1).
const OVERHEAD: usize = 32;

/// A string that may not be known.
pub(super) type Known<'a> = Option<&'a [u8]>;

/// An entry: name and value in one piece of memory.
#[derive(Debug)]
struct Entry {
    text: Box<[u8]>,
    /// Length of the name, where it is known.
    name: Option<usize>,
    /// Is the value known?
    value: bool,
}

/// The dynamic table of one direction, behind the static one.
#[derive(Debug)]
pub(super) struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    limit: usize,
}

impl Table {
    /// Of a connection seen from its first byte.
    pub(super) fn new() -> Self {
        Self { entries: VecDeque::new(), size: 0, limit: DEFAULT_SIZE }
    }

    /// Of a connection joined later: its limit may be any.
    pub(super) fn joined() -> Self {
        Self { limit: MAX_SIZE, ..Self::new() }
    }

    /// Name and value at an index from 1. `None`: no such entry is known.
    pub(super) fn get(&self, index: u32) -> Option<(Known<'_>, Known<'_>)> {
        let place = usize::try_from(index).ok()?.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(place) {
            return Some((Some(name.as_bytes()), Some(value.as_bytes())));
        }
        self.entries.get(place - STATIC.len()).map(Entry::field)
    }

    /// Inserts an entry. Parts that are not known take no room here: older entries stay longer than they need.
    pub(super) fn insert(&mut self, name: Known<'_>, value: Known<'_>) {
        let entry = Entry::of(name, value);
        let size = entry.text.len() + OVERHEAD;
        self.shrink(self.limit.saturating_sub(size));
        if size <= self.limit {
            self.size += size;
            self.entries.push_front(entry);
        }
    }

    /// The encoder says how large its table is (RFC 7541 section 6.3).
    pub(super) fn resize(&mut self, limit: u32) {
        self.limit = usize::try_from(limit).unwrap_or(MAX_SIZE).min(MAX_SIZE);
        self.shrink(self.limit);
    }

    /// Insertions may have been missed: every index means another entry now.
    pub(super) fn forget(&mut self) {
        (self.size, self.limit) = (0, MAX_SIZE);
        self.entries.clear();
    }

    fn shrink(&mut self, limit: usize) {
        while self.size > limit
            && let Some(entry) = self.entries.pop_back()
        {
            self.size -= entry.text.len() + OVERHEAD;
        }
    }
}

impl Entry {
    fn of(name: Known<'_>, value: Known<'_>) -> Self {
        let text = [name.unwrap_or_default(), value.unwrap_or_default()].concat();
        Self { text: text.into(), name: name.map(<[u8]>::len), value: value.is_some() }
    }

    fn field(&self) -> (Known<'_>, Known<'_>) {
        let (name, value) = self.text.split_at_checked(self.name.unwrap_or_default()).unwrap_or_default();
        (self.name.map(|_| name), self.value.then_some(value))
    }
}

/// RFC 7541 appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn value(table: &Table, index: u32) -> Option<String> {
        table.get(index)?.1.map(|value| String::from_utf8_lossy(value).into_owned())
    }

    fn filled(table: &mut Table, number: usize) {
        (0..number).for_each(|n| table.insert(Some(b"name"), Some(n.to_string().as_bytes())));
    }

    #[test]
    fn the_newest_comes_first_behind_the_static_table() {
        let mut table = Table::new();
        filled(&mut table, 3);
        assert_eq!(value(&table, 2).as_deref(), Some("GET"));
        assert_eq!(value(&table, 62).as_deref(), Some("2"));
        assert_eq!(value(&table, 64).as_deref(), Some("0"));
        assert_eq!((table.get(0), table.get(65), table.get(u32::MAX)), (None, None, None));
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut table = Table::new();
        filled(&mut table, 1000);
        assert_eq!(table.entries.len(), 4096 / (7 + OVERHEAD));
        table.resize(80);
        assert_eq!((value(&table, 63).as_deref(), value(&table, 64)), (Some("998"), None));
        table.resize(0);
        table.insert(Some(b"a"), Some(b"b"));
        assert_eq!((table.entries.len(), table.size), (0, 0), "an entry larger than the table empties it");
    }

    #[test]
    fn memory_is_bounded_whatever_the_encoder_says() {
        let mut table = Table::joined();
        table.resize(u32::MAX);
        filled(&mut table, 10_000);
        assert!(table.size <= MAX_SIZE);
        (0..1000).for_each(|_| table.insert(None, None));
        assert!(table.entries.len() <= MAX_SIZE / OVERHEAD);
    }

    #[test]
    fn unknown_parts_stay_unknown() {
        let mut table = Table::joined();
        table.insert(None, Some(b"v"));
        table.insert(Some(b"n"), None);
        assert_eq!(table.get(62), Some((Some(&b"n"[..]), None)));
        assert_eq!(table.get(63), Some((None, Some(&b"v"[..]))));
    }
}
