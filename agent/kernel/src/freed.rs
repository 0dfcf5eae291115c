//! Comes in: how soon memory that the daemon no longer uses goes back to the kernel. Goes out: the allocator's setting.
//! Decides nothing: which command is held small is known above.

use std::ffi::{c_int, c_long};

/// `mi_option_purge_delay` of mimalloc 3 (`mimalloc.h`), ms.
const PURGE_DELAY: c_int = 15;

/// What is free for `ms` milliseconds goes back, at the next occasion; mimalloc's own is 1000. `MIMALLOC_PURGE_DELAY` in the
/// environment is stronger.
pub fn return_freed_after(ms: u32) {
    // SAFETY: sets one number.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, ms as c_long) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_the_option_is_the_allocators() {
        // SAFETY: reads one number.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1000);
        return_freed_after(7);
        assert_eq!(delay(), 7);
    }
}
