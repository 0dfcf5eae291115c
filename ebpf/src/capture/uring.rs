//! Where the bytes of an `io_uring` request are. The hook of a send or receive is handed the socket and knows of no
//! request; so the requests that a thread tries, and those that wait for a socket, are remembered, and one is believed
//! only if it names the very file, goes the same way, and its iterator has moved as far as the call did.
//!
//! `io_uring/net.c`, `io_uring/rw.c`, `include/linux/io_uring_types.h`; read from 6.18.

use wirespan_proto::abi::SENT;

use super::memory::{Memory, Probed};
use crate::state::{
    globals::{offset, setting},
    maps::{URING_ARMED, URING_TRIED},
};

/// The request sends; else it receives.
const SENDS: u8 = 1;
/// Its iterator is that of the message, and has moved on when the hook runs (`io_async_msghdr.msg.msg_iter`).
const MESSAGE: u8 = 2;
/// Its iterator is that of a read or write, of which the socket got a copy (`io_async_rw.iter`).
const FILE: u8 = 4;

const KINDS: usize = 64;

/// By opcode: `enum io_uring_op`, `include/uapi/linux/io_uring.h`.
static KIND: [u8; KINDS] = {
    let mut kind = [0; KINDS];
    (kind[1], kind[2]) = (FILE, FILE | SENDS); // READV, WRITEV
    (kind[9], kind[10]) = (MESSAGE | SENDS, MESSAGE); // SENDMSG, RECVMSG
    (kind[22], kind[23]) = (FILE, FILE | SENDS); // READ, WRITE
    (kind[26], kind[27]) = (MESSAGE | SENDS, MESSAGE); // SEND, RECV
    (kind[47], kind[48]) = (MESSAGE | SENDS, MESSAGE | SENDS); // SEND_ZC, SENDMSG_ZC
    kind
};

/// What a request of this opcode does; 0 for those that move no bytes of sockets.
#[inline(always)]
pub(crate) fn kind(opcode: u8) -> u8 {
    let at = opcode as usize;
    // SAFETY: within the table; volatile, or the compiler would make branches of it.
    if at < KINDS { unsafe { core::ptr::read_volatile((&raw const KIND).cast::<u8>().add(at)) } } else { 0 }
}

/// One waiting request a file and direction; a file is aligned, so its low bits are free.
#[inline(always)]
fn waiting(file: usize, sends: bool) -> u64 {
    file as u64 | u64::from(sends)
}

/// This thread tries the request now.
#[inline(always)]
pub(crate) fn tried(thread: u32, request: *const u8) {
    // Without room the call goes unread, and says so.
    let _ = URING_TRIED.insert(thread, request as u64, 0);
}

/// The request waits until its file is ready.
#[inline(always)]
pub(crate) fn armed(file: usize, kind: u8, request: *const u8) {
    let _ = URING_ARMED.insert(waiting(file, kind & SENDS != 0), request as u64, 0);
}

/// The user's address of the `len` bytes that just crossed the socket; 0 where it is not known.
#[inline(always)]
pub(crate) unsafe fn address(sk: *const u8, direction: u8, len: u32, thread: u32) -> u64 {
    // SAFETY: one word each; what they name is only read through checking helpers.
    unsafe {
        // Through helpers: the verifier lets nobody compare or mark a pointer that it knows as one.
        let socket: usize = Probed::read(sk, offset!(sk_socket));
        let file: usize = Probed::read(socket as *const u8, offset!(socket_file));
        if let Some(request) = URING_TRIED.get(thread) {
            let address = within(*request as *const u8, file, direction, len);
            if address != 0 {
                return address;
            }
        }
        match URING_ARMED.get(waiting(file, direction == SENT)) {
            Some(request) => within(*request as *const u8, file, direction, len),
            None => 0,
        }
    }
}

/// Not inlined: there is one of it in the program.
#[inline(never)]
unsafe fn within(request: *const u8, file: usize, direction: u8, len: u32) -> u64 {
    // SAFETY: everything is read through checking helpers.
    unsafe {
        let kind = kind(Probed::read(request, offset!(req_opcode)));
        if kind == 0
            || (kind & SENDS != 0) != (direction == SENT)
            || Probed::read::<usize>(request, offset!(req_file)) != file
            || Probed::read::<u64>(request, offset!(req_flags)) >> (setting!(async_data_bit) & 63) & 1 == 0
        {
            return 0;
        }
        let data: usize = Probed::read(request, offset!(req_async_data));
        let iterator =
            data + if kind & MESSAGE != 0 { offset!(uring_msg_iter) } else { offset!(uring_rw_iter) };
        let iterator = iterator as *const u8;
        if u32::from(Probed::read::<u8>(iterator, offset!(iter_type))) != setting!(iter_ubuf) {
            return 0;
        }
        let base: u64 = Probed::read(iterator, offset!(iter_ubuf));
        let moved: u64 = Probed::read(iterator, offset!(iter_offset));
        match u64::from(len) {
            _ if kind & FILE != 0 => base + moved,
            len if moved >= len => base + moved - len,
            _ => 0,
        }
    }
}
