//! One file per tracepoint family. A hook decides whether to look, finds out what the record needs, and leaves.

mod life;
mod process;
#[cfg(not(feature = "older"))]
mod sock;
mod syscall;
mod turn;
#[cfg(not(feature = "older"))]
mod uring;
#[cfg(not(feature = "older"))]
mod wake;
