//! The compiled kernel programs, embedded. Empty where the build had no BPF tools.

/// Bytes aligned as an ELF reader wants them.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/wirespan.bpf.o")));

/// The object.
pub(crate) static OBJECT: &[u8] = &ALIGNED.0;
