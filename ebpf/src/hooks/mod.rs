//! One file per tracepoint family. A hook decides whether to look, finds out what the record needs, and leaves.

mod life;
mod process;
mod sock;
mod syscall;
mod uring;
