//! Where in a stream a call's bytes stand, and when they crossed: the same for every plan.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use wirespan_proto::abi::{RECEIVED, SENT, TRANSPORT_TCP};

use super::memory::Memory;
use crate::state::{globals::offset, maps::SocketState};

/// `include/net/sock.h`: the peer will send no more.
const RCV_SHUTDOWN: u8 = 1;
/// `enum sock_flags`, `include/net/sock.h`: the peer's FIN has come.
const SOCK_DONE: u64 = 1 << 1;
/// The clock stamp of a segment that left within this time before the call's end belongs to this call.
const FRESH_NS: u64 = 5_000_000;

/// What the transports tell differently.
pub(crate) struct Place {
    /// As in `abi::DataRecord`.
    pub(crate) offset: u64,
    pub(crate) time: u64,
    pub(crate) rtt_us: u32,
    pub(crate) retransmits: u32,
}

/// Nothing was read: is it the end of a stream, and not an empty buffer?
#[inline(always)]
pub(crate) unsafe fn ended<M: Memory>(sk: *const u8, direction: u8) -> bool {
    // SAFETY: `sk` is a socket; `M` knows how to read it.
    let shutdown: u8 = unsafe { M::read(sk, offset!(sk_shutdown)) };
    direction == RECEIVED && shutdown & RCV_SHUTDOWN != 0
}

/// The place of `len` bytes that just crossed `sk`; `tcp` is the same socket as a `tcp_sock`, or null.
#[inline(always)]
pub(crate) unsafe fn find<M: Memory>(
    sk: *const u8,
    tcp: *const u8,
    transport: u8,
    len: u32,
    direction: u8,
    state: *mut SocketState,
) -> Option<Place> {
    // SAFETY: as above; `state` is a map value.
    unsafe {
        let now = bpf_ktime_get_ns();
        if transport != TRANSPORT_TCP {
            let counter = if direction == SENT { &raw mut (*state).sent } else { &raw mut (*state).received };
            let offset = *counter;
            *counter = offset + u64::from(len);
            return Some(Place { offset, time: now, rtt_us: 0, retransmits: 0 });
        }
        if tcp.is_null() {
            return None;
        }
        let (end, time, acked): (u32, u64, u32) = if direction == SENT {
            let end: u32 = M::read(tcp, offset!(write_seq));
            let all_left = M::read::<u32>(tcp, offset!(snd_nxt)) == end;
            (end, if all_left { left_at(M::read(tcp, offset!(tcp_wstamp_ns)), now) } else { now }, 0)
        } else {
            (read_until::<M>(sk, tcp), now, M::read(tcp, offset!(snd_una)))
        };
        let srtt: u32 = M::read(tcp, offset!(srtt_us));
        Some(Place {
            offset: u64::from(end.wrapping_sub(len)) | u64::from(acked) << 32,
            time,
            rtt_us: srtt >> 3,
            retransmits: M::read(tcp, offset!(total_retrans)),
        })
    }
}

/// The sequence number behind the last byte read. A read that meets the FIN counts it in `copied_seq`, a place that
/// holds no byte.
#[inline(always)]
unsafe fn read_until<M: Memory>(sk: *const u8, tcp: *const u8) -> u32 {
    // SAFETY: as above.
    unsafe {
        let copied: u32 = M::read(tcp, offset!(copied_seq));
        let flags: u64 = M::read(sk, offset!(skc_flags));
        let met_fin = flags & SOCK_DONE != 0 && copied == M::read::<u32>(tcp, offset!(rcv_nxt));
        copied.wrapping_sub(u32::from(met_fin))
    }
}

/// When the bytes left: the socket's last segment's stamp. The hook runs at the end of the call, when on loopback
/// the peer may have answered already. Pacing can put the stamp ahead. Bytes that only were queued (a corked socket, a
/// full window) have no stamp yet: the caller looks whether all left.
#[inline(always)]
fn left_at(stamp: u64, now: u64) -> u64 {
    if stamp <= now && now - stamp < FRESH_NS { stamp } else { now }
}
