//! Comes in: code in which tokio exchanges the current task's number. Goes out: the places of words that it exchanges.
//! Refuses: nothing; which place it is, and that there is but one, is the caller's to see.
//!
//! `set_current_task_id` of tokio's `src/runtime/context.rs` is `CONTEXT.with(|context| context.current_task_id.replace(id))`:
//! a load that is followed by a store to the same place. Link-time optimisation puts it into whatever polls a task.

use std::collections::BTreeSet;

use super::super::elf::{AARCH64, X86_64};

/// Bytes between the two where nothing else can be meant by their place: the old value is saved there.
const GAP: usize = 24;

/// Where the exchanges are, in bytes from whatever the code counts from: the thread pointer or a register.
pub(super) fn exchanged(machine: u16, code: &[u8]) -> BTreeSet<i64> {
    match machine {
        X86_64 => (0..code.len()).filter_map(|at| x86_64(code.get(at..)?)).collect(),
        AARCH64 => code.chunks_exact(4).zip(code.chunks_exact(4).skip(1)).filter_map(arm64).collect(),
        _ => BTreeSet::new(),
    }
}

/// `mov disp(%base),%a` and at once `mov %b,disp(%base)`, 64 bits each, base any register but the stack's; or
/// `mov %fs:disp,%a` and soon `mov %b,%fs:disp`.
fn x86_64(code: &[u8]) -> Option<i64> {
    let (load, rest) = moved(code, 0x8b)?;
    let gap = if load.base.is_none() { GAP } else { 0 };
    let mut stores = (0..=gap).filter_map(|at| Some(moved(rest.get(at..)?, 0x89)?.0));
    stores.any(|store| store == load).then_some(load.displacement)
}

#[derive(PartialEq)]
struct Operand {
    /// The base register, or the thread pointer.
    base: Option<u8>,
    displacement: i64,
}

/// One `mov` between a register and memory, and the code behind it.
fn moved(code: &[u8], opcode: u8) -> Option<(Operand, &[u8])> {
    let (segment, code) = match code.strip_prefix(&[0x64]) {
        Some(rest) => (true, rest),
        None => (false, code),
    };
    let (&[rex, found, modrm], rest) = code.split_first_chunk::<3>()?;
    // REX.W; the index register plays no part.
    if rex & 0xfa != 0x48 || found != opcode {
        return None;
    }
    let base = modrm & 7 | (rex & 1) << 3;
    match (segment, modrm >> 6, modrm & 7) {
        (false, 1, 0..=3 | 5..=7) => {
            let (&[byte], rest) = rest.split_first_chunk::<1>()?;
            Some((Operand { base: Some(base), displacement: i64::from(byte as i8) }, rest))
        }
        (false, 2, 0..=3 | 5..=7) => {
            let (word, rest) = rest.split_first_chunk::<4>()?;
            Some((Operand { base: Some(base), displacement: i64::from(i32::from_le_bytes(*word)) }, rest))
        }
        (true, 0, 4) => {
            let (word, rest) = rest.strip_prefix(&[0x25])?.split_first_chunk::<4>()?;
            Some((Operand { base: None, displacement: i64::from(i32::from_le_bytes(*word)) }, rest))
        }
        _ => None,
    }
}

/// `ldr xA,[xB,#n]` and `str xC,[xB,#n]`: Arm Architecture Reference Manual, C6.2, "unsigned offset".
fn arm64((load, store): (&[u8], &[u8])) -> Option<i64> {
    let word = |four: &[u8]| four.try_into().ok().map(u32::from_le_bytes);
    let (load, store) = (word(load)?, word(store)?);
    let place = |instruction: u32| instruction & 0x003f_ffe0;
    let stack = load >> 5 & 0x1f == 31;
    let exchange = load & 0xffc0_0000 == 0xf940_0000 && store & 0xffc0_0000 == 0xf900_0000;
    (exchange && !stack && place(load) == place(store)).then_some(i64::from(load >> 10 & 0xfff) * 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tokio 1.54.1, rustc 1.95, `--release`, from `mov %fs:0x0,%rax` to the end.
    const RELEASE: &[u8] = &[
        0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x8d, 0x80, 0x28, 0xff, 0xff, 0xff, 0x0f, 0xb6, 0x48,
        0x48, 0x83, 0xf9, 0x01, 0x74, 0x24, 0x83, 0xf9, 0x02, 0x75, 0x04, 0x31, 0xc9, 0xeb, 0x23, 0x48, 0x8d,
        0x35, 0x40, 0x32, 0xff, 0xff, 0x48, 0x89, 0xc7, 0x49, 0x89, 0xc6, 0xff, 0x15, 0xcc, 0xed, 0x05, 0x00,
        0x4c, 0x89, 0xf0, 0x41, 0xc6, 0x46, 0x48, 0x01, 0x48, 0x8b, 0x48, 0x30, 0x48, 0x89, 0x58, 0x30, 0x48,
        0x89, 0xc8, 0x48, 0x83, 0xc4, 0x08, 0x5b, 0x41, 0x5e, 0xc3,
    ];

    fn places(machine: u16, code: &[u8]) -> Vec<i64> {
        exchanged(machine, code).into_iter().collect()
    }

    #[test]
    fn the_exchange_of_a_release_build_is_found() {
        assert_eq!(places(X86_64, RELEASE), [0x30]);
        for len in 0..RELEASE.len() - 15 {
            assert!(places(X86_64, &RELEASE[..len]).is_empty(), "cut at {len}");
        }
    }

    /// The same with `lto = "fat"`: part of `tokio::runtime::task::raw::poll`.
    #[test]
    fn an_exchange_relative_to_the_thread_pointer_is_found() {
        let code = [
            0x64, 0x48, 0x8b, 0x04, 0x25, 0x88, 0xff, 0xff, 0xff, 0x48, 0x89, 0x44, 0x24, 0x08, 0x64, 0x4c,
            0x89, 0x34, 0x25, 0x88, 0xff, 0xff, 0xff,
        ];
        assert_eq!(places(X86_64, &code), [-0x78]);
    }

    #[test]
    fn another_place_is_no_exchange() {
        assert!(places(X86_64, &[0x48, 0x8b, 0x48, 0x30, 0x48, 0x89, 0x58, 0x38]).is_empty());
        let stack = [0x48, 0x8b, 0x44, 0x24, 0x30, 0x48, 0x89, 0x44, 0x24, 0x30];
        assert!(places(X86_64, &stack).is_empty());
    }

    #[test]
    fn arm_s_exchange_is_found() {
        // ldr x8,[x0,#48]; str x19,[x0,#48]
        let code = [0xf940_1808_u32, 0xf900_1813].map(u32::to_le_bytes).concat();
        assert_eq!(places(AARCH64, &code), [48]);
        assert!(places(AARCH64, &code[..4]).is_empty());
    }
}
