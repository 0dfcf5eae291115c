//! Go. Recognised by the section `.go.buildinfo`, which stripping leaves; reads the number of the goroutine that the
//! thread runs and, since Go 1.21, that of the goroutine that started it, two or three words by way of the pointer to
//! `runtime.g` in thread-local storage. Cost: `docs/causality.md`. Versions that are not in the table, and arm64, where
//! the pointer is in a register: threads.

mod build;
mod functions;
mod writers;

use wirespan_proto::event::{TaskFields, TaskPlace};

use super::{Adapter, Found, Unknown, elf};

/// The line in the registry.
pub(super) const ADAPTER: Adapter = Adapter { name: "Go", find };

/// Bytes of build information that are looked at: its head and the version.
const MAX_BUILD: usize = 256;
/// Length of the thread-local storage of a program without C: the pointer to `runtime.g` alone. A program that was built without
/// support for C says nothing of any, and has it in the same place (`settls`, `src/runtime/sys_linux_amd64.s`).
const OWN: u64 = 8;
/// That place, from the thread pointer.
const BELOW: i64 = -8;

fn find(elf: &elf::Elf<'_>) -> Option<Result<Found, Unknown>> {
    let build = elf.section(".go.buildinfo", MAX_BUILD)?;
    let version = build::version(&build)?;
    Some(place(elf, &version).map(Found::Task))
}

fn place(elf: &elf::Elf<'_>, version: &str) -> Result<TaskPlace, Unknown> {
    if elf.machine != elf::X86_64 {
        return Err(Unknown::Machine);
    }
    let within = fields(version).ok_or_else(|| Unknown::Version(version.to_owned()))?;
    let word = match elf.thread_local_len() {
        0 | OWN => BELOW,
        _ => {
            let pointers = elf.symbols(elf::THREAD_LOCAL, |_| true, |name| name == b"runtime.tlsg", 1);
            let at = pointers.first().ok_or(Unknown::NoSymbols)?.value;
            elf.thread_place(at).ok_or(Unknown::Code)?
        }
    };
    Ok(TaskPlace { within: Some(within), writers: writers::find(elf, version), ..TaskPlace::at(word) })
}

/// Offsets of `goid` and `parentGoid` in `runtime.g` on 64-bit machines (`src/runtime/runtime2.go`). `parentGoid` came
/// with Go 1.21; Go 1.23 put `syscallbp` before both, Go 1.25 took `gobuf.ret` away, Go 1.26 put two flags between
/// them (`fipsOnlyBypass`, `ditWanted`).
/// From the DWARF of programs built with Go 1.19.8, 1.21.13, 1.22.12, 1.23.5, 1.24.4, 1.25.12 and 1.26.8; for 1.18 and
/// 1.20 from the code of `runtime.newproc1` in stripped programs of 1.18.4 and 1.20.4; for 1.27 computed from the source of
/// 1.27.3 (`go/types` with the compiler's sizes, which finds those of 1.21 to 1.26 as DWARF has them), which the code of
/// `runtime.newproc1` in stripped programs of 1.27.0 and 1.27.2 bears out, and what the second of these has in memory.
fn fields(version: &str) -> Option<TaskFields> {
    let (id, starter) = match minor(version)? {
        18..=20 => (152, None),
        21 | 22 | 25 => (152, Some(272)),
        23 | 24 => (160, Some(280)),
        26 | 27 => (152, Some(280)),
        _ => return None,
    };
    Some(TaskFields { id, starter })
}

/// The 26 of Go 1.26.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("go1.")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_their_offsets() {
        for (version, id, starter) in [
            ("go1.18", 152, None),
            ("go1.19.8", 152, None),
            ("go1.20.14", 152, None),
            ("go1.21.13", 152, Some(272)),
            ("go1.22.12", 152, Some(272)),
            ("go1.23.5", 160, Some(280)),
            ("go1.24rc1", 160, Some(280)),
            ("go1.25.12", 152, Some(272)),
            ("go1.26.8", 152, Some(280)),
            ("go1.27.3", 152, Some(280)),
        ] {
            assert_eq!(fields(version), Some(TaskFields { id, starter }), "{version}");
        }
        for unknown in ["go1.17.13", "go1.28", "go1.99", "go1.4", "go2.1", "devel go1.26-abcdef", ""] {
            assert_eq!(fields(unknown), None, "{unknown}");
        }
    }
}
