//! Comes in: two short functions of CPython's as compilers make them. Goes out: where the interpreter keeps the state of a
//! thread, and where in that the current context is. Refuses: code that does not say it in one of the known ways.
//!
//! x86-64: Intel SDM, volume 2. `PyGILState_GetThisThreadState` hands the key of the thread's state to
//! `pthread_getspecific` (`Python/pystate.c`; since 3.15 it is a thread-local variable). `PyContext_CopyCurrent` begins with
//! `if (ts->context == NULL)` (`Python/context.c`).

use std::ops::Range;

/// Offsets of `context` in `PyThreadState` that are thinkable, bytes; 0xd0 to 0xf0 have been seen.
const CONTEXTS: Range<u32> = 0x80..0x400;
/// Of `_key` in `Py_tss_t` (`Include/pythread.h`).
const KEY: u64 = 4;
/// `_PyRuntime` is smaller, bytes.
const MAX_RUNTIME: u64 = 1 << 20;
const RETURN: u8 = 0xc3;
/// The number of the register of the first argument.
const RDI: u8 = 7;

/// Where a thread finds its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The address of the number of the pthread key whose value it is.
    Key(u64),
    /// A word of thread-local storage, bytes from the thread pointer.
    Word(i64),
}

/// From `PyGILState_GetThisThreadState`, which begins at `address`; `runtime` is the address of `_PyRuntime`.
pub(super) fn state(code: &[u8], address: u64, runtime: u64) -> Option<State> {
    (0..code.len()).find_map(|at| {
        let rest = code.get(at..)?;
        let here = address.checked_add(at as u64)?;
        thread_local(rest).or_else(|| argument(rest, here, runtime).map(State::Key))
    })
}

/// `mov %fs:disp,%rax; ret`.
fn thread_local(code: &[u8]) -> Option<State> {
    let (disp, rest) = word(code.strip_prefix(&[0x64, 0x48, 0x8b, 0x04, 0x25])?)?;
    rest.starts_with(&[RETURN]).then_some(State::Word(i64::from(disp)))
}

/// What is put into the register of the first argument, right before a call or jump: the key, or the structure that has it.
fn argument(code: &[u8], here: u64, runtime: u64) -> Option<u64> {
    let (place, rest) = match *code {
        // mov disp(%rip),%edi
        [0x8b, 0x3d, ..] => relative(code, 2, here)?,
        _ => structure(code, here, runtime).map(|(place, rest)| (place.wrapping_add(KEY), rest))?,
    };
    // sub $room,%rsp
    let rest = rest.strip_prefix(&[0x48, 0x83, 0xec]).and_then(|rest| rest.get(1..)).unwrap_or(rest);
    let calls = matches!(rest.first()?, 0xe8 | 0xe9 | 0xff);
    // Within the structure that it is part of.
    let within = place.checked_sub(runtime).is_some_and(|from| from < MAX_RUNTIME && from % 4 == 0);
    (calls && within).then_some(place)
}

/// The address of a structure. What is called twice with it, since 3.12, has it in another register first.
fn structure(code: &[u8], here: u64, runtime: u64) -> Option<(u64, &[u8])> {
    let (place, register, rest) = match *code {
        // lea disp(%rip),%register
        [0x48, 0x8d, modrm, ..] if modrm & 0xc7 == 0x05 => {
            relative(code, 3, here).map(|(place, rest)| (place, modrm >> 3, rest))?
        }
        // lea disp(%base),%register, of 32 bits, no stack pointer: counted from _PyRuntime, as a shared library finds it
        [0x48, 0x8d, modrm, ..] if modrm >> 6 == 2 && modrm & 7 != 4 => {
            let counted = |(disp, rest): (i32, _)| (runtime.wrapping_add_signed(disp.into()), rest);
            word(code.get(3..)?).map(counted).map(|(place, rest)| (place, modrm >> 3 & 7, rest))?
        }
        // mov $structure,%register
        [opcode @ 0xb8..=0xbf, ..] => {
            word(code.get(1..)?).map(|(place, rest)| (u64::from(place as u32), opcode & 7, rest))?
        }
        _ => return None,
    };
    // mov %register,%rdi
    let moved = [0x48, 0x89, 0xc0 | register << 3 | RDI];
    Some((place, if register == RDI { rest } else { rest.strip_prefix(&moved)? }))
}

/// An address relative to the instruction behind, after `opcode` bytes.
fn relative(code: &[u8], opcode: usize, here: u64) -> Option<(u64, &[u8])> {
    let (disp, rest) = word(code.get(opcode..)?)?;
    Some((here.checked_add(opcode as u64 + 4)?.checked_add_signed(disp.into())?, rest))
}

