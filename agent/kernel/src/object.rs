//! The compiled kernel programs, embedded. Empty where the build had no BPF tools.

/// Bytes aligned as an ELF reader wants them.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/wirespan.bpf.o")));
static ALIGNED_OLDER: &Aligned<[u8]> =
    &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/wirespan-older.bpf.o")));

/// The object for Linux 5.12 and later.
pub(crate) static OBJECT: &[u8] = &ALIGNED.0;

/// The object with stand-ins for what kernels before 5.12 lack.
pub(crate) static OLDER: &[u8] = &ALIGNED_OLDER.0;
