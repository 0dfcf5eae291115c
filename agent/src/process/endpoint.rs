//! Comes in: the addresses of a packet capture. Goes out: the resource of whoever is behind each. Refuses: claiming
//! anything that an address does not tell, such as a process or an operating system.

use std::net::IpAddr;

use rustc_hash::FxHashMap;
use wirespan_span::{resource::Resource, span::Value};

use super::resource::UNKNOWN;

/// Names by the number that stands for a process.
#[derive(Debug, Default)]
pub(super) struct Endpoints(FxHashMap<u32, (IpAddr, Option<u16>)>);

impl Endpoints {
    /// From now on `pid` stands for this address. Whoever numbers them bounds them.
    pub(super) fn learn(&mut self, pid: u32, address: IpAddr, port: Option<u16>) {
        self.0.insert(pid, (address, port));
    }

    /// `service.name` is the address, with the port where it serves one; `host.ip` the address.
    pub(super) fn resource(&self, pid: u32) -> Resource {
        let Some((address, port)) = self.0.get(&pid) else {
            return Resource { attributes: vec![("service.name".into(), Value::Text(UNKNOWN.into()))] };
        };
        let name = match port {
            Some(port) => std::net::SocketAddr::from((*address, *port)).to_string(),
            None => address.to_string(),
        };
        let ip = Value::List(vec![address.to_string()]);
        Resource {
            attributes: vec![("service.name".into(), Value::Text(name.into())), ("host.ip".into(), ip)],
        }
    }
}
