//! CPython 3.7 and later. Recognised by what it exports, as a program or as a library in one; reads the context
//! (`contextvars`) that the thread runs in, two words: every task of asyncio has one of its own, as has every callback. Of what a task
//! of asyncio sends (3.8 to 3.13), also who waits for that task: five words where nobody does, else up to some twenty.
//! Cost: `docs/causality.md`. Where there is no context, where the C library is not glibc, and on arm64: threads.
//!
//! A thread finds its state as the value of a pthread key, whether it holds the interpreter's lock or not. The key's number
//! is in the program's memory; where glibc keeps the values it tells debuggers (`nptl_db/structs.def`).

mod asyncio;
mod code;

use std::os::unix::fs::FileExt;

use wirespan_proto::event::{TaskFields, TaskPlace};

use self::{asyncio::Asyncio, code::State};
use super::{
    Adapter, Found, Unknown, elf,
    memory::{Image, Process},
};

/// The line in the registry.
pub(super) const ADAPTER: Adapter = Adapter { name: "Python", find };

/// Part of the file name of the library.
pub(super) const LIBRARY: &str = "libpython";

/// Bytes of code that are looked at; the functions are shorter.
const MAX_CODE: usize = 160;
/// Keys whose values stand in the thread itself (glibc's `nptl/descr.h`, `PTHREAD_KEY_2NDLEVEL_SIZE`).
const KEYS: u32 = 32;
/// Bytes of a value and its sequence number, in `struct pthread_key_data`, and of the value's place in it.
const PAIR: (i64, i64) = (16, 8);
/// Length of a description for debuggers: bits, elements, offset.
const DESCRIPTION: usize = 12;

/// Where an interpreter keeps its contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    state: State,
    /// Of the context in the thread's state.
    context: u32,
    asyncio: Option<Asyncio>,
}

fn find(elf: &elf::Elf<'_>) -> Option<Result<Found, Unknown>> {
    let runtime = elf.exported(b"_PyRuntime")?;
    let copy = elf.exported(b"PyContext_CopyCurrent")?;
    let state = elf.exported(b"PyGILState_GetThisThreadState")?;
    if elf.machine != elf::X86_64 {
        return Some(Err(Unknown::Machine));
    }
    let layout = || {
        let state = code::state(&elf.memory(state.value, length(&state))?, state.value, runtime.value)?;
        let asyncio = asyncio::find(elf, runtime.value);
        Some(Found::Context(Layout { state, context: context(elf, &copy)?, asyncio }))
    };
    Some(layout().ok_or(Unknown::Code))
}

fn context(elf: &elf::Elf<'_>, copy: &elf::Symbol) -> Option<u32> {
    let code = elf.memory(copy.value, length(copy))?;
    code::context(&code).or_else(|| {
        let callee = code::callee(&code, copy.value)?;
        code::context(&elf.memory(callee, MAX_CODE)?)
    })
}

fn length(function: &elf::Symbol) -> usize {
    usize::try_from(function.len).unwrap_or(MAX_CODE).min(MAX_CODE)
}

impl Layout {
    /// Where the threads of this process have their contexts; `image` is the interpreter in it.
    pub(super) fn place(&self, process: &Process, image: &Image) -> Result<TaskPlace, Unknown> {
        let within = Some(TaskFields { id: self.context, starter: None });
        let word = match self.state {
            State::Word(word) => word,
            State::Key(address) => {
                let number = process.word(image.address(address)).ok_or(Unknown::Memory)?;
                let values = values(process).ok_or(Unknown::Library)?;
                let key = Some(number).filter(|number| *number < KEYS).ok_or(Unknown::Memory)?;
                values + i64::from(key) * PAIR.0 + PAIR.1
            }
        };
        let awaited = self.asyncio.and_then(|asyncio| asyncio.awaited(process, image));
        Ok(TaskPlace { within, awaited, ..TaskPlace::at(word) })
    }
}

/// From the thread pointer to the values of the first keys: they stand before the table of all of them, which debuggers
/// are told of. The thread pointer is the address of glibc's own structure of the thread.
fn values(process: &Process) -> Option<i64> {
    let of_glibc = |name: &str| {
        name.starts_with("libc.so") || name.starts_with("libc-2") || name.starts_with("libpthread")
    };
    let mut libraries = process.images.iter().filter(|image| of_glibc(image.name()));
    libraries.find_map(|image| table(&image.open(process.pid)?))
}

fn table(library: &dyn FileExt) -> Option<i64> {
    let elf = elf::Elf::read(library)?;
    let description = elf.exported(b"_thread_db_pthread_specific")?;
    let description = elf.memory(description.value, DESCRIPTION)?;
    let words = description.chunks_exact(4).map(|word| word.try_into().map(u32::from_le_bytes).ok());
    let words: Vec<_> = words.collect::<Option<_>>()?;
    let &[bits, _, offset] = words.as_slice() else { return None };
    // As many pointers as keys.
    (bits == KEYS * 64).then_some(i64::from(offset) - i64::from(KEYS) * PAIR.0)
}
