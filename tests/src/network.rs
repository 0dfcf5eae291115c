//! Two hosts on one machine: network namespaces on either side of a router, in a third. Gone when their value goes.

use std::process::{self, Command};

use anyhow::Result;

use crate::program;

/// What the router does with the addresses of the near host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translation {
    /// Nothing.
    None,
    /// It puts its own in their place, and ports of its choice (masquerade).
    Source,
}

/// A network of two hosts.
pub struct Network {
    spaces: [Space; 3],
}

/// A network namespace.
struct Space(String);

/// The far host's addresses, by either version of IP.
pub const FAR: [&str; 2] = ["10.213.2.2", "fd00:213:2::2"];

/// Near host, router, far host: their names, their links, their addresses and ways.
const LINKS: [&str; 19] = [
    "link add n0 netns NEAR type veth peer name r0 netns ROUTER",
    "link add f0 netns FAR type veth peer name r1 netns ROUTER",
    "-n NEAR address add 10.213.1.2/24 dev n0",
    "-n NEAR address add fd00:213:1::2/64 dev n0 nodad",
    "-n FAR address add 10.213.2.2/24 dev f0",
    "-n FAR address add fd00:213:2::2/64 dev f0 nodad",
    "-n ROUTER address add 10.213.1.1/24 dev r0",
    "-n ROUTER address add fd00:213:1::1/64 dev r0 nodad",
    "-n ROUTER address add 10.213.2.1/24 dev r1",
    "-n ROUTER address add fd00:213:2::1/64 dev r1 nodad",
    "-n NEAR link set lo up",
    "-n FAR link set lo up",
    "-n NEAR link set n0 up",
    "-n FAR link set f0 up",
    "-n ROUTER link set r0 up",
    "-n ROUTER link set r1 up",
    "-n NEAR route add default via 10.213.1.1",
    "-n FAR route add default via 10.213.2.1",
    "-n NEAR -6 route add default via fd00:213:1::1",
];

/// The ports are chosen anew, so that nothing but the sequence numbers is the same on both sides.
const MASQUERADE: &str = "table inet translation { chain out { type nat hook postrouting priority 100; \
                          oifname r1 meta l4proto tcp masquerade to :20000-60000 random; }; }";

impl Network {
    /// Makes it. Needs root.
    pub fn new(translation: Translation) -> Result<Self> {
        let space = |place: &str| Space::new(format!("wirespan-{}-{place}", process::id()));
        let network = Self { spaces: [space("near")?, space("router")?, space("far")?] };
        for line in LINKS.into_iter().chain(["-n FAR -6 route add default via fd00:213:2::1"]) {
            program::run(Command::new("ip").args(line.split(' ').map(|word| network.named(word))))?;
        }
        for version in ["ipv4.ip_forward=1", "ipv6.conf.all.forwarding=1"] {
            let setting = format!("net.{version}");
            program::run(network.command(1, "sysctl").args(["--quiet", "--write", &setting]))?;
        }
        if translation == Translation::Source {
            program::run(network.command(1, "nft").arg(MASQUERADE))?;
        }
        Ok(network)
    }

    fn named(&self, word: &str) -> String {
        let place = ["NEAR", "ROUTER", "FAR"].iter().position(|place| *place == word);
        place.and_then(|at| self.spaces.get(at)).map_or_else(|| word.to_owned(), |space| space.0.clone())
    }

    /// A command on the near host.
    #[must_use]
    pub fn near(&self, program: &str) -> Command {
        self.command(0, program)
    }

    /// A command on the far host.
    #[must_use]
    pub fn far(&self, program: &str) -> Command {
        self.command(2, program)
    }

    /// In the namespace of the network alone: `ip netns exec` would hide the control groups.
    fn command(&self, at: usize, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let name = self.spaces.get(at).map_or("", |space| &space.0);
        command.arg(format!("--net=/run/netns/{name}")).arg(program);
        command
    }
}

impl Space {
    fn new(name: String) -> Result<Self> {
        program::run(Command::new("ip").args(["netns", "add", &name]))?;
        Ok(Self(name))
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // What cannot be removed was removed by somebody else.
        let _gone = program::run(Command::new("ip").args(["netns", "delete", &self.0]));
    }
}
