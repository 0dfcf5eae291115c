//! Comes in: an executable. Goes out: its sections, symbols and thread-local storage. Refuses: what is not ELF of 64 bits,
//! little endian; reading a whole file; trusting a length that the file states: all reads are bounded, and what does not
//! fit is not there. Layouts: System V ABI, "Object Files"; "ELF Handling For Thread-Local Storage" (U. Drepper).

use std::os::unix::fs::FileExt;

/// `e_machine` of x86-64.
pub(super) const X86_64: u16 = 62;
/// `e_machine` of arm64.
pub(super) const AARCH64: u16 = 183;

/// Symbol types.
pub(super) const VARIABLE: u8 = 1;
pub(super) const FUNCTION: u8 = 2;
pub(super) const THREAD_LOCAL: u8 = 6;

const SYMTAB: u32 = 2;
const DYNSYM: u32 = 11;
const PT_LOAD: u32 = 1;
const PT_TLS: u32 = 7;

const SECTION_LEN: usize = 64;
const SEGMENT_LEN: usize = 56;
const SYMBOL_LEN: usize = 24;

/// Most bytes of the table of section names.
const MAX_NAMES: usize = 64 << 10;
/// Most sections and segments.
const MAX_HEADERS: usize = 1024;
/// Symbols read at once.
const SYMBOLS: usize = 4096;
/// Most symbols looked at: some 100 MB of them.
const MAX_SYMBOLS: u64 = 4 << 20;
/// Bytes of a symbol's name that are looked at.
const MAX_NAME: usize = 256;

/// An executable.
pub(super) struct Elf<'a> {
    file: &'a dyn FileExt,
    pub(super) machine: u16,
    sections: Vec<Section>,
    segments: Vec<Segment>,
}

/// A section, with the name's place in the table of names replaced by the name.
#[derive(Clone, Debug)]
struct Section {
    name: Vec<u8>,
    kind: u32,
    address: u64,
    offset: u64,
    len: u64,
    link: u32,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    file_len: u64,
    len: u64,
    align: u64,
}

/// One symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    /// Address, or offset in the thread-local storage.
    pub(super) value: u64,
    /// Bytes.
    pub(super) len: u64,
}

/// The value of `N` bytes at a place of `bytes`.
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let mut value = [0; 8];
    value.get_mut(..N)?.copy_from_slice(bytes.get(at..at.checked_add(N)?)?);
    Some(u64::from_le_bytes(value))
}

impl<'a> Elf<'a> {
    /// `None`: not such a file.
    pub(super) fn read(file: &'a dyn FileExt) -> Option<Self> {
        let head = bytes(file, 0, 64)?;
        // Magic number, 64 bits, little endian.
        if head.get(..6)? != b"\x7fELF\x02\x01" {
            return None;
        }
        let count = |at| field::<2>(&head, at).map(|count| (count as usize).min(MAX_HEADERS));
        let sections = table(file, field::<8>(&head, 40)?, count(60)?, SECTION_LEN, section);
        let segments = table(file, field::<8>(&head, 32)?, count(56)?, SEGMENT_LEN, segment);
        let mut elf = Self {
            file,
            machine: field::<2>(&head, 18)? as u16,
            sections: sections.unwrap_or_default(),
            segments: segments?,
        };
        elf.name_sections(field::<2>(&head, 62)? as usize);
        Some(elf)
    }

    /// Sections come with their name's place as name.
    fn name_sections(&mut self, names: usize) {
        let names = self.sections.get(names).and_then(|names| {
            bytes(self.file, names.offset, usize::try_from(names.len).ok()?.min(MAX_NAMES))
        });
        let names = names.unwrap_or_default();
        for section in &mut self.sections {
            let at = field::<4>(&section.name, 0).unwrap_or_default() as usize;
            section.name = until_nul(names.get(at..).unwrap_or_default()).to_vec();
        }
    }

    /// The first `most` bytes of a section.
    pub(super) fn section(&self, name: &str, most: usize) -> Option<Vec<u8>> {
        self.part(name, 0, most)
    }

    /// At most `most` bytes of a section from a place in it on.
    pub(super) fn part(&self, name: &str, at: u64, most: usize) -> Option<Vec<u8>> {
        let section = self.named(name)?;
        let left = usize::try_from(section.len.checked_sub(at)?).ok()?;
        bytes(self.file, section.offset.checked_add(at)?, left.min(most))
    }

    /// Where a section is meant to be.
    pub(super) fn address(&self, name: &str) -> Option<u64> {
        Some(self.named(name)?.address)
    }