/// The offset of the context, from `PyContext_CopyCurrent` or from what that calls: a load that is tested for zero at once.
pub(super) fn context(code: &[u8]) -> Option<u32> {
    tested_in(code, CONTEXTS)
}

/// The offset of the first load that is tested for zero at once.
pub(super) fn tested_in(code: &[u8], thinkable: Range<u32>) -> Option<u32> {
    (0..code.len()).find_map(|at| tested(code.get(at..)?).filter(|offset| thinkable.contains(offset)))
}

/// `mov disp(%base),%register; test %register,%register`, 64 bits each.
fn tested(code: &[u8]) -> Option<u32> {
    let (&[rex, 0x8b, modrm], rest) = code.split_first_chunk::<3>()? else { return None };
    // REX.W without an index. Where a byte more says so, the base is r12; the stack pointer is none.
    if rex & 0xfa != 0x48 {
        return None;
    }
    let rest = if modrm & 7 == 4 { rest.strip_prefix(&[0x24]).filter(|_| rex & 1 == 1)? } else { rest };
    let (disp, rest) = match modrm >> 6 {
        1 => rest.split_first().map(|(disp, rest)| (i32::from(*disp as i8), rest))?,
        2 => word(rest)?,
        _ => return None,
    };
    let (wide, register) = (rex >> 2 & 1, modrm >> 3 & 7);
    let test = [0x48 | wide << 2 | wide, 0x85, 0xc0 | register << 3 | register];
    let offset = u32::try_from(disp).ok().filter(|offset| offset % 8 == 0)?;
    rest.starts_with(&test).then_some(offset)
}

/// The address of the word that `PyInterpreterState_Main` gives: it lies in `_PyRuntime`, which a shared library finds by way of its
/// table of addresses.
pub(super) fn interpreter(code: &[u8], address: u64, runtime: u64) -> Option<u64> {
    (0..code.len()).find_map(|at| {
        let rest = code.get(at..)?;
        // mov disp(%rip),%rax
        let loads = rest.starts_with(&[0x48, 0x8b, 0x05]);
        let (place, rest) = relative(rest, 3, address.checked_add(at as u64)?).filter(|_| loads)?;
        let offset = match *rest {
            [RETURN, ..] => place.checked_sub(runtime)?,
            // mov disp(%rax),%rax, of 8 or of 32 bits
            [0x48, 0x8b, 0x40, disp, RETURN, ..] => disp.into(),
            [0x48, 0x8b, 0x80, a, b, c, d, RETURN, ..] => u32::from_le_bytes([a, b, c, d]).into(),
            _ => return None,
        };
        (offset < MAX_RUNTIME && offset % 8 == 0).then_some(runtime.checked_add(offset)?)
    })
}

/// The address of the function that is called first.
pub(super) fn callee(code: &[u8], address: u64) -> Option<u64> {
    let at = code.iter().position(|byte| *byte == 0xe8)?;
    relative(code.get(at..)?, 1, address.checked_add(at as u64)?).map(|(place, _)| place)
}

