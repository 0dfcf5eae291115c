//! How much of a connection's bytes to copy: a direct-mapped table, one load.

use wirespan_proto::abi::policy_slot;

use super::maps::POLICIES;

/// The daemon's policy for the socket with this cookie; `None` where it has set none, or another socket's took its place.
#[inline(always)]
pub(crate) fn of(cookie: u64) -> Option<u8> {
    POLICIES.get(policy_slot(cookie)).filter(|slot| *slot >> 8 == cookie).map(|slot| *slot as u8)
}
