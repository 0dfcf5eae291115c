//! A condition in; its value out, as soon as it holds. Refuses: waiting longer than the deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// Long enough for a busy machine with two cores; reached only by a test that fails.
pub const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// Asks `condition` until it has a value. `what` names it in the error.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if Instant::now() > deadline {
            bail!("waited {} s in vain for: {what}", DEADLINE.as_secs());
        }
        thread::sleep(POLL);
    }
}