fn word(code: &[u8]) -> Option<(i32, &[u8])> {
    code.split_first_chunk::<4>().map(|(word, rest)| (i32::from_le_bytes(*word), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNTIME: u64 = 0xa5_c200;

    #[test]
    fn the_key_is_found_as_compilers_hand_it_over() {
        // Debian's 3.11, a program: cmpq; je; mov disp(%rip),%edi; jmp.
        let program = [
            0x48, 0x83, 0x3d, 0x80, 0x44, 0x56, 0, 0, 0x0f, 0x84, 0x97, 0xc4, 0xf2, 0xff, 0x8b, 0x3d, 0x80,
            0x44, 0x56, 0x00, 0xe9, 0x17, 0x87, 0xf2, 0xff,
        ];
        assert_eq!(state(&program, 0x4f_7fc0, RUNTIME), Some(State::Key(0xa5_c454)));
        // 3.11 as a shared library: lea 0x250(%rax),%rdi; jmp.
        let library = [0x48, 0x8d, 0xb8, 0x50, 0x02, 0, 0, 0xe9, 0xf3, 0x3b, 0xe6, 0xff];
        assert_eq!(state(&library, 0x29_6531, 0x44_3d38), Some(State::Key(0x44_3f8c)));
        // Debian's 3.14: mov $0xba10e0,%edi; jmp.
        let constant = [0xbf, 0xe0, 0x10, 0xba, 0, 0xe9, 0x99, 0x2e, 0x11, 0];
        assert_eq!(state(&constant, 0x42_c7a7, 0xba_07c0), Some(State::Key(0xba_10e4)));
        for len in 0..program.len() - 4 {
            assert_eq!(state(&program[..len], 0x4f_7fc0, RUNTIME), None, "cut at {len}");
        }
    }

    #[test]
    fn the_key_may_be_in_another_register_first() {
        // 3.12 as a shared library: mov disp(%rip),%rax; push %rbx; lea 0x608(%rax),%rbx; mov %rbx,%rdi; call.
        let library = [
            0x48, 0x8b, 0x05, 0xc9, 0xc0, 0x26, 0, 0x53, 0x48, 0x8d, 0x98, 0x08, 0x06, 0, 0, 0x48, 0x89,
            0xdf, 0xe8, 0xd9, 0x21, 0xe3, 0xff,
        ];
        let key = |code: &[u8]| state(code, 0x2d_7c30, 0x64_3340);
        assert_eq!(key(&library), Some(State::Key(0x64_394c)));
        for len in 0..library.len() - 4 {
            assert_eq!(key(&library[..len]), None, "cut at {len}");
        }
        let mut other = library;
        other[17] = 0xef;
        assert_eq!(key(&other), None, "mov %rbp,%rdi");
        other[17] = 0xde;
        assert_eq!(key(&other), None, "mov %rbx,%rsi");
        let mut other = library;
        other[10] = 0x9c;
        assert_eq!(key(&other), None, "on the stack");
    }

    /// As gcc compiles it with frame pointers: push %rbp; mov %rsp,%rbp; push %rbx; lea disp(%rip),%rbx; mov %rbx,%rdi; sub $8,%rsp; call.
    #[test]
    fn a_program_with_frame_pointers_hands_over_the_structure() {
        let program = [
            0x55, 0x48, 0x89, 0xe5, 0x53, 0x48, 0x8d, 0x1d, 0xc4, 0x0f, 0, 0, 0x48, 0x89, 0xdf, 0x48, 0x83,
            0xec, 0x08, 0xe8, 0, 0, 0, 0,
        ];
        let key = |code: &[u8]| state(code, 0x1030, 0x1c00);
        assert_eq!(key(&program), Some(State::Key(0x2004)));
        for len in 0..program.len() - 4 {
            assert_eq!(key(&program[..len]), None, "cut at {len}");
        }
    }

    #[test]
    fn since_3_15_it_is_a_word() {
        let code = [0xf3, 0x0f, 0x1e, 0xfa, 0x64, 0x48, 0x8b, 0x04, 0x25, 0xd8, 0xff, 0xff, 0xff, 0xc3];
        assert_eq!(state(&code, 0x42_fa7d, 0xc4_08a0), Some(State::Word(-0x28)));
    }

    #[test]
    fn what_lies_elsewhere_is_no_key() {
        let code = [0x8b, 0x3d, 0x80, 0x44, 0x56, 0x00, 0xe9, 0x17, 0x87, 0xf2, 0xff];
        assert_eq!(state(&code, 0x4f_7fce, 0x100), None);
        assert_eq!(state(&code[..10].repeat(3), 0, 0), None);
    }

    #[test]
    fn the_context_is_what_is_tested_first() {
        // 3.11: mov 0x240(%rbp),%rbx; mov 0xe0(%rbx),%rax; test %rax,%rax.
        let code = [
            0x48, 0x8b, 0x9d, 0x40, 0x02, 0, 0, 0x48, 0x8b, 0x83, 0xe0, 0, 0, 0, 0x48, 0x85, 0xc0, 0x0f, 0x84,
        ];
        assert_eq!(context(&code), Some(0xe0));
        // mov 0xe0(%rdi),%r14; test %r14,%r14.
        assert_eq!(context(&[0x4c, 0x8b, 0xb7, 0xe0, 0, 0, 0, 0x4d, 0x85, 0xf6]), Some(0xe0));
        assert_eq!(context(&[0x4c, 0x8b, 0xb7, 0xe0, 0, 0, 0, 0x4d, 0x85, 0xff]), None, "another register");
        // 3.12: mov (%rax),%r12; mov %rax,%rbx; mov 0xd0(%r12),%rax; test %rax,%rax.
        let library = [
            0x4c, 0x8b, 0x20, 0x48, 0x89, 0xc3, 0x49, 0x8b, 0x84, 0x24, 0xd0, 0, 0, 0, 0x48, 0x85, 0xc0,
            0x0f, 0x84,
        ];
        assert_eq!(context(&library), Some(0xd0));
        for len in 0..17 {
            assert_eq!((context(&code[..len]), context(&library[..len])), (None, None), "cut at {len}");
        }
        for (at, byte, what) in [(6, 0x48, "the stack pointer"), (9, 0x04, "an index")] {
            let mut other = library;
            other[at] = byte;
            assert_eq!(context(&other), None, "{what}");
        }
    }

    #[test]
    fn what_is_tested_is_where_it_is_thinkable() {
        // PyImport_GetModuleDict of 3.8: mov 0x10(%rax),%rax; mov 0x38(%rax),%rax; test %rax,%rax; je.
        let byte = [0x48, 0x8b, 0x40, 0x10, 0x48, 0x8b, 0x40, 0x38, 0x48, 0x85, 0xc0, 0x74, 0x01];
        // Of 3.13: mov (%rax),%rax; mov 0x10(%rax),%rax; mov 0x1de8(%rax),%rax; test %rax,%rax; je.
        let word = [
            0x48, 0x8b, 0, 0x48, 0x8b, 0x40, 0x10, 0x48, 0x8b, 0x80, 0xe8, 0x1d, 0, 0, 0x48, 0x85, 0xc0,
            0x74, 0x09,
        ];
        assert_eq!(
            (tested_in(&byte, 0x38..0x8000), tested_in(&word, 0x38..0x8000)),
            (Some(0x38), Some(0x1de8))
        );
        assert_eq!((tested_in(&byte, 0x40..0x8000), tested_in(&word, 0x38..0x1000)), (None, None));
        for (code, needed) in [(&byte[..], 11), (&word[..], 17)] {
            for len in 0..needed {
                assert_eq!(tested_in(&code[..len], 0x38..0x8000), None, "cut at {len}");
            }
        }
        assert_eq!(tested_in(&[0x48, 0x8b, 0x40, 0xf8, 0x48, 0x85, 0xc0], 0..u32::MAX), None, "before it");
        assert_eq!(tested_in(&[0x48, 0x8b, 0x40, 0x3c, 0x48, 0x85, 0xc0], 0..u32::MAX), None, "half a word");
    }

    #[test]
    fn the_main_interpreter_lies_in_the_runtime() {
        // Debian's 3.11, a program: mov disp(%rip),%rax; ret.
        let program = [0x48, 0x8b, 0x05, 0x8a, 0xdd, 0x57, 0, 0xc3];
        // 3.12 as a shared library: mov disp(%rip),%rax; mov 0x30(%rax),%rax; ret.
        let byte = [0x48, 0x8b, 0x05, 0x99, 0xc5, 0x26, 0, 0x48, 0x8b, 0x40, 0x30, 0xc3];
        // 3.13: the same with mov 0x280(%rax),%rax.
        let word = [0x48, 0x8b, 0x05, 0xa9, 0x71, 0x25, 0, 0x48, 0x8b, 0x80, 0x80, 0x02, 0, 0, 0xc3];
        let all = [
            (&program[..], 0x4d_d9df, 0xa5_b740, 0xa5_b770),
            (&byte[..], 0x2d_7760, 0x64_3340, 0x64_3370),
            (&word[..], 0x29_3b00, 0x52_94c0, 0x52_9740),
        ];
        for (code, address, runtime, found) in all {
            assert_eq!(interpreter(code, address, runtime), Some(found));
            for len in 0..code.len() {
                assert_eq!(interpreter(&code[..len], address, runtime), None, "cut at {len}");
            }
        }
        let elsewhere =
            [(8, "before the runtime"), (-(MAX_RUNTIME as i64), "behind it"), (-4, "half a word")];
        for (from, what) in elsewhere {
            let runtime = 0xa5_b770_u64.wrapping_add_signed(from);
            assert_eq!(interpreter(&program, 0x4d_d9df, runtime), None, "{what}");
        }
        assert_eq!(interpreter(&byte, 0x2d_7760, u64::MAX - 8), None, "no address");
    }

    #[test]
    fn it_may_be_in_a_function_that_is_called() {
        // Debian's 3.9: push %rsi; call.
        assert_eq!(callee(&[0x56, 0xe8, 0x1a, 0, 0, 0], 0x65_d550), Some(0x65_d570));
        assert_eq!(callee(&[0x56, 0xe8, 0x1a], 0x65_d550), None);
    }
}
