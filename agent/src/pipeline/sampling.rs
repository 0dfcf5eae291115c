//! Comes in: the share of connections that there is time for. Goes out: whether a connection is one of them. Both ends of a
//! connection on one host get the same answer, and a share that shrinks only takes connections away. Refuses: half a
//! connection; who asks sheds one only while no exchange on it is open.

use std::hash::{DefaultHasher, Hash, Hasher};

use wirespan_proto::event::Socket;

/// Which connections are shown.
#[derive(Debug)]
pub(super) struct Sampling {
    share: f64,
    left_out: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { share: 1.0, left_out: 0 }
    }
}

impl Sampling {
    /// From now on, this share, 0 to 1.
    pub(super) const fn set(&mut self, share: f64) {
        self.share = share;
    }

    pub(super) const fn share(&self) -> f64 {
        self.share
    }

    /// Is this connection shown?
    #[inline]
    pub(super) fn admits(&self, socket: &Socket) -> bool {
        self.share >= 1.0 || place(socket) < self.share
    }

    /// One is left out.
    pub(super) const fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Times that a connection was left out.
    pub(super) const fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// A place between 0 and 1, the same for both ends.
fn place(socket: &Socket) -> f64 {
    let end = |address| {
        let mut hasher = DefaultHasher::new();
        Hash::hash(address, &mut hasher);
        hasher.finish()
    };
    let mut both = DefaultHasher::new();
    both.write_u64(end(&socket.local).wrapping_add(end(&socket.peer)));
    both.finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use wirespan_proto::event::{Address, Cookie, Transport};

    use super::*;

    fn socket(port: u16) -> Socket {
        let address = |port| Address::Inet(SocketAddr::from(([127, 0, 0, 1], port)));
        let (local, peer) = (address(port), address(80));
        Socket { cookie: Cookie(u64::from(port)), netns: 1, transport: Transport::Tcp, local, peer }
    }

    fn shown(share: f64) -> Vec<u16> {
        let mut sampling = Sampling::default();
        sampling.set(share);
        (1000..11_000).filter(|port| sampling.admits(&socket(*port))).collect()
    }

    #[test]
    fn as_many_as_the_share_says() {
        for share in [0.0, 0.01, 0.5, 1.0] {
            let off = shown(share).len() as f64 / 10_000.0 - share;
            assert!(off.abs() < 0.02, "{share}: {off}");
        }
    }

    #[test]
    fn a_smaller_share_takes_only_away() {
        let (more, less) = (shown(0.5), shown(0.1));
        assert!(less.iter().all(|port| more.contains(port)));
    }

    #[test]
    fn both_ends_get_the_same_answer() {
        let mut sampling = Sampling::default();
        sampling.set(0.5);
        for port in 1000..1100 {
            let client = socket(port);
            let server = Socket { cookie: Cookie(7), local: client.peer, peer: client.local, ..client };
            assert_eq!(sampling.admits(&client), sampling.admits(&server));
        }
    }
}
