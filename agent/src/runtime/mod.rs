//! Comes in: a process. Goes out: where its language runtime keeps the identity of the task that a thread runs. Refuses: to
//! guess a place, and to tell a runtime by a program's name: what is not in the executable's own content is not known, and
//! the process's threads stand for its tasks.
//!
//! An adapter is a folder and a line in [`ADAPTERS`].

mod elf;
mod finder;
mod go;
mod memory;
mod python;
mod tokio;

use std::{fmt, fs::File, os::unix::fs::FileExt};

use wirespan_proto::event::TaskPlace;

pub(crate) use self::finder::{Finder, Programs};

/// One runtime.
struct Adapter {
    /// As people call it.
    name: &'static str,
    /// `None`: another runtime's program. Else the place, or why it is not known.
    find: fn(&elf::Elf<'_>) -> Option<Result<Found, Unknown>>,
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The same place in every process.
    Task(TaskPlace),
    /// The place depends on the process.
    Context(python::Layout),
}

/// Every runtime; the first that recognises a program has it.
const ADAPTERS: [Adapter; 3] = [go::ADAPTER, tokio::ADAPTER, python::ADAPTER];

/// The runtime of an executable or library.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kind {
    name: &'static str,
    found: Result<Found, Unknown>,
}

/// A process's runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Runtime {
    /// As people call it.
    pub(crate) name: &'static str,
    /// Where its tasks are.
    pub(crate) tasks: Result<TaskPlace, Unknown>,
}

/// Why a runtime's tasks are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Stripped.
    NoSymbols,
    /// The place does not stand out in the code.
    Code,
    /// Several copies of the runtime.
    Several,
    /// A version of which no offsets are known.
    Version(String),
    /// The C library is not glibc.
    Library,
    /// The process's memory could not be read, or does not hold what it should.
    Memory,
    /// A machine on which the runtime keeps its task elsewhere.
    Machine,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSymbols => f.write_str("it is stripped"),
            Self::Code => f.write_str("its code is not as known (link-time optimisation?)"),
            Self::Several => f.write_str("it holds several copies of the runtime"),
            Self::Version(version) => write!(f, "the offsets of {version} are not known"),
            Self::Library => f.write_str("its C library is not glibc"),
            Self::Memory => f.write_str("its memory cannot be read, or it has only just started"),
            Self::Machine => f.write_str("not on this kind of machine"),
        }
    }
}

/// The runtime of an executable; `None` where no adapter recognises it. Reads a few kB, with a large table of symbols some
/// MB.
fn recognise(executable: &dyn FileExt) -> Option<Kind> {
    let elf = elf::Elf::read(executable)?;
    ADAPTERS.iter().find_map(|adapter| (adapter.find)(&elf).map(|found| Kind { name: adapter.name, found }))
}

/// The executable of a process, also where it lies in another mount namespace or has been deleted.
fn executable(pid: u32) -> Option<File> {
    File::open(format!("/proc/{pid}/exe")).ok()
}

#[cfg(test)]
mod tests;
