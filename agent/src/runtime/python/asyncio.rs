//! Comes in: an interpreter, and a process that runs it. Goes out: where asyncio has the tasks that run, and how they lead to
//! those that wait for them. Refuses: versions of which this is not known, and what is not where it should be.
//!
//! The way in memory is `PyInterpreterState_Main()`, its modules, the module `_asyncio`, its variable `_current_tasks`. The
//! first two places are taken from the code of two short functions; objects are laid out as each version has them (`Include/cpython`,
//! `Objects/dict-common.h`, `Modules/_asynciomodule.c`, x86-64). Kernel programs check all that they find.

use wirespan_proto::event::{Awaited, GroupFields};

use super::{code, length};
use crate::runtime::{
    elf,
    memory::{Image, Process},
};

/// Of a module and of what is looked for in it.
const MODULE: &[u8] = b"_asyncio";
const TASKS: &[u8] = b"_current_tasks";
/// Entries of a dictionary that are looked at.
const MOST_ENTRIES: u64 = 1 << 16;
/// Offsets of the modules in `PyInterpreterState` that are thinkable; 0x38 to 0x1de8 have been seen.
const MODULES: std::ops::Range<u32> = 0x38..0x8000;
/// `PyModuleObject::md_dict`.
const NAMES: u64 = 16;
/// `PyDictObject::ma_keys`.
const KEYS: u64 = 32;

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asyncio {
    /// Address of the word that points at the main interpreter.
    interpreter: u64,
    /// Of the modules in that.
    modules: u32,
    /// Address of the type of functions.
    function: u64,
    version: Version,
}

/// Offsets that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    /// Are the keys of dictionaries as they are since 3.11?
    packed: bool,
    /// Of a string's bytes.
    text: u64,
    context: u32,
    closure: u32,
    wakes: u32,
    group: Option<GroupFields>,
}

/// CPython 3.8 to 3.13.
fn version(minor: u32) -> Option<Version> {
    let outside = |before, behind| Some(GroupFields::Outside { before, behind });
    let (text, context, closure, wakes, group) = match minor {
        8 => (48, 128, 48, 16, None),
        9 => (48, 168, 48, 16, None),
        10 => (48, 176, 72, 24, None),
        11 => (48, 152, 72, 24, outside(32, 32)),
        12 => (40, 152, 72, 24, outside(24, 33)),
        13 => (40, 136, 72, 24, Some(GroupFields::Inside(56))),
        _ => return None,
    };
    Some(Version { packed: minor >= 11, text, context, closure, wakes, group })
}

/// The minor version, by what the interpreter exports: its number since 3.11, functions that came with each before.
fn minor(elf: &elf::Elf<'_>) -> Option<u32> {
    if let Some(number) = elf.exported(b"Py_Version") {
        let number = elf.memory(number.value, 4)?;
        let &[_, _, minor, 3] = number.as_slice() else { return None };
        return Some(minor.into());
    }
    let names: [(&[u8], u32); 3] =
        [(b"Py_NewRef", 10), (b"PyInterpreterState_Get", 9), (b"PyCode_NewWithPosOnlyArgs", 8)];
    names.iter().find(|(name, _)| elf.exported(name).is_some()).map(|(_, minor)| *minor)
}

/// What a file that holds an interpreter says.
pub(super) fn find(elf: &elf::Elf<'_>, runtime: u64) -> Option<Asyncio> {
    let version = version(minor(elf)?)?;
    let code = |name| {
        let function = elf.exported(name)?;
        Some((elf.memory(function.value, length(&function))?, function.value))
    };
    let (main, address) = code(b"PyInterpreterState_Main")?;
    let interpreter = code::interpreter(&main, address, runtime)?;
    let (list, _) = code(b"PyImport_GetModuleDict")?;
    let modules = code::tested_in(&list, MODULES)?;
    let function = elf.exported(b"PyFunction_Type")?.value;
    Some(Asyncio { interpreter, modules, function, version })
}

