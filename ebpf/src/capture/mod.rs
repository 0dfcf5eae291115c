//! What a hook does with bytes: find the user's buffer, copy its beginning and end, hand the record over.

pub(crate) mod atomic;
mod awaited;
pub(crate) mod buffers;
pub(crate) mod copy;
pub(crate) mod memory;
pub(crate) mod place;
pub(crate) mod record;
#[cfg(not(feature = "older"))]
pub(crate) mod ring;
#[cfg(feature = "older")]
#[path = "ring_buffer.rs"]
pub(crate) mod ring;
pub(crate) mod runtime;
pub(crate) mod socket;
pub(crate) mod stand_in;
#[cfg(not(feature = "older"))]
pub(crate) mod uring;
