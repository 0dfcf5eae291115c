//! Comes in: an unpacked file. Goes out: its packets, one at a time, whatever the format. Refuses: files of other
//! kinds. Never holds more than one packet; never believes a length before it has the bytes.

use std::io::{self, Read};

use crate::{pcap, pcapng};

/// Longest packet or block that is read, bytes. tcpdump captures at most 256 KiB of a packet.
pub(crate) const MAX_LENGTH: usize = 1 << 20;

/// Why a capture cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another kind of file.
    #[error("it is neither pcap nor pcapng")]
    NotACapture,
    /// A link type that is not read.
    #[error(
        "link type {0} is not supported: capture on an Ethernet, loopback, raw IP or \"any\" interface \
         (https://www.tcpdump.org/linktypes.html)"
    )]
    Link(u32),
    /// A length that cannot be: from here on nothing can be found.
    #[error("it is damaged behind packet {0}")]
    Damaged(u64),
    /// The file cannot be read, or its compressed data are damaged.
    #[error("cannot read on: {0}")]
    Read(#[from] io::Error),
}

/// How a capture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Behind a packet.
    Whole,
    /// Within one.
    Cut,
}

/// One captured packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    /// Link type.
    pub(crate) link: u32,
    /// Captured bytes.
    pub(crate) bytes: &'a [u8],
    /// Length on the wire.
    pub(crate) len: usize,
}

/// What comes next in a file.
pub(crate) enum Next<'a> {
    Packet(Packet<'a>),
    /// Something that is no packet, or none that can be read.
    Other,
    End(Finish),
}

/// Do these first unpacked bytes begin a capture?
#[must_use]
pub fn is_capture(first: &[u8]) -> bool {
    first.first_chunk().is_some_and(|magic| pcap::Layout::of(*magic).is_some() || pcapng::begins(*magic))
}

/// A file of either format.
pub(crate) enum Packets<R> {
    Pcap(pcap::File<R>),
    Pcapng(pcapng::File<R>),
}

impl<R: Read> Packets<R> {
    pub(crate) fn new(mut file: R) -> Result<Self, Error> {
        let mut magic = [0; 4];
        file.read_exact(&mut magic).map_err(|_| Error::NotACapture)?;
        if let Some(layout) = pcap::Layout::of(magic) {
            return pcap::File::new(file, layout).map(Self::Pcap);
        }
        if pcapng::begins(magic) {
            return pcapng::File::new(file).map(Self::Pcapng);
        }
        Err(Error::NotACapture)
    }

    pub(crate) fn next(&mut self) -> Result<Next<'_>, Error> {
        match self {
            Self::Pcap(file) => file.next(),
            Self::Pcapng(file) => file.next(),
        }
    }
}

/// Fills `to` exactly. False where the file ends within it; the number of bytes got tells whether it had begun.
pub(crate) fn fill(file: &mut impl Read, to: &mut Vec<u8>, len: usize) -> Result<bool, Error> {
    to.clear();
    match file.take(len as u64).read_to_end(to) {
        Ok(got) => Ok(got == len),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// How a file ended that had `got` bytes of the next item.
pub(crate) const fn finish(got: usize) -> Finish {
    if got == 0 { Finish::Whole } else { Finish::Cut }
}