impl Asyncio {
    /// In this process, `None` where it has not loaded asyncio; `image` is the interpreter in it.
    pub(super) fn awaited(&self, process: &Process, image: &Image) -> Option<Awaited> {
        let memory = process.memory()?;
        let running = self.running(image.address(self.interpreter), &|at, into| memory.read(at, into))?;
        let Version { packed, context, closure, wakes, group, .. } = self.version;
        let function = image.address(self.function);
        Some(Awaited { running, function, packed, context, closure, wakes, group })
    }

    /// From the word that points at the main interpreter to the dictionary of what runs.
    fn running(&self, main: u64, read: Read<'_>) -> Option<u64> {
        let interpreter = word(main, read)?;
        let modules = word(interpreter.checked_add(self.modules.into())?, read)?;
        let module = self.version.get(modules, MODULE, read)?;
        let names = word(module.checked_add(NAMES)?, read)?;
        self.version.get(names, TASKS, read)
    }
}

/// Reads some memory.
type Read<'a> = &'a dyn Fn(u64, &mut [u8]) -> Option<()>;

impl Version {
    /// The value that a dictionary has for this name.
    fn get(&self, dictionary: u64, name: &[u8], read: Read<'_>) -> Option<u64> {
        let keys = word(dictionary.checked_add(KEYS)?, read)?;
        let head: [u64; 4] = words(keys.checked_add(8)?, read)?;
        // The number of indices and their width, then the entries: hash, name and value, or since 3.11, where all names are
        // strings (kind 1), name and value. No module has values apart from its names (kind 2).
        let (entries, count, hashed) = if self.packed {
            let (shift, kind) = (head[0] >> 8 & 31, head[0] >> 16 & 255);
            (keys.checked_add(32 + (1 << shift))?, head[2], [true, false].get(kind as usize).copied()?)
        } else {
            let width = if head[0] <= 0xff {
                1
            } else if head[0] <= 0xffff {
                2
            } else {
                4
            };
            (keys.checked_add(40)?.checked_add(head[0].checked_mul(width)?)?, head[3], true)
        };
        if count > MOST_ENTRIES {
            return None;
        }
        let (stride, at) = if hashed { (3, 1) } else { (2, 0) };
        let mut all = vec![0; count as usize * stride * 8];
        read(entries, &mut all)?;
        let (words, _) = all.as_chunks::<8>();
        let mut entries =
            words.chunks_exact(stride).map(|entry| [entry[at], entry[at + 1]].map(u64::from_le_bytes));
        entries
            .find(|[key, value]| *key != 0 && *value != 0 && self.is(*key, name, read))
            .map(|[_, value]| value)
    }

    /// Is it this string?
    fn is(&self, object: u64, name: &[u8], read: Read<'_>) -> bool {
        let mut text = [0; TASKS.len()];
        let text = &mut text[..name.len()];
        word(object.wrapping_add(16), read) == Some(name.len() as u64)
            && read(object.wrapping_add(self.text), text).is_some()
            && text == name
    }
}

fn word(at: u64, read: Read<'_>) -> Option<u64> {
    words::<1>(at, read).map(|[word]| word)
}

