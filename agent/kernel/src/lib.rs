//! Loads and attaches the kernel programs and drains their rings. Comes in: what the kernel saw. Goes out: typed
//! [`Event`](event::Event)s in the order of time. Never looks into payload. The only user of aya, and the only
//! place in user space that knows the kernel's structures.

mod btf;
mod clock;
mod decode;
mod fields;
mod freed;
mod memory;
mod object;
mod plan;
mod privileges;
mod probe;
mod programs;
mod reader;
mod ring;
mod turns;

pub use clock::Offset;
pub use freed::return_freed_after;
pub use plan::{Choice, PassedOver, Plan};
pub use privileges::{KEPT, drop_privileges};
pub use probe::{Report, Trial, attempt, probe};
pub use programs::{Cost, Filter, LoadError, Policies, Programs, Runtimes, Settings, Verdicts};
pub use reader::{Losses, Reader, Waker};
pub use wirespan_proto::event;

/// Are the kernel programs part of this build?
#[must_use]
pub fn embedded() -> bool {
    !object::OBJECT.is_empty()
}
