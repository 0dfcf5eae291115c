//! Go. Recognised by the section `.go.buildinfo`, which stripping leaves; reads the number of the goroutine that the
//! thread runs and that of the goroutine that started it, two or three words by way of the pointer to `runtime.g` in
//! thread-local storage. Cost: `docs/causality.md`. Versions that are not in the table, and arm64, where the pointer is in
//! a register: threads.

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

/// Offsets of `goid` and `parentGoid` in `runtime.g` on 64-bit machines (`src/runtime/runtime2.go`). Go 1.23 put
/// `syscallbp` before `goid`, Go 1.25 took `gobuf.ret` away; `parentGoid` came with Go 1.21.
fn fields(version: &str) -> Option<TaskFields> {
    let (id, starter) = match minor(version)? {
        18..=22 | 25 => (152, None),
        23 | 24 => (160, None),
        26 => (152, Some(PARENT_1_26)),
        _ => return None,
    };
    Some(TaskFields { id, starter })
}

/// The 26 of Go 1.26.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("go1.")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// From the DWARF of a program built with Go 1.26.8.
const PARENT_1_26: u32 = 280;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_their_offsets() {
        let id = |version| fields(version).map(|fields| fields.id);
        assert_eq!(id("go1.22.5"), Some(152));
        assert_eq!(id("go1.24rc1"), Some(160));
        assert_eq!(id("go1.26.8"), Some(152));
        for unknown in ["go1.99", "go1.4", "go2.1", "devel go1.26-abcdef", ""] {
            assert_eq!(fields(unknown), None, "{unknown}");
        }
    }
}