    fn named(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name.as_bytes())
    }

    /// The address that the file's first byte is meant for.
    pub(super) fn first(&self) -> Option<u64> {
        let first = self.segments.iter().find(|segment| segment.kind == PT_LOAD)?;
        first.address.checked_sub(first.offset)
    }

    /// At most `len` bytes of the program's memory as the file has them.
    pub(super) fn memory(&self, address: u64, len: usize) -> Option<Vec<u8>> {
        let within = |segment: &&Segment| {
            segment.kind == PT_LOAD
                && address.checked_sub(segment.address).is_some_and(|at| at < segment.file_len)
        };
        let segment = self.segments.iter().find(within)?;
        let at = address - segment.address;
        let len = usize::try_from(segment.file_len - at).ok()?.min(len);
        bytes(self.file, segment.offset.checked_add(at)?, len)
    }

    /// All symbols of one type that `wanted` by their length and whose name `named`; at most `most`.
    pub(super) fn symbols(
        &self,
        kind: u8,
        wanted: impl Fn(u64) -> bool,
        named: impl Fn(&[u8]) -> bool,
        most: usize,
    ) -> Vec<Symbol> {
        self.listed(SYMTAB, |of| of == kind, wanted, named, most)
    }

    /// A function or variable that it lends to others.
    pub(super) fn exported(&self, name: &[u8]) -> Option<Symbol> {
        let lent = |kind| kind == FUNCTION || kind == VARIABLE;
        let found = self.listed(DYNSYM, lent, |_| true, |found| found == name, 2);
        // Those that it borrows have no address.
        found.into_iter().find(|symbol| symbol.value != 0)
    }

    fn listed(
        &self,
        table: u32,
        of: impl Fn(u8) -> bool,
        wanted: impl Fn(u64) -> bool,
        named: impl Fn(&[u8]) -> bool,
        most: usize,
    ) -> Vec<Symbol> {
        let Some(table) = self.sections.iter().find(|section| section.kind == table) else {
            return Vec::new();
        };
        let Some(names) = self.sections.get(table.link as usize) else { return Vec::new() };
        let count = (table.len / SYMBOL_LEN as u64).min(MAX_SYMBOLS);
        let mut found = Vec::new();
        for first in (0..count).step_by(SYMBOLS) {
            let len = (count - first).min(SYMBOLS as u64) as usize * SYMBOL_LEN;
            let at = table.offset.saturating_add(first * SYMBOL_LEN as u64);
            let Some(symbols) = bytes(self.file, at, len) else { break };
            let symbols = symbols.chunks_exact(SYMBOL_LEN).filter_map(|raw| symbol(raw, &of, &wanted));
            for (at, value, len) in symbols {
                if !self.name(names.offset.saturating_add(at)).is_some_and(|name| named(&name)) {
                    continue;
                }
                found.push(Symbol { value, len });
                if found.len() >= most {
                    return found;
                }
            }
        }
        found
    }

    fn name(&self, at: u64) -> Option<Vec<u8>> {
        let mut name = vec![0; MAX_NAME];
        let len = self.file.read_at(&mut name, at).ok()?;
        name.truncate(len);
        let len = until_nul(&name).len();
        name.truncate(len);
        Some(name)
    }

    /// From the thread pointer to a place of the executable's own thread-local storage, bytes. The executable's block is
    /// the first: below the thread pointer on x86-64, behind two words above it on arm64.
    pub(super) fn thread_place(&self, place: u64) -> Option<i64> {
        let segment = self.segments.iter().find(|segment| segment.kind == PT_TLS)?;
        let align = segment.align.max(1);
        if place >= segment.len || !align.is_power_of_two() {
            return None;
        }
        let skew = segment.address & (align - 1);
        let block = match self.machine {
            X86_64 => -i64::try_from(segment.len.checked_add(skew)?.checked_next_multiple_of(align)?).ok()?,
            AARCH64 => i64::try_from(16_u64.checked_next_multiple_of(align)?).ok()?,
            _ => return None,
        };
        (block + i64::try_from(skew).ok()?).checked_add_unsigned(place)
    }

    /// Bytes of the executable's thread-local storage.
    pub(super) fn thread_local_len(&self) -> u64 {
        self.segments.iter().find(|segment| segment.kind == PT_TLS).map_or(0, |segment| segment.len)
    }
}

/// Exactly these bytes of the file.
fn bytes(file: &dyn FileExt, at: u64, len: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}

fn table<T>(
    file: &dyn FileExt,
    at: u64,
    count: usize,
    len: usize,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Option<Vec<T>> {
    let raw = bytes(file, at, count * len)?;
    raw.chunks_exact(len).map(parse).collect()
}

fn section(raw: &[u8]) -> Option<Section> {
    Some(Section {
        name: raw.get(..4)?.to_vec(),
        kind: field::<4>(raw, 4)? as u32,
        address: field::<8>(raw, 16)?,
        offset: field::<8>(raw, 24)?,
        len: field::<8>(raw, 32)?,
        link: field::<4>(raw, 40)? as u32,
    })
}

fn segment(raw: &[u8]) -> Option<Segment> {
    Some(Segment {
        kind: field::<4>(raw, 0)? as u32,
        offset: field::<8>(raw, 8)?,
        address: field::<8>(raw, 16)?,
        file_len: field::<8>(raw, 32)?,
        len: field::<8>(raw, 40)?,
        align: field::<8>(raw, 48)?,
    })
}

/// Place of the name, value and length.
fn symbol(raw: &[u8], of: impl Fn(u8) -> bool, wanted: impl Fn(u64) -> bool) -> Option<(u64, u64, u64)> {
    let len = field::<8>(raw, 16)?;
    let of_kind = of(*raw.get(4)? & 0xf);
    if !of_kind || !wanted(len) {
        return None;
    }
    Some((field::<4>(raw, 0)?, field::<8>(raw, 8)?, len))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
