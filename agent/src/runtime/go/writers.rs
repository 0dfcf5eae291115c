//! Comes in: a program in Go. Goes out: which goroutines write what others hand them, and where those wait. Refuses: to believe a
//! table of offsets where the program's own code says otherwise.
//!
//! `net/http`'s client has two goroutines a connection. One that wants to send a request gives it to the connection's
//! `writeLoop` and waits, in `persistConn.roundTrip`, at several channels of which one belongs to the connection: `closech`. While
//! `writeLoop` sends, nobody but that one waits there. And `writeLoop` is what its goroutine began with, but for a small function
//! around it, so that its connection stands at a fixed distance from the end of its stack.

use wirespan_proto::event::Writers;

use super::{
    functions::{self, Function},
    minor,
};
use crate::runtime::elf::{Elf, field};

const WRITE_LOOP: &[u8] = b"net/http.(*persistConn).writeLoop";
/// The function around it is one of these: which one depends on the version.
const AROUND: &[u8] = b"net/http.(*Transport).dialConn.";
/// Bytes of a function that are looked at.
const CODE: usize = 96;

/// `push %rbp; mov %rsp,%rbp`.
const FRAME: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];
/// `sub $…,%rsp`, with a byte and with four.
const SHORT: [u8; 3] = [0x48, 0x83, 0xec];
const LONG: [u8; 3] = [0x48, 0x81, 0xec];
/// `call …`.
const CALL: u8 = 0xe8;
/// `mov %rax,…(%rsp)`, with four bytes: the first argument is put where its caller has left room.
const KEEP: [u8; 4] = [0x48, 0x89, 0x84, 0x24];
/// From a function's stack, its frame taken off, up to that room: the frame's pointer and the way back.
const ROOM: u32 = 16;
/// What a new goroutine's stack ends with, bytes (`newproc1`, `src/runtime/proc.go`): four words, the way back to `goexit`; then the
/// frame pointer of the function that it begins with.
const BEGINNING: u32 = 48;

/// In `runtime.g`: `stack.hi`.
const STACK_END: u32 = 8;
/// In `net/http.persistConn`: `closech` (`src/net/http/transport.go`, the same since Go 1.13).
const CHANNEL: u32 = 144;

/// `None`: the program does not have that client, or not as it is known.
pub(super) fn find(elf: &Elf<'_>, version: &str) -> Option<Writers> {
    let waiting = receivers(minor(version)?)?;
    let functions = functions::beginning(elf, &[WRITE_LOOP, AROUND])?;
    let code = |function: &Function| elf.memory(function.begin, CODE);
    let write_loop = functions.iter().find(|function| function.name == WRITE_LOOP)?;
    keeps_its_argument(&code(write_loop)?).then_some(())?;
    let mut around = functions.iter().filter_map(|function| {
        let frame = calls(&code(function)?, function.begin, write_loop.begin)?;
        Some((function.begin, frame))
    });
    let (begin, frame) = around.next().filter(|_| around.next().is_none())?;
    let connection = BEGINNING + frame;
    Some(Writers { begin, stack_end: STACK_END, connection, channel: CHANNEL, waiting })
}

/// `recvq` in `runtime.hchan` (`src/runtime/chan.go`), behind a timer since Go 1.23. From the DWARF of programs built with each version, for
/// 1.27 from the source ([`super::fields`]); in all of them `startpc` stands three words behind `parentGoid` in `runtime.g`, as [`Writers::BEGAN`] has it.
const fn receivers(minor: u32) -> Option<u32> {
    match minor {
        21 | 22 => Some(56),
        23..=27 => Some(64),
        _ => None,
    }
}

/// The length of the frame of a function that calls another one, bytes.
fn calls(code: &[u8], begin: u64, called: u64) -> Option<u32> {
    let start = position(code, &[&FRAME[..], &SHORT].concat())?;
    let frame = *code.get(start)?;
    let mut calls = (start..code.len()).filter(|at| code[*at] == CALL).filter_map(|at| {
        let distance = field::<4>(code, at + 1)? as u32 as i32;
        begin.checked_add(at as u64 + 5)?.checked_add_signed(i64::from(distance))
    });
    calls.any(|address| address == called).then_some(u32::from(frame))
}

/// Does a function put its first argument where its caller has left room, and not elsewhere?
fn keeps_its_argument(code: &[u8]) -> bool {
    let frame = || field::<4>(code, position(code, &[&FRAME[..], &LONG].concat())?);
    let place = || field::<4>(code, position(code, &KEEP)?);
    frame().zip(place()).is_some_and(|(frame, place)| place == frame + u64::from(ROOM))
}

/// Where what follows the first of these bytes begins.
fn position(code: &[u8], bytes: &[u8]) -> Option<usize> {
    Some(code.windows(bytes.len()).position(|window| window == bytes)? + bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_their_offsets() {
        for (minor, offset) in
            [(20, None), (21, Some(56)), (22, Some(56)), (23, Some(64)), (27, Some(64)), (28, None)]
        {
            assert_eq!(receivers(minor), offset, "1.{minor}");
        }
    }
}
