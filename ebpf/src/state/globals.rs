//! Read-only globals that the daemon fills in before load. The verifier knows their values: a branch on a setting
//! costs nothing, and an offset read from here is a constant, as direct reads of kernel structures demand.

use wirespan_proto::abi::{Fields, Settings};

/// What the daemon decided.
#[unsafe(no_mangle)]
// SAFETY: a structure of `u32`s is valid with all bits zero.
pub(crate) static SETTINGS: Settings = unsafe { core::mem::zeroed() };

/// Where this kernel keeps its fields. All zero bits until the daemon fills it in.
#[unsafe(no_mangle)]
// SAFETY: a structure of `u32`s is valid with all bits zero.
pub(crate) static FIELDS: Fields = unsafe { core::mem::zeroed() };

/// Reads a global as it is in memory: the compiler would use the zeros above.
#[inline(always)]
pub(crate) fn load(global: &u32) -> u32 {
    // SAFETY: a reference is aligned and readable.
    unsafe { core::ptr::read_volatile(global) }
}

/// Reads one setting.
macro_rules! setting {
    ($name:ident) => {
        $crate::state::globals::load(&$crate::state::globals::SETTINGS.$name)
    };
}

/// Reads the offset of one kernel field.
macro_rules! offset {
    ($name:ident) => {
        $crate::state::globals::load(&$crate::state::globals::FIELDS.$name) as usize
    };
}

pub(crate) use {offset, setting};
