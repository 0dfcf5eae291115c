//! Comes in: the section `.gopclntab`, which stripping leaves, and names of functions. Goes out: where these functions begin.
//! Refuses: tables before Go 1.18; holding more of a table than a piece, since those of large programs take tens of MB.
//! Layout: Go's `src/runtime/symtab.go` (`pcHeader`) and `src/debug/gosym/pclntab.go`.

use crate::runtime::elf::{Elf, field};

/// Under this name in programs that are not position-independent.
const TABLE: &str = ".gopclntab";
const TABLE_PIE: &str = ".data.rel.ro.gopclntab";
/// Since Go 1.18, and since Go 1.20.
const MAGIC: [u64; 2] = [0xffff_fff0, 0xffff_fff1];
/// Numbers of the head: functions, address of the code (0 since Go 1.26), places of names and of what follows them, of functions.
const COUNT: usize = 8;
const TEXT: usize = 24;
const NAMES: usize = 32;
const NAMES_END: usize = 40;
const FUNCTIONS: usize = 64;
const HEAD: usize = 72;
/// Of `runtime.moduledata`.
const MODULE_TEXT: usize = 176;
/// Bytes of names that are looked at once, and more names than any program has, bytes.
const PIECE: usize = 1 << 18;
const MAX_NAMES: u64 = 64 << 20;
/// Functions that are looked at once, and more than any program has.
const ROWS: u64 = 4096;
const MAX_COUNT: u64 = 2 << 20;
/// A row tells where the function begins and where more of it is; that begins with the first of these again, then its name's place.
const ROW: u64 = 8;
/// Most bytes of what [`ROWS`] functions have there.
const MAX_SPAN: usize = 4 << 20;
/// Names that are looked for.
const MAX_FOUND: usize = 64;

/// A function: its name and the address of its first instruction as the file has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: Vec<u8>,
    pub(super) begin: u64,
}

/// All functions whose names begin so; at most 64.
pub(super) fn beginning(elf: &Elf<'_>, prefixes: &[&[u8]]) -> Option<Vec<Function>> {
    let table = Table::read(elf)?;
    let names = table.names(prefixes)?;
    if names.is_empty() { Some(Vec::new()) } else { table.functions(names) }
}

/// Where the code begins, since Go 1.26 (`moduledata.text`): other languages' code may stand before Go's. 0 in programs that are
/// position-independent.
fn module_text(elf: &Elf<'_>) -> Option<u64> {
    field::<8>(&elf.part(".go.module", 0, MODULE_TEXT + 8)?, MODULE_TEXT)
}

struct Table<'a, 'b> {
    elf: &'a Elf<'b>,
    section: &'static str,
    head: Vec<u8>,
    text: u64,
}

impl<'a, 'b> Table<'a, 'b> {
    fn read(elf: &'a Elf<'b>) -> Option<Self> {
        let section = [TABLE, TABLE_PIE].into_iter().find(|name| elf.address(name).is_some())?;
        let head = elf.part(section, 0, HEAD)?;
        if !MAGIC.contains(&field::<4>(&head, 0)?) {
            return None;
        }
        let text = [field::<8>(&head, TEXT), module_text(elf), elf.address(".text")];
        let text = text.into_iter().flatten().find(|text| *text != 0)?;
        Some(Self { elf, section, head, text })
    }

    fn number(&self, at: usize) -> Option<u64> {
        field::<8>(&self.head, at)
    }

    /// Place and name of those that are looked for.
    fn names(&self, prefixes: &[&[u8]]) -> Option<Vec<(u64, Vec<u8>)>> {
        let (start, end) = (self.number(NAMES)?, self.number(NAMES_END)?);
        let len = end.checked_sub(start).filter(|len| *len <= MAX_NAMES)?;
        let mut found = Vec::new();
        let mut at = 0;
        while at < len {
            let most = usize::try_from(len - at).ok()?.min(PIECE);
            let piece = self.elf.part(self.section, start.checked_add(at)?, most)?;
            // The last name may go on in the next piece.
            let whole = piece.iter().rposition(|byte| *byte == 0)? + 1;
            let mut place = at;
            for name in piece[..whole].split_inclusive(|byte| *byte == 0) {
                if prefixes.iter().any(|prefix| name.starts_with(prefix)) && found.len() < MAX_FOUND {
                    found.push((place, name[..name.len() - 1].to_vec()));
                }
                place += name.len() as u64;
            }
            at += whole as u64;
        }
        Some(found)
    }

    fn functions(&self, names: Vec<(u64, Vec<u8>)>) -> Option<Vec<Function>> {
        let (start, count) = (self.number(FUNCTIONS)?, self.number(COUNT)?);
        let count = Some(count).filter(|count| *count <= MAX_COUNT)?;
        let mut found = Vec::new();
        for first in (0..count).step_by(ROWS as usize) {
            let rows = ROWS.min(count - first) * ROW;
            let rows = self.elf.part(self.section, start.checked_add(first * ROW)?, rows as usize)?;
            let places = || rows.chunks_exact(ROW as usize).filter_map(|row| field::<4>(row, 4));
            let (from, until) = (places().min()?, places().max()?);
            let span = usize::try_from(until - from).ok().filter(|span| *span <= MAX_SPAN)?;
            let more = self.elf.part(self.section, start.checked_add(from)?, span + ROW as usize)?;
            for place in places() {
                let at = (place - from) as usize;
                let (Some(begin), Some(name)) = (field::<4>(&more, at), field::<4>(&more, at + 4)) else {
                    continue;
                };
                if let Some((_, name)) = names.iter().find(|(place, _)| *place == name) {
                    found.push(Function { name: name.clone(), begin: self.text.checked_add(begin)? });
                }
            }
        }
        Some(found)
    }
}
