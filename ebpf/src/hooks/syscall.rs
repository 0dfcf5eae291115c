//! `raw_syscalls:sys_exit (struct pt_regs *regs, long ret)`, `include/trace/events/syscalls.h`; the same since Linux
//! 2.6.34; read from 6.18. Stands in for `sock.rs` where the kernel lacks its tracepoints.
//!
//! The exit alone is enough: the arguments still stand in the registers. The price is that every system call of the
//! host pays for the look at its number, and that a socket must be found from its descriptor.

use aya_ebpf::{
    helpers::{bpf_probe_read_user, generated::bpf_get_current_pid_tgid},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use wirespan_proto::{
    abi::{POLICY_IGNORE, RECEIVED, SENT, SocketRecord, TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_UNIX},
    event::DataFlags,
};

use crate::{
    capture::{
        buffers::{Arguments, Class, MMSGHDR_LEN},
        memory::{Memory, Probed, Typed},
        place,
        record::{self, Call},
        ring, socket,
        stand_in::{self, Given},
    },
    state::{
        filter,
        globals::offset,
        maps::{MOVED, MOVES, Moved, SOCKETS_FD, SocketState},
        policy,
    },
};

/// Messages of one `sendmmsg` or `recvmmsg` that are looked at. Resolvers send two; more are counted as lost.
/// `MAX_TAIL_CALL_CNT` of `include/linux/bpf.h` is 33.
const MAX_MESSAGES: u32 = 32;
/// `include/linux/socket.h`: the bytes stay in the queue.
const MSG_PEEK: u32 = 0x2;
/// For TCP: the bytes are thrown away, the buffer is not written.
const MSG_TRUNC: u32 = 0x20;
/// Not data but the error queue.
const MSG_ERRQUEUE: u32 = 0x2000;
/// `S_IFMT` and `S_IFSOCK`, `include/uapi/linux/stat.h`.
const FILE_TYPE: u16 = 0xf000;
const SOCKET_FILE: u16 = 0xc000;
/// Marks an identity made from an inode number, for sockets that have no cookie.
const BY_INODE: u64 = 1 << 55;

/// End of a system call: did it move bytes of a socket that is looked at? What it moved is the other program's work: the
/// verifier follows each by itself, where it would follow the whole capture once for every way that leads to it.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn ws_sys_exit(ctx: BtfTracePointContext) -> i32 {
    let ret: i64 = ctx.arg(1);
    if ret < 0 {
        return 0;
    }
    // SAFETY: the tracepoint hands over the saved registers.
    let arguments = unsafe { Arguments::read::<Typed>(ctx.arg(0)) };
    if arguments.class == Class::IO_URING {
        ring::count(|control| unsafe {
            // SAFETY: a field of the control block.
            &raw mut (*control).io_uring
        });
    } else if (arguments.class.readable() || arguments.class == Class::FILLER) && filter::current().is_some()
    {
        // SAFETY: everything is read through checking helpers.
        unsafe { moved(&ctx, &arguments) }
    }
    0
}

/// The call that [`ws_sys_exit`] looked at moved bytes of a socket.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn ws_sys_moved(ctx: BtfTracePointContext) -> i32 {
    let ret: i64 = ctx.arg(1);
    // SAFETY: the tracepoint hands over the saved registers; this CPU's own memory; all else is read through checking helpers.
    unsafe {
        let Some(call) = MOVED.get_ptr_mut(0) else { return 0 };
        let arguments = Arguments::read::<Typed>(ctx.arg(0));
        let several = arguments.class.is_messages();
        let Some((message, len)) = message(&arguments, several, ret as u32, (*call).message) else {
            return 0;
        };
        captured(&*call, &message, len);
        if several {
            again(&ctx, call, ret as u32);
        }
    }
    0
}

/// A socket found from its descriptor.
#[derive(Clone, Copy)]
struct Found {
    sk: *const u8,
    identity: u64,
}

