//! Comes in: a process. Goes out: where its language runtime keeps the identity of the task that a thread runs. Refuses: to
//! guess a place, and to tell a runtime by a program's name: what is not in the executable's own content is not known, and
//! the process's threads stand for its tasks.
//!
//! An adapter is a folder and a line in [`ADAPTERS`].

mod elf;
mod finder;
mod go;
mod tokio;

use std::{fmt, fs::File, os::unix::fs::FileExt};

use wirespan_proto::event::TaskPlace;

pub(crate) use self::finder::{Finder, Programs};

/// One runtime.
struct Adapter {
    /// As people call it.
    name: &'static str,
    /// `None`: another runtime's program. Else the place, or why it is not known.
    find: fn(&elf::Elf<'_>) -> Option<Result<TaskPlace, Unknown>>,
}

/// Every runtime; the first that recognises a program has it.
const ADAPTERS: [Adapter; 2] = [go::ADAPTER, tokio::ADAPTER];

/// A program's runtime.
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
            Self::Machine => f.write_str("not on this kind of machine"),
        }
    }
}

/// The runtime of an executable; `None` where no adapter recognises it. Reads a few kB, with a large table of symbols some
/// MB.
fn recognise(executable: &dyn FileExt) -> Option<Runtime> {
    let elf = elf::Elf::read(executable)?;
    ADAPTERS
        .iter()
        .find_map(|adapter| (adapter.find)(&elf).map(|tasks| Runtime { name: adapter.name, tasks }))
}

/// The executable of a process, also where it lies in another mount namespace or has been deleted.
fn executable(pid: u32) -> Option<File> {
    File::open(format!("/proc/{pid}/exe")).ok()
}

#[cfg(test)]
mod tests;
