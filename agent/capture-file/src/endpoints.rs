//! Comes in: addresses. Goes out: the number that stands for the process behind each.

use std::net::IpAddr;

use rustc_hash::FxHashMap;

/// Addresses told apart; all further ones share a number.
const MOST: usize = 65_536;

/// Numbers of addresses, from 1 on; a server's with its port.
#[derive(Debug, Default)]
pub(crate) struct Endpoints(FxHashMap<(IpAddr, Option<u16>), u32>);

impl Endpoints {
    /// The number of an address, and whether it is a new one.
    pub(crate) fn number(&mut self, address: IpAddr, port: Option<u16>) -> (u32, bool) {
        let next = self.0.len() as u32 + 1;
        if let Some(number) = self.0.get(&(address, port)) {
            return (*number, false);
        }
        if self.0.len() >= MOST {
            return (next, false);
        }
        self.0.insert((address, port), next);
        (next, true)
    }
}