#[inline(always)]
unsafe fn moved(ctx: &BtfTracePointContext, arguments: &Arguments) {
    // SAFETY: forwarded.
    unsafe {
        let flags = arguments.flags::<Typed>();
        if flags & (MSG_PEEK | MSG_ERRQUEUE) != 0 {
            return;
        }
        let mut direction = if arguments.class.writes() { SENT } else { RECEIVED };
        let mut found = find(arguments.fd);
        if arguments.class == Class::FILLER {
            // splice(fd_in, off_in, fd_out, …); for sendfile the third argument is no descriptor of a socket.
            if let Some(out) = find(arguments.count as u32) {
                found = Some(out);
            } else if found.is_some() && arguments.address == 0 {
                direction = RECEIVED;
            }
        }
        let Some(Found { sk, identity }) = found else { return };
        let Some(transport) = socket::transport::<Probed>(sk) else { return };
        if transport != TRANSPORT_UNIX {
            let (local, peer) = socket::ports::<Probed>(sk);
            if !filter::ports(local, peer) {
                return;
            }
        }
        let Some(call) = MOVED.get_ptr_mut(0) else { return };
        *call = Moved { sk: sk as u64, identity, flags, message: 0, direction, transport, reserved: [0; 6] };
        MOVES.tail_call(ctx, 0);
        ring::count(|control| &raw mut (*control).lost_records);
    }
}

/// What the call moved, and its length: of a call with `several` messages, of which it moved `ret`, the one at `index`.
#[inline(always)]
unsafe fn message(arguments: &Arguments, several: bool, ret: u32, index: u32) -> Option<(Arguments, u32)> {
    if !several {
        return Some((*arguments, ret));
    }
    let message = arguments.message(index);
    // SAFETY: the helper checks the address.
    let len = unsafe { bpf_probe_read_user((message.address + MMSGHDR_LEN) as *const _) }.unwrap_or(0);
    (index < ret).then_some((message, len))
}

/// Begins the program again for the call's next message. A loop would have the verifier follow the whole capture once for
/// each, more than a million instructions before Linux 6.2.
#[inline(always)]
unsafe fn again(ctx: &BtfTracePointContext, call: *mut Moved, count: u32) {
    // SAFETY: this CPU's own memory.
    unsafe {
        (*call).message += 1;
        if (*call).message >= count {
            return;
        }
        if (*call).message < MAX_MESSAGES {
            MOVES.tail_call(ctx, 0);
        }
        ring::count(|control| &raw mut (*control).lost_records);
    }
}

/// The socket behind a descriptor of the current task; `None` for other files.
#[inline(always)]
unsafe fn find(fd: u32) -> Option<Found> {
    // SAFETY: the task is typed; what comes out of memory is read through checking helpers.
    unsafe {
        let files: usize = Given::read(stand_in::task(), offset!(task_files));
        if files == 0 {
            return None;
        }
        let table: usize = Probed::read(files as *const u8, offset!(files_fdt));
        if fd >= Probed::read::<u32>(table as *const u8, offset!(fdt_max_fds)) {
            return None;
        }
        let array: usize = Probed::read(table as *const u8, offset!(fdt_fd));
        let file: usize = Probed::read(array as *const u8, fd as usize * size_of::<usize>());
        let inode: usize = Probed::read(file as *const u8, offset!(file_inode));
        if Probed::read::<u16>(inode as *const u8, offset!(inode_mode)) & FILE_TYPE != SOCKET_FILE {
            return None;
        }
        let socket: usize = Probed::read(file as *const u8, offset!(file_private_data));
        if Probed::read::<usize>(socket as *const u8, offset!(socket_file)) != file {
            return None;
        }
        let sk: usize = Probed::read(socket as *const u8, offset!(socket_sk));
        let number: u64 = Probed::read(inode as *const u8, offset!(inode_ino));
        let sk = sk as *const u8;
        Some(Found { sk, identity: identity(sk, number) })
    }
}

