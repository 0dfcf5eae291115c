//! Wakes every half millisecond, and does nothing else: what any neighbour that is not always asleep costs a program on this host, for
//! `cargo xtask bench`. Runs until it is stopped.

use std::{thread, time::Duration};

/// The shortest pause of wirespan's reader.
const PAUSE: Duration = Duration::from_micros(500);

fn main() {
    // The bench waits for this word.
    eprintln!("waking, capturing nothing");
    loop {
        thread::sleep(PAUSE);
    }
}
