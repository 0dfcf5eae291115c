//! What outlives a hook: the daemon's settings, the maps, what is known of each socket.

pub(crate) mod filter;
pub(crate) mod globals;
pub(crate) mod maps;
pub(crate) mod policy;
