//! What outlives a hook: the daemon's settings, the maps, what is known of each socket.

pub(crate) mod filter;
pub(crate) mod globals;
pub(crate) mod maps;
#[cfg(not(feature = "older"))]
mod maps_newer;
#[cfg(feature = "older")]
mod maps_older;
pub(crate) mod policy;
