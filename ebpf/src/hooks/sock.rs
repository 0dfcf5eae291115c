//! `sock:sock_send_length`, `sock:sock_recv_length`: `(struct sock *sk, int ret, int flags)`, called in
//! `net/socket.c` at the end of every send and receive of every form. Linux 6.3; read from 6.18.
//!
//! BTF tracepoints: they hand over the typed socket, and calls that are not a socket's pay nothing.

use aya_ebpf::{
    helpers::generated::{
        bpf_get_current_task_btf, bpf_get_socket_cookie, bpf_sk_storage_get, bpf_skc_to_unix_sock,
        bpf_task_pt_regs,
    },
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use wirespan_proto::{
    abi::{
        POLICY_IGNORE, POLICY_UNDECIDED, RECEIVED, SENT, SocketRecord, TRANSPORT_TCP, TRANSPORT_UDP,
        TRANSPORT_UNIX,
    },
    event::DataFlags,
};

use super::turn::{self, Program};
use crate::{
    capture::{
        buffers::{Arguments, Class},
        copy,
        memory::{Memory, Typed},
        place,
        record::{self, Call},
        ring, socket, stand_in, uring,
    },
    state::{
        filter,
        globals::{offset, setting},
        maps::{SocketState, WS_SOCKETS},
        policy,
    },
};

/// `include/linux/socket.h`: the bytes stay in the queue.
const MSG_PEEK: i32 = 0x2;
/// For TCP: the bytes are thrown away, the buffer is not written.
const MSG_TRUNC: i32 = 0x20;
/// Not data but the error queue.
const MSG_ERRQUEUE: i32 = 0x2000;
/// `BPF_SK_STORAGE_GET_F_CREATE`, `include/uapi/linux/bpf.h`.
const CREATE: u64 = 1;

/// End of a send.
#[btf_tracepoint(function = "sock_send_length")]
pub(crate) fn ws_sock_send(ctx: BtfTracePointContext) -> i32 {
    moved(ctx.arg(0), ctx.arg(1), 0, SENT, Program::First);
    0
}

/// Stands in for [`ws_sock_send`].
#[btf_tracepoint(function = "sock_send_length")]
pub(crate) fn ws_send_second(ctx: BtfTracePointContext) -> i32 {
    moved(ctx.arg(0), ctx.arg(1), 0, SENT, Program::Second);
    0
}

/// End of a receive.
#[btf_tracepoint(function = "sock_recv_length")]
pub(crate) fn ws_sock_recv(ctx: BtfTracePointContext) -> i32 {
    moved(ctx.arg(0), ctx.arg(1), ctx.arg(2), RECEIVED, Program::First);
    0
}

/// Stands in for [`ws_sock_recv`].
#[btf_tracepoint(function = "sock_recv_length")]
pub(crate) fn ws_recv_second(ctx: BtfTracePointContext) -> i32 {
    moved(ctx.arg(0), ctx.arg(1), ctx.arg(2), RECEIVED, Program::Second);
    0
}

#[inline(always)]
fn moved(sk: *const u8, ret: i32, flags: i32, direction: u8, program: Program) {
    let task = stand_in::task();
    // SAFETY: the kernel gives a typed task.
    let pid_tgid = unsafe { stand_in::pid_tgid(task) };
    if !turn::is_ours(
        program,
        #[inline(always)]
        || pid_tgid as u32,
    ) || !filter::looked_at(pid_tgid)
    {
        return;
    }
    if ret < 0 {
        // SAFETY: the current task's registers.
        unsafe { failed(task, pid_tgid as u32) }
        return;
    }
    if flags & (MSG_PEEK | MSG_ERRQUEUE) != 0 {
        return;
    }
    // SAFETY: the tracepoint hands over a socket in use.
    unsafe {
        if let Some(transport) = socket::transport::<Typed>(sk) {
            captured(sk, transport, ret as u32, flags, direction, By { task, pid_tgid });
        }
    }
}

/// A call that ends a `sendmmsg` or `recvmmsg` early ends its count of messages.
#[inline(always)]
unsafe fn failed(task: *const u8, thread: u32) {
    // SAFETY: the kernel gives a typed pointer.
    let arguments = unsafe {
        let registers = bpf_task_pt_regs(task.cast_mut().cast()) as *const u8;
        Arguments::read_inside::<Typed>(registers)
    };
    if arguments.class.is_messages() {
        copy::forget(thread);
    }
}

/// Who calls.
struct By {
    task: *const u8,
    pid_tgid: u64,
}

/// Is this call worth looking at? The cheapest questions first.
#[inline(always)]
unsafe fn wanted(sk: *const u8, transport: u8, len: u32, direction: u8) -> bool {
    // SAFETY: as in `captured`.
    unsafe {
        if transport != TRANSPORT_UNIX {
            let (local, peer) = socket::ports::<Typed>(sk);
            if !filter::ports(local, peer) {
                return false;
            }
        }
        owned_by_user(sk) && (len > 0 || transport == TRANSPORT_UDP || place::ended::<Typed>(sk, direction))
    }
}

#[inline(always)]
unsafe fn captured(sk: *const u8, transport: u8, len: u32, flags: i32, direction: u8, by: By) {
    // SAFETY: `sk` is a typed socket in use; every helper checks what it is given.
    unsafe {
        if !wanted(sk, transport, len, direction) {
            return;
        }
        let cookie = stand_in::cookie(sk);
        let policy = policy::of(cookie);
        let ignored = policy == POLICY_IGNORE;
        // TCP counts its bytes itself, and of a socket with a policy the daemon has heard: nothing is to be remembered.
        let remembers = transport != TRANSPORT_TCP || policy == POLICY_UNDECIDED;
        let state = if remembers { state(sk) } else { core::ptr::null_mut() };
        if !state.is_null() {
            (*state).seen = 1;
        } else if remembers {
            return;
        }
        // What else there is has to be counted here, wanted or not.
        if ignored && transport == TRANSPORT_TCP {
            ring::count(|control| &raw mut (*control).ignored);
            return;
        }
        let tcp: *const u8 = if transport == TRANSPORT_TCP { stand_in::tcp(sk) } else { core::ptr::null() };
        let Some(place) = place::find::<Typed>(sk, tcp, transport, len, direction, state) else { return };
        if ignored {
            ring::count(|control| &raw mut (*control).ignored);
            return;
        }
        let By { task, pid_tgid } = by;
        let registers = bpf_task_pt_regs(task.cast_mut().cast()) as *const u8;
        let arguments = arguments(registers, sk, direction, len, pid_tgid as u32);
        let call = Call {
            place,
            pid_tgid,
            len,
            direction,
            flags: data_flags(transport, flags),
            policy,
            lost: if state.is_null() { 0 } else { (*state).lost },
            rests: Typed::read::<u64>(task, offset!(task_nvcsw)) as u32,
            task,
        };
        let emitted = record::emit::<true>(
            &call,
            &arguments,
            #[inline(always)]
            |into: *mut SocketRecord| describe(sk, (transport, direction), cookie, &arguments, into),
        );
        if !emitted && !state.is_null() {
            (*state).lost += 1;
        }
    }
}

/// Writes what the socket is.
#[inline(always)]
unsafe fn describe(
    sk: *const u8,
    (transport, direction): (u8, u8),
    cookie: u64,
    arguments: &Arguments,
    into: *mut SocketRecord,
) {
    // SAFETY: as in `captured`; `into` is a record of ours.
    unsafe {
        if transport == TRANSPORT_UNIX {
            socket::describe_unix(cookie, unix_peer(sk), into);
        } else {
            socket::describe::<Typed>(sk, transport, into);
            // At the end of a receive the kernel has not yet written the sender's address.
            if transport == TRANSPORT_UDP && direction == SENT {
                socket::name_peer::<Typed>(arguments, into);
            }
        }
        (*into).cookie = cookie;
    }
}

/// Where the user's bytes are.
#[inline(always)]
unsafe fn arguments(registers: *const u8, sk: *const u8, direction: u8, len: u32, thread: u32) -> Arguments {
    // SAFETY: as in `captured`.
    unsafe {
        let mut arguments = Arguments::read_inside::<Typed>(registers);
        if arguments.class == Class::IO_URING && setting!(uring) != 0 {
            arguments.found(uring::address(sk, direction, len, thread), len);
        }
        arguments
    }
}

/// What is remembered of the socket; null where memory is out, which is counted.
#[inline(always)]
unsafe fn state(sk: *const u8) -> *mut SocketState {
    let map = (&raw const WS_SOCKETS).cast_mut().cast();
    // SAFETY: as in `captured`.
    unsafe {
        let state: *mut SocketState =
            bpf_sk_storage_get(map, sk.cast_mut().cast(), core::ptr::null_mut(), CREATE).cast();
        if state.is_null() {
            ring::count(|control| &raw mut (*control).lost_records);
        }
        state
    }
}

/// Datagrams keep their borders; bytes that a truncating read of TCP threw away are in nobody's buffer.
#[inline(always)]
fn data_flags(transport: u8, flags: i32) -> DataFlags {
    if transport == TRANSPORT_UDP {
        DataFlags::DATAGRAM
    } else if transport == TRANSPORT_TCP && flags & MSG_TRUNC != 0 {
        DataFlags::FILLER
    } else {
        DataFlags::default()
    }
}

/// Sockets that the kernel made for itself (NFS, CIFS, …) have no file: the current system call's buffer is not theirs.
#[inline(always)]
unsafe fn owned_by_user(sk: *const u8) -> bool {
    // SAFETY: as in `captured`.
    unsafe {
        let socket: usize = Typed::read(sk, offset!(sk_socket));
        let file: usize = Typed::read(socket as *const u8, offset!(socket_file));
        file != 0
    }
}

/// The cookie of the other end. It cannot go away: a stream socket lets go of its peer only in its own release, and
/// this one is inside a call.
#[inline(always)]
unsafe fn unix_peer(sk: *const u8) -> u64 {
    // SAFETY: as in `captured`.
    unsafe {
        let unix: *const u8 = bpf_skc_to_unix_sock(sk.cast_mut().cast()).cast();
        if unix.is_null() {
            return 0;
        }
        let peer: usize = Typed::read(unix, offset!(unix_peer));
        if peer == 0 { 0 } else { bpf_get_socket_cookie(peer as *mut _) }
    }
}