fn words<const N: usize>(at: u64, read: Read<'_>) -> Option<[u64; N]> {
    let mut words = [[0; 8]; N];
    read(at, words.as_flattened_mut())?;
    Some(words.map(u64::from_le_bytes))
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::BTreeMap};

    use super::*;

    /// Where the word is that points at the interpreter.
    const MAIN: u64 = 0x1000;
    /// Of `_current_tasks`.
    const RUNNING: u64 = 0x7fff_dead_bee0;
    /// Bytes that two dictionaries can be worth: their keys, all entries, and the length and text of each name.
    const MOST_BYTES: usize = 2 * (64 + MOST_ENTRIES as usize * (24 + 8 + TASKS.len()));

    /// How a dictionary is laid out.
    #[derive(Clone, Copy, Debug)]
    enum Kind {
        /// Until 3.10, so many indices.
        Sized(u64),
        General,
        Strings,
    }

    /// Of an interpreter of this minor version.
    struct Memory {
        version: Version,
        parts: BTreeMap<u64, Vec<u8>>,
        read: Cell<usize>,
    }

    impl Memory {
        /// Both dictionaries of one kind, other names of the same lengths before what is looked for.
        fn new(minor: u32, kind: Kind) -> Self {
            Self::with(minor, kind, [b"_asyncio", b"_current_tasks"])
        }

        fn with(minor: u32, kind: Kind, [module, tasks]: [&[u8]; 2]) -> Self {
            let version = version(minor).unwrap();
            let mut memory = Self { version, parts: BTreeMap::new(), read: Cell::new(0) };
            memory.put(&[0]);
            let names =
                memory.dictionary(kind, &[(b"__name__", 8), (b"_current_taskz", 16), (tasks, RUNNING)]);
            let object = memory.put(&[1, 0x10, names]);
            let modules = memory.dictionary(kind, &[(b"sys", 24), (b"_asyncix", 32), (module, object)]);
            let interpreter = memory.put(&[0, 0, 0, 0, 0, 0, 0, modules]);
            memory.set(MAIN, interpreter);
            memory
        }

        /// Puts words where nothing is.
        fn put(&mut self, words: &[u64]) -> u64 {
            self.put_bytes(words.iter().flat_map(|word| word.to_le_bytes()).collect())
        }

        fn put_bytes(&mut self, bytes: Vec<u8>) -> u64 {
            let at = MAIN + 0x10000 * self.parts.len() as u64;
            self.parts.insert(at, bytes);
            at
        }

        fn set(&mut self, at: u64, word: u64) {
            let (start, part) = self.parts.range_mut(..=at).next_back().unwrap();
            let at = (at - start) as usize;
            part[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }

        fn string(&mut self, text: &[u8]) -> u64 {
            let mut bytes = [1, 0x20, text.len() as u64].map(u64::to_le_bytes).as_flattened().to_vec();
            bytes.resize(self.version.text as usize, 0xee);
            bytes.extend(text);
            self.put_bytes(bytes)
        }

        /// A free entry stands first: something was deleted.
        fn dictionary(&mut self, kind: Kind, entries: &[(&[u8], u64)]) -> u64 {
            let count = entries.len() as u64 + 1;
            let (head, indices): ([u64; 5], usize) = match kind {
                Kind::Sized(size) => {
                    ([1, size, 0x30, 1, count], if size <= 255 { size } else { 2 * size } as usize)
                }
                Kind::General => ([1, 3 | 3 << 8, 1, count, 0], 0),
                Kind::Strings => ([1, 3 | 4 << 8 | 1 << 16, 1, count, 0], 8),
            };
            let mut keys = head.map(u64::to_le_bytes).as_flattened().to_vec();
            keys.resize(keys.len() + indices, 0xff);
            let hash: &[u64] = if matches!(kind, Kind::Strings) { &[] } else { &[0x5eed] };
            let none = (0, 0);
            let named: Vec<_> = entries.iter().map(|(name, value)| (self.string(name), *value)).collect();
            for (name, value) in std::iter::once(none).chain(named) {
                let words = [hash, &[name, value]].concat();
                keys.extend(words.into_iter().flat_map(u64::to_le_bytes));
            }
            let keys = self.put_bytes(keys);
            self.put(&[1, 0x40, 3, 7, keys, 0])
        }

        fn read(&self, at: u64, into: &mut [u8]) -> Option<()> {
            self.read.set(self.read.get() + into.len());
            let (start, part) = self.parts.range(..=at).next_back()?;
            let from = usize::try_from(at - start).ok()?;
            into.copy_from_slice(part.get(from..from.checked_add(into.len())?)?);
            Some(())
        }

        fn running(&self) -> Option<u64> {
            let asyncio = Asyncio { interpreter: 0, modules: 56, function: 0, version: self.version };
            asyncio.running(MAIN, &|at, into| self.read(at, into))
        }

        /// The address of each word.
        fn words(&self) -> Vec<u64> {
            let of = |(start, part): (&u64, &Vec<u8>)| {
                let start = *start;
                (0..part.len() as u64 / 8).map(move |word| start + 8 * word)
            };
            self.parts.iter().flat_map(of).collect()
        }
    }

    /// As interpreters of that version have them.
    const ALL: [(u32, Kind); 9] = [
        (8, Kind::Sized(8)),
        (9, Kind::Sized(255)),
        (10, Kind::Sized(256)),
        (10, Kind::Sized(8)),
        (11, Kind::General),
        (11, Kind::Strings),
        (12, Kind::Strings),
        (13, Kind::General),
        (13, Kind::Strings),
    ];

    #[test]
    fn what_runs_is_found_by_its_names() {
        for (minor, kind) in ALL {
            assert_eq!(Memory::new(minor, kind).running(), Some(RUNNING), "3.{minor}, {kind:?}");
        }
    }

    #[test]
    fn other_names_are_not_it() {
        let none: &[[&[u8]; 2]] = &[
            [b"_asyncia", b"_current_tasks"],
            [b"_asyncio", b"_current_taskt"],
            [b"_asyncio", b"_current_task"],
            [b"asyncio", b"_current_tasks"],
        ];
        for (minor, kind) in ALL {
            for names in none {
                assert_eq!(
                    Memory::with(minor, kind, *names).running(),
                    None,
                    "3.{minor}, {kind:?}, {names:?}"
                );
            }
        }
    }

    #[test]
    fn versions_that_are_not_known_are_refused() {
        for minor in [0, 7, 14, 255] {
            assert_eq!(version(minor), None, "3.{minor}");
        }
    }

    /// Whatever a word is: a value of the dictionary is found, or nothing, and a bounded part of the memory is read.
    #[test]
    fn no_memory_leads_astray() {
        for (minor, kind) in ALL {
            let places = Memory::new(minor, kind).words();
            for place in &places {
                let wrong =
                    [0, 1, 7, 8, u64::MAX, u64::MAX - 40, 1 << 63, MOST_ENTRIES, 0xff_ffff, MAIN, *place];
                for value in wrong.into_iter().chain(places.iter().copied().step_by(5)) {
                    let mut memory = Memory::new(minor, kind);
                    memory.set(*place, value);
                    let found = memory.running();
                    let fits = found.is_none_or(|found| [8, 16, RUNNING, value].contains(&found));
                    assert!(fits, "3.{minor}, {kind:?}: {value:#x} at {place:#x} leads to {found:x?}");
                    assert!(memory.read.get() <= MOST_BYTES, "{} bytes", memory.read.get());
                }
            }
        }
    }

    #[test]
    fn cut_memory_is_refused() {
        for (minor, kind) in ALL {
            let starts: Vec<_> = Memory::new(minor, kind).parts.keys().copied().collect();
            for start in starts {
                let mut memory = Memory::new(minor, kind);
                memory.parts.get_mut(&start).unwrap().clear();
                let found = memory.running();
                assert!(
                    found.is_none() || found == Some(RUNNING),
                    "3.{minor}, {kind:?}, {start:#x}: {found:x?}"
                );
            }
        }
    }

    #[test]
    fn too_many_entries_are_refused_unread() {
        let memory = |count: u64| {
            let mut memory = Memory::new(12, Kind::Strings);
            let modules = memory.parts.keys().rev().nth(2).copied().unwrap();
            memory.set(modules + 24, count);
            assert_eq!(memory.running(), None, "{count}");
            memory.read.get()
        };
        assert!(memory(MOST_ENTRIES) >= MOST_ENTRIES as usize * 16);
        for count in [MOST_ENTRIES + 1, u64::MAX / 8, u64::MAX] {
            assert!(memory(count) < 100, "{count}");
        }
    }
}
