//! Whose turn it is to tell of an event.
//!
//! Until Linux 6.19 no thread takes another's place inside a program. Since 7.0 one may lose its processor inside a tracepoint, and the
//! kernel leaves the program out for every thread that comes to it there until the first goes on (`__bpf_trace_run`,
//! `kernel/trace/bpf_trace.c`). There each of those that see most is attached twice; the second does the work where the
//! first was left out.

use wirespan_proto::abi::TURNS;

use crate::{
    capture::ring,
    state::{globals::setting, maps},
};

/// Which of the two programs at a tracepoint. They run in this order, which is that in which they were attached
/// (`func_add`, `kernel/tracepoint.c`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    First,
    /// Stands in.
    #[cfg_attr(feature = "older", expect(dead_code, reason = "kernels before 5.12 leave nothing out so"))]
    Second,
}

/// Is it this program that tells of `event`, a number that no other event has at this moment? The first always; it says so to the
/// second. Where two events at the same moment share a place, the second can tell once more what the first has told.
#[inline(always)]
pub(crate) fn is_ours(program: Program, event: impl FnOnce() -> u32) -> bool {
    if setting!(preemptible) == 0 {
        return true;
    }
    let event = event();
    let Some(told) = maps::TOLD.get_ptr_mut(event & (TURNS - 1)) else { return true };
    // SAFETY: a word of the map value; a counter of the control block.
    unsafe {
        let told = &raw mut (*told).event;
        if program == Program::First {
            told.write_volatile(event);
            return true;
        }
        if told.read_volatile() == event {
            told.write_volatile(0);
            return false;
        }
        ring::count(|control| &raw mut (*control).stood_in);
    }
    true
}
