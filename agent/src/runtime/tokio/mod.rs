//! tokio. Recognised by the thread-local variable `tokio::runtime::context::CONTEXT`; reads the number of the task that
//! the thread polls (`current_task_id`), one word, and the next task's number (`NEXT_ID`), another. Cost: `docs/causality.md`.
//! Without symbols nothing is known: threads. Without that of the second word, nor who starts whom.
//!
//! The layout of `Context` is the compiler's choice, so the place of the number within it is taken from the code that sets
//! it: a function of its own or, with link-time optimisation, a part of those that poll tasks.

mod code;

use std::collections::BTreeSet;

use wirespan_proto::event::TaskPlace;

use super::{Adapter, Found, Unknown, elf};

/// The line in the registry.
pub(super) const ADAPTER: Adapter = Adapter { name: "tokio", find };

/// Part of the mangled name of `tokio::runtime::context::CONTEXT`, in both manglings.
const CONTEXT: &[u8] = b"5tokio7runtime7context7CONTEXT";
/// Of `tokio::runtime::context::set_current_task_id`.
const SETTER: &[u8] = b"5tokio7runtime7context19set_current_task_id";
/// Parts of the mangled name of `tokio::runtime::task::id::Id::next::NEXT_ID`, in both manglings.
const ID: &[u8] = b"5tokio7runtime4task2id";
const NEXT: &[u8] = b"2Id4next7NEXT_ID";
/// Part of the path in tokio's panic messages, in the binary's read-only data, stripped or not.
const PATH: &[u8] = b"/tokio-1.";
/// Lengths that it can have, bytes.
const SETTER_LEN: std::ops::Range<u64> = 16..512;
/// Of `tokio::runtime::task::raw::poll`, one for each type of task.
const POLL: &[u8] = b"5tokio7runtime4task3raw4poll";
/// Lengths that it can have, bytes.
const POLL_LEN: std::ops::Range<u64> = 64..32_768;
/// Functions of one name that are looked into.
const MAX_FUNCTIONS: usize = 64;
/// Bytes of read-only data that are searched.
const MAX_DATA: usize = 8 << 20;

fn find(elf: &elf::Elf<'_>) -> Option<Result<Found, Unknown>> {
    let contexts = elf.symbols(elf::THREAD_LOCAL, |_| true, |name| contains(name, CONTEXT), 2);
    match contexts.as_slice() {
        [] if mentioned(elf) => Some(Err(Unknown::NoSymbols)),
        [] => None,
        [context] => Some(place(elf, context).map(Found::Task).ok_or(Unknown::Code)),
        // Two versions of tokio in one program: which of them polls is not known.
        _ => Some(Err(Unknown::Several)),
    }
}

fn place(elf: &elf::Elf<'_>, context: &elf::Symbol) -> Option<TaskPlace> {
    let start = elf.thread_place(context.value)?;
    let last = start.checked_add_unsigned(context.len.checked_sub(8)?)?;
    let within = |word: &i64| (start..=last).contains(word) && word % 8 == 0;
    let setters = exchanges(elf, SETTER, SETTER_LEN);
    // Optimised code counts from the context or from the thread pointer; the two cannot be mistaken on x86-64, where the
    // context lies below it. In code that does more than this, only the latter says whose place it is.
    let words: BTreeSet<i64> = if setters.is_empty() {
        exchanges(elf, POLL, POLL_LEN).into_iter().filter(|word| *word < 0 && within(word)).collect()
    } else {
        setters.into_iter().map(|from| if from < 0 { from } else { start.saturating_add(from) }).collect()
    };
    let mut words = words.into_iter();
    let word = words.next().filter(|_| words.next().is_none()).filter(within)?;
    Some(TaskPlace { next: next(elf), ..TaskPlace::at(word) })
}

/// The address in the file of the word that has the next task's number.
fn next(elf: &elf::Elf<'_>) -> Option<u64> {
    let named = |name: &[u8]| contains(name, ID) && contains(name, NEXT);
    match elf.symbols(elf::VARIABLE, |len| len == 8, named, 2).as_slice() {
        [next] => Some(next.value),
        _ => None,
    }
}

/// The places of all exchanges in the functions of this name.
fn exchanges(elf: &elf::Elf<'_>, name: &[u8], len: std::ops::Range<u64>) -> BTreeSet<i64> {
    let named = |found: &[u8]| contains(found, name);
    let functions = elf.symbols(elf::FUNCTION, |found| len.contains(&found), named, MAX_FUNCTIONS);
    let codes = functions.iter().filter_map(|function| elf.memory(function.value, function.len as usize));
    codes.flat_map(|code| code::exchanged(elf.machine, &code)).collect()
}

fn mentioned(elf: &elf::Elf<'_>) -> bool {
    elf.section(".rodata", MAX_DATA).is_some_and(|data| contains(&data, PATH))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
