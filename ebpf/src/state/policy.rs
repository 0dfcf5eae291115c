//! How much of a connection's bytes to copy: a direct-mapped table, one load.

use wirespan_proto::abi::{POLICY_UNDECIDED, policy_slot};

use super::maps::POLICIES;

/// The daemon's policy for the socket with this cookie.
#[inline(always)]
pub(crate) fn of(cookie: u64) -> u8 {
    match POLICIES.get(policy_slot(cookie)) {
        Some(slot) if slot >> 8 == cookie => *slot as u8,
        _ => POLICY_UNDECIDED,
    }
}
