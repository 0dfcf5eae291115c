//! Comes in: two short functions of CPython's as compilers make them. Goes out: where the interpreter keeps the state of a
//! thread, and where in that the current context is. Refuses: code that does not say it in one of the known ways.
//!
//! x86-64: Intel SDM, volume 2. `PyGILState_GetThisThreadState` hands the key of the thread's state to
//! `pthread_getspecific` (`Python/pystate.c`; since 3.15 it is a thread-local variable). `PyContext_CopyCurrent` begins with
//! `if (ts->context == NULL)` (`Python/context.c`).

/// Offsets of `context` in `PyThreadState` that are thinkable, bytes; 0xd0 to 0xf0 have been seen.
const CONTEXTS: std::ops::Range<u32> = 0x40..0x400;
/// Of `_key` in `Py_tss_t` (`Include/pythread.h`).
const KEY: u64 = 4;

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
    rest.starts_with(&[0xc3]).then_some(State::Word(i64::from(disp)))
}

/// What is put into the register of the first argument, right before a call or jump: the key, or the structure that has it.
fn argument(code: &[u8], here: u64, runtime: u64) -> Option<u64> {
    let (place, rest) = match *code {
        // mov disp(%rip),%edi
        [0x8b, 0x3d, ..] => relative(code, 2, here)?,
        // lea disp(%rip),%rdi
        [0x48, 0x8d, 0x3d, ..] => relative(code, 3, here).map(|(place, rest)| (place + KEY, rest))?,
        // mov $structure,%edi
        [0xbf, ..] => word(code.get(1..)?).map(|(place, rest)| (u64::from(place as u32) + KEY, rest))?,
        // lea disp(%register),%rdi: counted from _PyRuntime, as a shared library finds it
        [0x48, 0x8d, 0xb8..=0xbb | 0xbd..=0xbf, ..] => {
            word(code.get(3..)?).map(|(disp, rest)| (runtime.wrapping_add_signed(disp.into()) + KEY, rest))?
        }
        _ => return None,
    };
    let calls = matches!(rest.first()?, 0xe8 | 0xe9 | 0xff);
    // Within the structure that it is part of.
    let within = place.checked_sub(runtime).is_some_and(|from| from < 1 << 20 && from % 4 == 0);
    (calls && within).then_some(place)
}

/// An address relative to the instruction behind, after `opcode` bytes.
fn relative(code: &[u8], opcode: usize, here: u64) -> Option<(u64, &[u8])> {
    let (disp, rest) = word(code.get(opcode..)?)?;
    Some((here.checked_add(opcode as u64 + 4)?.checked_add_signed(disp.into())?, rest))
}

/// The offset of the context, from `PyContext_CopyCurrent` or from what that calls: a load that is tested for zero at once.
pub(super) fn context(code: &[u8]) -> Option<u32> {
    (0..code.len()).find_map(|at| tested(code.get(at..)?))
}

/// `mov disp(%base),%register; test %register,%register`, 64 bits each.
fn tested(code: &[u8]) -> Option<u32> {
    let (&[rex, 0x8b, modrm], rest) = code.split_first_chunk::<3>()? else { return None };
    let (disp, rest) = word(rest)?;
    // REX.W without an index; a displacement of 32 bits; the base is no stack pointer.
    if rex & 0xfa != 0x48 || modrm >> 6 != 2 || modrm & 7 == 4 {
        return None;
    }
    let (wide, register) = (rex >> 2 & 1, modrm >> 3 & 7);
    let test = [0x48 | wide << 2 | wide, 0x85, 0xc0 | register << 3 | register];
    let offset = u32::try_from(disp).ok().filter(|offset| CONTEXTS.contains(offset) && offset % 8 == 0)?;
    rest.starts_with(&test).then_some(offset)
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
        assert_eq!(context(&code[..16]), None);
    }

    #[test]
    fn it_may_be_in_a_function_that_is_called() {
        // Debian's 3.9: push %rsi; call.
        assert_eq!(callee(&[0x56, 0xe8, 0x1a, 0, 0, 0], 0x65_d550), Some(0x65_d570));
        assert_eq!(callee(&[0x56, 0xe8, 0x1a], 0x65_d550), None);
    }
}