/// The socket's cookie; where nobody has asked for one yet, the number of its inode, which no other socket has as
/// long as it is open. TCP sockets born after the daemon have one: `life.rs` asks.
#[inline(always)]
unsafe fn identity(sk: *const u8, inode: u64) -> u64 {
    // SAFETY: as above.
    let cookie = unsafe { stand_in::name(sk) };
    if cookie == 0 { BY_INODE | inode } else { cookie }
}

/// The identity of the other end of a UNIX socket; 0 where it has none yet.
#[inline(always)]
unsafe fn unix_peer(sk: *const u8) -> u64 {
    // SAFETY: as above.
    unsafe {
        let peer: usize = Probed::read(sk, offset!(unix_peer));
        let socket: usize = Probed::read(peer as *const u8, offset!(sk_socket));
        if socket == 0 {
            return 0;
        }
        let inode = (socket as *const u8).wrapping_add(offset!(socket_alloc_inode));
        identity(peer as *const u8, Probed::read(inode, offset!(inode_ino)))
    }
}

#[inline(always)]
unsafe fn captured(moved: &Moved, arguments: &Arguments, len: u32) {
    // SAFETY: everything is read through checking helpers; the state is a map value.
    unsafe {
        let Moved { identity, transport, direction, .. } = *moved;
        let sk = moved.sk as *const u8;
        if len == 0 && transport != TRANSPORT_UDP && !place::ended::<Probed>(sk, direction) {
            return;
        }
        let Some(state) = state(identity) else { return };
        let Some(place) = place::find::<Probed>(sk, sk, transport, len, direction, state) else { return };
        let policy = policy::of(identity);
        if policy == POLICY_IGNORE {
            ring::count(|control| &raw mut (*control).ignored);
            return;
        }
        let flags = data_flags(transport, direction, moved.flags);
        let pid_tgid = bpf_get_current_pid_tgid();
        let task = stand_in::task();
        let call = Call {
            place,
            pid_tgid,
            len,
            direction,
            flags,
            policy,
            lost: (*state).lost,
            rests: Given::read::<u64>(task, offset!(task_nvcsw)) as u32,
            task,
        };
        let emitted = record::emit::<false>(
            &call,
            arguments,
            #[inline(always)]
            |into: *mut SocketRecord| {
                if transport == TRANSPORT_UNIX {
                    socket::describe_unix(identity, unix_peer(sk), into);
                } else {
                    socket::describe::<Probed>(sk, transport, into);
                    if transport == TRANSPORT_UDP {
                        socket::name_peer::<Probed>(arguments, into);
                    }
                }
                (*into).cookie = identity;
            },
        );
        if !emitted {
            (*state).lost += 1;
        }
    }
}

/// Datagrams keep their borders; bytes that a truncating read of TCP threw away are in nobody's buffer.
#[inline(always)]
fn data_flags(transport: u8, direction: u8, recv_flags: u32) -> DataFlags {
    if transport == TRANSPORT_UDP {
        DataFlags::DATAGRAM
    } else if transport == TRANSPORT_TCP && direction == RECEIVED && recv_flags & MSG_TRUNC != 0 {
        DataFlags::FILLER
    } else {
        DataFlags::default()
    }
}

/// A socket that was not seen before. Not on the stack, where the compiler would fill it by a function call.
static FRESH: SocketState = SocketState { received: 0, sent: 0, connector: 0, lost: 0, seen: 1 };

/// What is remembered of a socket. A hash map by identity: a plain pointer cannot reach the socket's own storage.
#[inline(always)]
fn state(identity: u64) -> Option<*mut SocketState> {
    if let Some(state) = SOCKETS_FD.get_ptr_mut(identity) {
        return Some(state);
    }
    // Out of memory: the call goes unseen, like one that finds the ring full.
    let _ = SOCKETS_FD.insert(identity, &FRESH, 0);
    SOCKETS_FD.get_ptr_mut(identity)
}
