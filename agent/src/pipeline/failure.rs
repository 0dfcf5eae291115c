//! Keeps the panic of one connection's parser from taking the daemon along. Comes in: a step. Goes out: did it panic? The
//! first panic is printed, as an error to report; a program that provokes them by the thousand does not fill a log.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::Once,
};

thread_local! {
    /// Is this thread in a step whose panic is only counted?
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Does it panic? If so, without a word where it is to be `silent`.
pub(super) fn panics(silent: bool, step: impl FnOnce()) -> bool {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !SILENT.get() {
                usual(panic);
            }
        }));
    });
    SILENT.set(silent);
    let panicked = catch_unwind(AssertUnwindSafe(step)).is_err();
    SILENT.set(false);
    panicked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_and_goes_no_further() {
        let mut done = 0;
        assert!(!panics(false, || done += 1));
        assert!(panics(true, || panic!("a parser's mistake")));
        assert!(!panics(true, || done += 1));
        assert_eq!((done, SILENT.get()), (2, false));
    }
}
