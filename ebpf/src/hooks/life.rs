//! `sock:inet_sock_set_state (const struct sock *sk, const int oldstate, const int newstate)`, `net/ipv4/af_inet.c`;
//! the same since Linux 4.16; read from 6.18. A BTF tracepoint: the socket is typed.
//!
//! `SYN_SENT` and the states of a close by this side are set by the thread in the call; all others may be set by
//! whatever the interrupt met, so the current process says nothing there: whether the daemon cares is remembered
//! with the socket.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, generated::bpf_ktime_get_ns},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use wirespan_proto::abi::{
    ACCEPTED, CLOSED, CONNECTED, CONNECTING, FILTER_ONLY, KIND_LIFE, LifeRecord, SENT_END, TRANSPORT_TCP,
};

use super::turn::{self, Program};
use crate::{
    capture::{
        memory::{Memory, Typed},
        ring, runtime, socket,
        stand_in::{self, Given},
    },
    state::{
        filter,
        globals::{offset, setting},
    },
};

/// `include/net/tcp_states.h`.
mod tcp {
    pub(super) const ESTABLISHED: i32 = 1;
    pub(super) const SYN_SENT: i32 = 2;
    pub(super) const FIN_WAIT1: i32 = 4;
    pub(super) const CLOSE: i32 = 7;
    pub(super) const LAST_ACK: i32 = 9;
}

/// A TCP socket changed its state.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn ws_state(ctx: BtfTracePointContext) -> i32 {
    changed(ctx.arg(0), ctx.arg(1), ctx.arg(2), Program::First)
}

/// Stands in for [`ws_state`].
#[cfg(not(feature = "older"))]
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn ws_state_second(ctx: BtfTracePointContext) -> i32 {
    changed(ctx.arg(0), ctx.arg(1), ctx.arg(2), Program::Second)
}

#[inline(always)]
fn changed(sk: *const u8, old: i32, new: i32, program: Program) -> i32 {
    // SAFETY: the tracepoint hands over a socket in use.
    unsafe {
        if !turn::is_ours(
            program,
            #[inline(always)]
            || event(sk, new),
        ) {
            return 0;
        }
        let change = match new {
            tcp::SYN_SENT => CONNECTING,
            tcp::ESTABLISHED if old == tcp::SYN_SENT => CONNECTED,
            tcp::ESTABLISHED => ACCEPTED,
            tcp::FIN_WAIT1 | tcp::LAST_ACK => SENT_END,
            tcp::CLOSE => CLOSED,
            _ => return 0,
        };
        if let Some(state) = cares(sk, change) {
            emit(sk, change, state);
        }
        if change == CLOSED {
            stand_in::closed(sk);
        }
    }
    0
}

/// An interrupt may change another socket while its thread changes one.
#[inline(always)]
unsafe fn event(sk: *const u8, new: i32) -> u32 {
    // SAFETY: as above.
    let (local, peer) = unsafe { socket::ports::<Typed>(sk) };
    let ports = u32::from(local) << 16 | u32::from(peer);
    bpf_get_current_pid_tgid() as u32 ^ ports.rotate_left(8) ^ (new as u32) << 28
}

/// Does the daemon want to hear of it? Gives the thread that connected, 0 where none is known.
#[inline(always)]
unsafe fn cares(sk: *const u8, change: u8) -> Option<u64> {
    // SAFETY: as above.
    unsafe {
        if change == ACCEPTED && !accepted(sk) {
            return None;
        }
        // Hooks that get a descriptor cannot mark the socket as seen: all are, from their birth.
        let born = change == CONNECTING || (change == ACCEPTED && setting!(by_descriptor) != 0);
        if change == ACCEPTED && !born {
            return Some(0);
        }
        let connector = if change == CONNECTING { connector(sk)? } else { 0 };
        let state = stand_in::remembered(sk, born);
        if state.is_null() {
            return unspoken(change).then_some(0);
        }
        if born {
            (*state).connector = connector;
            (*state).seen = 1;
        }
        ((*state).seen != 0).then_some((*state).connector)
    }
}

/// The daemon was told of every connection that was accepted, and keeps those of which nothing was heard since: probes
/// that say nothing, programs that are left out. Their ends must be told too. (The ports, which a filter may go by, are
/// no longer in the socket; the daemon passes over ends of connections that it does not know.)
#[inline(always)]
fn unspoken(change: u8) -> bool {
    change == CLOSED && setting!(by_descriptor) == 0 && setting!(filter) != FILTER_ONLY
}

/// Whose connection it will be is not known yet: only with a list of processes is it left to its first bytes.
#[inline(always)]
unsafe fn accepted(sk: *const u8) -> bool {
    // SAFETY: as above.
    let (local, peer) = unsafe { socket::ports::<Typed>(sk) };
    setting!(filter) != FILTER_ONLY && filter::ports(local, peer)
}

/// The thread in `connect`. The daemon's own is let through: by its address the daemon knows the other end of its
/// own exports.
#[inline(always)]
unsafe fn connector(sk: *const u8) -> Option<u64> {
    // SAFETY: as above.
    let (_, peer) = unsafe { socket::ports::<Typed>(sk) };
    let pid_tgid = aya_ebpf::helpers::bpf_get_current_pid_tgid();
    let pid = (pid_tgid >> 32) as u32;
    let wanted = filter::wanted(pid) && filter::ports(0, peer);
    (wanted || pid == setting!(own_pid)).then_some(pid_tgid)
}

#[inline(always)]
unsafe fn emit(sk: *const u8, change: u8, connector: u64) {
    // SAFETY: as above; the record is ours until committed.
    unsafe {
        let tcp = stand_in::tcp(sk);
        if tcp.is_null() {
            return;
        }
        let cookie = stand_in::cookie(sk);
        let Some(reserved) = ring::reserve(size_of::<LifeRecord>() as u32, 0) else { return };
        let record = reserved.record().cast::<LifeRecord>();
        let into = &raw mut (*record).socket;
        socket::describe::<Typed>(sk, TRANSPORT_TCP, into);
        (*into).cookie = cookie;
        let srtt: u32 = Given::read(tcp, offset!(srtt_us));
        (*into).rtt_us = srtt >> 3;
        (*record).time = bpf_ktime_get_ns();
        (*record).pid_tgid = connector;
        (*record).sent = Given::read(tcp, offset!(bytes_acked));
        (*record).task = if change == CONNECTING {
            runtime::awaited(runtime::task(connector), connector)
        } else {
            u64::from(connector as u32)
        };
        (*record).received = Given::read(tcp, offset!(bytes_received));
        (*record).rests = Given::read::<u64>(stand_in::task(), offset!(task_nvcsw)) as u32;
        (*record).error = Typed::read::<u32>(sk, offset!(sk_err)) as u16;
        (*record).change = u16::from(change);
        reserved.commit(KIND_LIFE);
    }
}
