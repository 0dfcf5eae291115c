//! Comes in: an unpacked capture file. Goes out: what the ends of its connections would have observed.

use std::{io::Read, net::IpAddr};

use wirespan_proto::event::Event;

use crate::{
    flows::Flows,
    fragments::Fragments,
    ip::Ip,
    link,
    packets::{Error, Finish, Next, Packet, Packets},
    transport::Message,
};

/// Which ends of a connection are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ends {
    /// The one that accepted: an exchange is one span, of the service that answered.
    #[default]
    Server,
    /// The one that connected.
    Client,
    /// Both, as if there were no network between them.
    Both,
}

/// What a capture tells.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// From here on the process id `pid` stands for whoever is behind this address.
    Endpoint {
        /// Not a real one.
        pid: u32,
        /// Its address.
        address: IpAddr,
        /// The port it serves; `None` for a client.
        port: Option<u16>,
    },
    /// An event. Its time is in nanoseconds since 1970.
    Event(Event<'a>),
}

/// What was in a capture so far, and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets read.
    pub packets: u64,
    /// Of them, those that are neither TCP nor UDP over IP.
    pub other: u64,
    /// IP fragments whose other parts are not there, or that were not captured whole.
    pub fragments: u64,
    /// Bytes of TCP streams in packets that were not captured.
    pub missing: u64,
    /// Connections given up to make room for others.
    pub evicted: u64,
}

/// A capture file.
pub struct Capture<R> {
    packets: Packets<R>,
    state: State,
    finish: Option<Finish>,
}

/// Everything but the file.
struct State {
    flows: Flows,
    fragments: Fragments,
    counters: Counters,
    time: u64,
}

impl<R: Read> Capture<R> {
    /// Reads the header of an unpacked file.
    ///
    /// # Errors
    /// It is no capture, or one of a link type that is not read.
    pub fn new(file: R, ends: Ends) -> Result<Self, Error> {
        let (fragments, counters) = Default::default();
        let state = State { flows: Flows::new(ends), fragments, counters, time: 0 };
        Ok(Self { packets: Packets::new(file)?, state, finish: None })
    }

    /// Reads a packet and tells what it means. The end of the file, once it is reached.
    ///
    /// # Errors
    /// The file cannot be read on. What came before stands.
    pub fn step(&mut self, mut tell: impl FnMut(Observation<'_>)) -> Result<Option<Finish>, Error> {
        if self.finish.is_some() {
            return Ok(self.finish);
        }
        match self.packets.next()? {
            Next::Packet(packet) => self.state.packet(&packet, &mut tell),
            Next::Other => {}
            Next::End(finish) => {
                self.finish = Some(finish);
                self.state.flows.finish(self.state.time, &mut tell);
            }
        }
        Ok(self.finish)
    }

    /// What was in it so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let State { flows, fragments, counters, .. } = &self.state;
        Counters {
            fragments: fragments.lost(),
            missing: flows.missing(),
            evicted: flows.evicted(),
            ..*counters
        }
    }
}

impl State {
    fn packet(&mut self, packet: &Packet<'_>, tell: &mut impl FnMut(Observation<'_>)) {
        self.time = self.time.max(packet.time);
        self.counters.packets += 1;
        if self.read(packet, tell).is_none() {
            self.counters.other += 1;
        }
    }

    /// `None` for what is not read.
    fn read(&mut self, packet: &Packet<'_>, tell: &mut impl FnMut(Observation<'_>)) -> Option<()> {
        let bytes = link::ip(packet.link, packet.bytes)?;
        let wire = packet.len.saturating_sub(packet.bytes.len() - bytes.len());
        let ip = Ip::read(bytes, wire)?;
        let Some(fragment) = ip.fragment else {
            self.flows.take(&Message::read(&ip)?, packet.time, tell);
            return Some(());
        };
        if let Some(payload) = self.fragments.take(&ip, fragment) {
            let whole = Ip { payload: &payload, len: payload.len(), fragment: None, ..ip };
            self.flows.take(&Message::read(&whole)?, packet.time, tell);
        }
        Some(())
    }
}
