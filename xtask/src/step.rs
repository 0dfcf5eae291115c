//! Progress on standard error: what is being done, and how long it took.

use std::time::Instant;

use anyhow::{Context, Result};

/// Does one named thing and says how long it took, whether it went well or not.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("── {name}");
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    match &result {
        Ok(_) => eprintln!("── {name}: done in {seconds:.1} s"),
        Err(_) => eprintln!("── {name}: FAILED after {seconds:.1} s"),
    }
    result.with_context(|| name.to_owned())
}

/// One line about something that needed no work.
pub(crate) fn note(text: &str) {
    eprintln!("   {text}");
}
