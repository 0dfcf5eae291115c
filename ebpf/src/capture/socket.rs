//! What a socket is: family, transport, addresses.

use wirespan_proto::abi::{SocketRecord, TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_UNIX};

use aya_ebpf::helpers::bpf_probe_read_user;

use super::{buffers::Arguments, memory::Memory};
use crate::state::globals::offset;

/// `include/linux/socket.h`.
pub(crate) const AF_UNIX: u16 = 1;
/// `include/linux/socket.h`.
pub(crate) const AF_INET: u16 = 2;
/// `include/linux/socket.h`.
pub(crate) const AF_INET6: u16 = 10;
/// `include/linux/net.h`.
const SOCK_STREAM: u16 = 1;
/// `include/uapi/linux/in.h`.
const IPPROTO_TCP: u16 = 6;
/// `include/uapi/linux/in.h`.
const IPPROTO_UDP: u16 = 17;

/// The transport of a socket that wirespan looks at; `None` for all others.
#[inline(always)]
pub(crate) unsafe fn transport<M: Memory>(sk: *const u8) -> Option<u8> {
    // SAFETY: `sk` is a socket; `M` knows how to read it.
    let (family, protocol, kind): (u16, u16, u16) = unsafe {
        (M::read(sk, offset!(skc_family)), M::read(sk, offset!(sk_protocol)), M::read(sk, offset!(sk_type)))
    };
    match (family, protocol) {
        (AF_INET | AF_INET6, IPPROTO_TCP) => Some(TRANSPORT_TCP),
        (AF_INET | AF_INET6, IPPROTO_UDP) => Some(TRANSPORT_UDP),
        (AF_UNIX, _) if kind == SOCK_STREAM => Some(TRANSPORT_UNIX),
        _ => None,
    }
}

/// The ports of an internet socket, host order: own, peer's.
#[inline(always)]
pub(crate) unsafe fn ports<M: Memory>(sk: *const u8) -> (u16, u16) {
    // SAFETY: as above.
    unsafe {
        let local: u16 = M::read(sk, offset!(skc_num));
        let peer: u16 = M::read(sk, offset!(skc_dport));
        (local, u16::from_be(peer))
    }
}

/// Writes what an internet socket is. All fields but the cookie and the round-trip time.
#[inline(always)]
pub(crate) unsafe fn describe<M: Memory>(sk: *const u8, transport: u8, into: *mut SocketRecord) {
    // SAFETY: `sk` is a socket, `into` a record of ours.
    unsafe {
        let family: u16 = M::read(sk, offset!(skc_family));
        (*into).family = family;
        (*into).transport = transport;
        (*into).reserved = 0;
        if family == AF_INET6 {
            (*into).local = core::mem::transmute(M::read::<[u64; 2]>(sk, offset!(skc_v6_rcv_saddr)));
            (*into).peer = core::mem::transmute(M::read::<[u64; 2]>(sk, offset!(skc_v6_daddr)));
        } else {
            let local: u32 = M::read(sk, offset!(skc_rcv_saddr));
            let peer: u32 = M::read(sk, offset!(skc_daddr));
            (*into).local = core::mem::transmute([u64::from(local), 0]);
            (*into).peer = core::mem::transmute([u64::from(peer), 0]);
        }
        let (local, peer) = ports::<M>(sk);
        (*into).local_port = local;
        (*into).peer_port = peer;
        (*into).netns = netns::<M>(sk);
    }
}

#[inline(always)]
unsafe fn netns<M: Memory>(sk: *const u8) -> u32 {
    // SAFETY: as above; a socket's namespace lives as long as the socket.
    unsafe {
        let net: usize = M::read(sk, offset!(skc_net));
        M::read(net as *const u8, offset!(net_inum))
    }
}

/// Writes what a UNIX socket is: the cookies of both ends.
#[inline(always)]
pub(crate) unsafe fn describe_unix(cookie: u64, peer: u64, into: *mut SocketRecord) {
    // SAFETY: `into` is a record of ours.
    unsafe {
        (*into).family = AF_UNIX;
        (*into).transport = TRANSPORT_UNIX;
        (*into).reserved = 0;
        (*into).local = core::mem::transmute([cookie, 0]);
        (*into).peer = core::mem::transmute([peer, 0]);
        (*into).local_port = 0;
        (*into).peer_port = 0;
        (*into).netns = 0;
    }
}

/// `struct sockaddr_in6`, `include/uapi/linux/in6.h`; `struct sockaddr_in` is its first half, with the address where
/// this one has its flow label.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct SocketAddress {
    family: u16,
    port: u16,
    flow_or_ipv4: u32,
    ipv6: [u64; 2],
}

/// Takes the peer of an unconnected UDP socket from where the user's call names it.
#[inline(always)]
pub(crate) unsafe fn name_peer<M: Memory>(arguments: &Arguments, into: *mut SocketRecord) {
    // SAFETY: `into` is a record of ours; the helper checks the user's addresses.
    unsafe {
        if (*into).peer_port != 0 {
            return;
        }
        let at = arguments.name::<M>();
        if at == 0 {
            return;
        }
        // An IPv4 name may end at a page that is followed by nothing: its half is read first.
        let half: [u64; 1] = bpf_probe_read_user(at as *const _).unwrap_or_default();
        let [family, port, low, high]: [u16; 4] = core::mem::transmute(half);
        (*into).peer_port = u16::from_be(port);
        if family == AF_INET {
            let address = u64::from(low) | u64::from(high) << 16;
            (*into).peer = core::mem::transmute([address, 0]);
        } else if family == AF_INET6 {
            let whole: SocketAddress = bpf_probe_read_user(at as *const _).unwrap_or_default();
            (*into).peer = core::mem::transmute(whole.ipv6);
        }
    }
}
