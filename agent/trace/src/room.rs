//! Comes in: a table of what is held. Goes out: the same, no larger than it has to be. A table that was large once stays so, and
//! with few entries in it each look-up would be at a place that is not in the processor's cache.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// A table with room for no more entries than this is left as it is.
const LEAST: usize = 512;
/// A table with room for so many times its entries is too large; afterwards it has room for twice as many.
const TOO_LARGE: usize = 6;

/// Call it now and then.
pub(crate) fn fit<K: Eq + Hash, V>(table: &mut FxHashMap<K, V>) {
    if table.capacity() > LEAST.max(TOO_LARGE * table.len()) {
        table.shrink_to((2 * table.len()).max(LEAST / 2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_a_crowd_has_left_gets_smaller_and_keeps_its_entries() {
        let mut table: FxHashMap<u32, u32> = (0..10_000).map(|entry| (entry, entry)).collect();
        let large = table.capacity();
        fit(&mut table);
        assert_eq!(table.capacity(), large, "full");
        table.retain(|entry, _| *entry < 100);
        fit(&mut table);
        assert!(table.capacity() < LEAST, "{}", table.capacity());
        assert!((0..100).all(|entry| table[&entry] == entry) && table.len() == 100);
        let small = table.capacity();
        fit(&mut table);
        assert_eq!(table.capacity(), small, "small enough");
    }
}
