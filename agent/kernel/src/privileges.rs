//! Gives away what only loading needed. Comes in: a thread that may do everything. Goes out: one that may read about
//! processes and write to the maps that it has open. Refuses: taking anything that was not there before.
//!
//! capabilities(7); the system calls are `capget` and `capset` of `linux/capability.h`, version 3.

use std::io;

/// What stays: name and number (`linux/capability.h`). Whose requests they are stands in `/proc/PID/exe`, `environ` and
/// `root`, and where an interpreter keeps its tasks in `maps` and `mem`: `CAP_SYS_PTRACE` opens them. Files below another root
/// are read by `CAP_DAC_READ_SEARCH`; before Linux 5.19 every `bpf` call wanted `CAP_BPF`, the update of an open map too. A
/// thread that let others go first comes back by `CAP_SYS_NICE`.
pub const KEPT: [(&str, u32); 4] =
    [("CAP_DAC_READ_SEARCH", 2), ("CAP_SYS_PTRACE", 19), ("CAP_SYS_NICE", 23), ("CAP_BPF", 39)];

/// `_LINUX_CAPABILITY_VERSION_3`: 64 bits in two words.
const VERSION: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Drops every capability but [`KEPT`] of this thread and of those that it starts from now on, for ever: not even a
/// program of root's that it ran would get one back. Call it before threads are started.
///
/// # Errors
/// The kernel refuses, which no kernel in its normal state does: having fewer is always allowed.
pub fn drop_privileges() -> io::Result<()> {
    bound();
    let mut words = read()?;
    for (word, mask) in words.iter_mut().zip(masks()) {
        word.effective &= mask;
        word.permitted &= mask;
        word.inheritable &= mask;
    }
    write(&words)
}

/// What stays, as the two words have it.
fn masks() -> [u32; 2] {
    KEPT.iter().fold([0; 2], |[low, high], (_, number)| {
        let bit = 1_u64 << number;
        [low | bit as u32, high | (bit >> 32) as u32]
    })
}

/// Takes the rest out of the bounding set. It needs `CAP_SETPCAP`; who lacks it could not hand much on anyway.
fn bound() {
    for number in (0..64).filter(|number| KEPT.iter().all(|(_, kept)| kept != number)) {
        // SAFETY: takes numbers and gives one; unknown capabilities are an error without effect.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) };
    }
}

fn read() -> io::Result<[Word; 2]> {
    let (header, mut words) = (Header { version: VERSION, pid: 0 }, [Word::default(); 2]);
    // SAFETY: version 3 fills two words, and 0 is this thread.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw const header, words.as_mut_ptr()) };
    if result == 0 { Ok(words) } else { Err(io::Error::last_os_error()) }
}

fn write(words: &[Word; 2]) -> io::Result<()> {
    let header = Header { version: VERSION, pid: 0 };
    // SAFETY: version 3 reads two words, and 0 is this thread.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, words.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `CapEff` of the calling thread.
    fn effective() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    }

    /// On a thread of its own, because it is for ever.
    #[test]
    fn no_more_stays_than_is_listed() {
        let before = effective();
        let after = std::thread::spawn(|| {
            drop_privileges().unwrap();
            effective()
        });
        let kept = KEPT.iter().fold(0, |kept, (_, number)| kept | 1_u64 << number);
        assert_eq!(after.join().unwrap(), before & kept);
        assert_eq!(effective(), before, "other threads keep theirs");
    }
}
