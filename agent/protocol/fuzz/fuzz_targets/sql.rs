//! Comes in: a byte that chooses the dialect, then SQL. Goes out: nothing; a bound that does not hold panics.
#![no_main]

use wirespan_protocol::sql::{Dialect, Digest, Family};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((choice, sql)) = bytes.split_first() else { return };
    let family = [Family::Postgresql, Family::Mysql, Family::SqlServer][usize::from(choice % 3)];
    let backslash = [None, Some(true), Some(false)][usize::from(choice / 3 % 3)];
    let digest = Digest::of(sql, Dialect { family, backslash }, choice & 128 != 0, 4096);
    assert!(digest.text.len() <= 4096 && digest.summary.len() <= 255);
});
