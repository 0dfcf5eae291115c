//! Every contract that crosses a boundary of wirespan.
//!
//! * [`event`]: what one kernel observation says, in the types the agent's stages speak.
//! * [`abi`]: the same, as the bytes that kernel programs and daemon share. Both compilers prove its layout.
//!
//! No I/O, no allocation, no knowledge of kernel structures.
#![no_std]
#![forbid(unsafe_code)]

pub mod abi;
pub mod event;
