//! Reads the kernel's own type information, as far as needed to say at which byte of a structure a field lies.
//! `Documentation/bpf/btf.rst`; the format is the same since Linux 5.2. One pass, one `u32` per type: a general
//! library took 148 ms and 62 MB for the same answer.

use thiserror::Error;

/// Why a field's place is not known.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum BtfError {
    /// Not BTF, or cut off.
    #[error("the kernel's type information is malformed at byte {0}")]
    Malformed(usize),
}

/// `struct btf_type.info`, bits 24 to 28.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const FWD: u32 = 7;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

/// What the names of tracepoints' prototypes begin with.
const TRACEPOINT: &str = "btf_trace_";

/// Nesting of unnamed structures and type modifiers that is followed.
const DEPTH: u32 = 16;

/// Type information of one kernel, with an index by type id.
pub(crate) struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins in `types`; type 0 is void.
    index: Vec<u32>,
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    let four = bytes.get(at..at + 4).ok_or(BtfError::Malformed(at))?;
    Ok(u32::from_ne_bytes(four.try_into().map_err(|_| BtfError::Malformed(at))?))
}

impl<'a> Btf<'a> {
    /// Indexes what `/sys/kernel/btf/vmlinux` holds.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        // struct btf_header: magic u16, version u8, flags u8, hdr_len, type_off, type_len, str_off, str_len.
        if bytes.get(..2) != Some(&0xeb9f_u16.to_ne_bytes()) {
            return Err(BtfError::Malformed(0));
        }
        let header = u32_at(bytes, 4)? as usize;
        let section = |at| -> Result<&'a [u8], BtfError> {
            let from = header + u32_at(bytes, at)? as usize;
            let len = u32_at(bytes, at + 4)? as usize;
            bytes.get(from..from + len).ok_or(BtfError::Malformed(from))
        };
        let mut btf = Self { types: section(8)?, strings: section(16)?, index: vec![0] };
        btf.build_index()?;
        Ok(btf)
    }

    fn build_index(&mut self) -> Result<(), BtfError> {
        let mut at = 0;
        while at < self.types.len() {
            self.index.push(at as u32);
            let info = u32_at(self.types, at + 4)?;
            let count = (info & 0xffff) as usize;
            at += 12
                + match info >> 24 & 0x1f {
                    kind::INT | kind::VAR | kind::DECL_TAG => 4,
                    kind::ARRAY => 12,
                    kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * count,
                    kind::ENUM | kind::FUNC_PROTO => 8 * count,
                    _ => 0,
                };
        }
        Ok(())
    }

    fn name(&self, offset: u32) -> &'a [u8] {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        rest.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// Kind, number of members and the type's place, by id.
    fn describe(&self, id: u32) -> Result<(u32, usize, usize), BtfError> {
        let at = *self.index.get(id as usize).ok_or(BtfError::Malformed(0))? as usize;
        let info = u32_at(self.types, at + 4)?;
        Ok((info >> 24 & 0x1f, (info & 0xffff) as usize, at))
    }

    /// The structures with these names, found in one pass; `None` where this kernel has none.
    pub(crate) fn structures(&self, names: &[&str]) -> Result<Vec<Option<u32>>, BtfError> {
        let mut found = vec![None; names.len()];
        for id in 1..self.index.len() as u32 {
            let (kind, count, at) = self.describe(id)?;
            if kind == kind::STRUCT && count > 0 {
                let name = self.name(u32_at(self.types, at)?);
                for (slot, wanted) in found.iter_mut().zip(names) {
                    if slot.is_none() && name == wanted.as_bytes() {
                        *slot = Some(id);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Byte offset of a member given by its path within structure `id` (`"__sk_common.skc_num"`); unnamed unions
    /// and structures on the way are looked through. `None`: no such member, or it is a bit-field.
    pub(crate) fn offset(&self, id: u32, path: &str) -> Result<Option<u32>, BtfError> {
        let mut id = id;
        let mut offset = 0;
        for name in path.split('.') {
            let Some((bits, member)) = self.member(id, name, DEPTH)? else { return Ok(None) };
            if bits % 8 != 0 {
                return Ok(None);
            }
            offset += bits / 8;
            id = self.strip(member)?;
        }
        Ok(Some(offset))
    }

    /// Bit offset and type of a member.
    fn member(&self, id: u32, wanted: &str, depth: u32) -> Result<Option<(u32, u32)>, BtfError> {
        let (kind, count, at) = self.describe(id)?;
        if depth == 0 || (kind != kind::STRUCT && kind != kind::UNION) {
            return Ok(None);
        }
        // With kind_flag set, the upper byte of a member's offset is the size of a bit-field.
        let fields = u32_at(self.types, at + 4)? >> 31 == 1;
        for place in (0..count).map(|index| at + 12 + 12 * index) {
            let name = self.name(u32_at(self.types, place)?);
            let member = u32_at(self.types, place + 4)?;
            let raw = u32_at(self.types, place + 8)?;
            let (bits, width) = if fields { (raw & 0xff_ffff, raw >> 24) } else { (raw, 0) };
            if name == wanted.as_bytes() {
                return Ok((width == 0).then_some((bits, member)));
            }
            if name.is_empty()
                && let Some((inner, found)) = self.member(self.strip(member)?, wanted, depth - 1)?
            {
                return Ok(Some((bits + inner, found)));
            }
        }
        Ok(None)
    }

    /// The type behind typedefs and qualifiers.
    fn strip(&self, mut id: u32) -> Result<u32, BtfError> {
        for _ in 0..DEPTH {
            if id == 0 {
                return Ok(0);
            }
            let (kind, _, at) = self.describe(id)?;
            match kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = u32_at(self.types, at + 8)?;
                }
                _ => return Ok(id),
            }
        }
        Ok(id)
    }

    /// The value of the first enumerator with this name.
    pub(crate) fn enumerator(&self, name: &str) -> Result<Option<u32>, BtfError> {
        for id in 1..self.index.len() as u32 {
            let (kind, count, at) = self.describe(id)?;
            if kind != kind::ENUM {
                continue;
            }
            for place in (0..count).map(|index| at + 12 + 8 * index) {
                if self.name(u32_at(self.types, place)?) == name.as_bytes() {
                    return u32_at(self.types, place + 4).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// The same with nothing in it but the prototypes of tracepoints, each under its own id: all that it takes to load a
    /// program. What stands between them is a nameless forward declaration. The library that loads makes some 25 MB of
    /// a whole kernel's types.
    pub(crate) fn tracepoints(&self) -> Result<Vec<u8>, BtfError> {
        let (mut types, mut strings, mut end) = (Vec::new(), vec![0], 0);
        for id in 1..self.index.len() as u32 {
            let (kind, _, at) = self.describe(id)?;
            let name = self.name(u32_at(self.types, at)?);
            let mut entry = [0, kind::FWD << 24, 0];
            if kind == kind::TYPEDEF && name.starts_with(TRACEPOINT.as_bytes()) {
                entry = [strings.len() as u32, kind::TYPEDEF << 24, u32_at(self.types, at + 8)?];
                strings.extend_from_slice(name);
                strings.push(0);
                end = types.len() + 12;
            }
            types.extend(entry.into_iter().flat_map(u32::to_ne_bytes));
        }
        types.truncate(end);
        Ok([header(types.len(), strings.len()), types, strings].concat())
    }

    /// Is there a tracepoint of this name? Its prototype is a typedef `btf_trace_NAME`.
    pub(crate) fn has_tracepoint(&self, name: &str) -> Result<bool, BtfError> {
        let wanted = format!("{TRACEPOINT}{name}");
        for id in 1..self.index.len() as u32 {
            let (kind, _, at) = self.describe(id)?;
            if kind == kind::TYPEDEF && self.name(u32_at(self.types, at)?) == wanted.as_bytes() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// `struct btf_header` of types and, behind them, strings.
fn header(types: usize, strings: usize) -> Vec<u8> {
    const LEN: u32 = 24;
    let words = [LEN, 0, types as u32, types as u32, strings as u32];
    let (magic, version_and_flags) = (0xeb9f_u16.to_ne_bytes(), [1, 0]);
    [magic, version_and_flags]
        .into_iter()
        .flatten()
        .chain(words.into_iter().flat_map(u32::to_ne_bytes))
        .collect()
}

#[cfg(test)]
mod tests {
    //! A small hand-made BTF, and this host's own where there is one.
    use super::*;

    /// `struct outer { int a; union { struct { short b; short c; }; }; bit d:1 }`, `typedef btf_trace_x`.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0outer\0a\0b\0c\0d\0btf_trace_x\0";
        let at = |name: &str| {
            let needle = format!("\0{name}\0");
            strings.windows(needle.len()).position(|w| w == needle.as_bytes()).unwrap() as u32 + 1
        };
        let mut types: Vec<u32> = Vec::new();
        types.extend([at("int"), kind::INT << 24, 4, 32]); // 1
        types.extend([0, kind::STRUCT << 24 | 2, 4, at("b"), 1, 0, at("c"), 1, 16]); // 2
        types.extend([0, kind::UNION << 24 | 1, 4, 0, 2, 0]); // 3
        types.extend([at("outer"), 1 << 31 | kind::STRUCT << 24 | 3, 12]); // 4
        types.extend([at("a"), 1, 0, 0, 3, 32, at("d"), 1, 1 << 24 | 64]);
        types.extend([at("btf_trace_x"), kind::TYPEDEF << 24, 1]); // 5
        types.extend([0, kind::ENUM << 24 | 2, 4, at("a"), 3, at("d"), 7]); // 6
        let types: Vec<u8> = types.iter().flat_map(|word| word.to_ne_bytes()).collect();
        [header(types.len(), strings.len()).as_slice(), &types, strings].concat()
    }

    #[test]
    fn members_are_found_through_unnamed_ones() {
        let bytes = sample();
        let btf = Btf::parse(&bytes).unwrap();
        let found = btf.structures(&["outer", "inner"]).unwrap();
        let outer = found[0].unwrap();
        assert_eq!(btf.offset(outer, "a"), Ok(Some(0)));
        assert_eq!(btf.offset(outer, "c"), Ok(Some(6)));
        assert_eq!(btf.offset(outer, "d"), Ok(None), "a bit-field has no byte offset");
        assert_eq!(btf.offset(outer, "missing"), Ok(None));
        assert_eq!(found[1], None);
        assert_eq!((btf.enumerator("d"), btf.enumerator("outer")), (Ok(Some(7)), Ok(None)));
        assert!(btf.has_tracepoint("x").unwrap() && !btf.has_tracepoint("y").unwrap());
    }

    #[test]
    fn tracepoints_keep_their_ids() {
        let bytes = sample();
        let reduced = Btf::parse(&bytes).unwrap().tracepoints().unwrap();
        let btf = Btf::parse(&reduced).unwrap();
        assert!(btf.has_tracepoint("x").unwrap() && !btf.has_tracepoint("y").unwrap());
        assert_eq!(btf.describe(5).unwrap().0, kind::TYPEDEF);
        assert_eq!(
            (btf.index.len(), btf.structures(&["outer"])),
            (6, Ok(vec![None])),
            "nothing else is left"
        );
        assert!(aya::Btf::parse(&reduced, aya::Endianness::default()).is_ok());
    }

    #[test]
    fn cut_and_foreign_files_are_errors() {
        let bytes = sample();
        for len in 0..bytes.len() {
            assert!(Btf::parse(&bytes[..len]).is_err(), "cut at {len}");
        }
        assert!(Btf::parse(b"\x7fELF and more than a header's worth of bytes").is_err());
    }
}
