//! What a protocol is to the framework: how it is recognised, how its bytes are cut into frames, how frames pair into
//! exchanges. Comes in: the readable front of a direction. Goes out: one [`Step`] at a time. Refuses: keeping bytes;
//! what a protocol needs later it copies, bounded by [`Settings`].

use std::any::Any;

use wirespan_connection::{
    event::{Direction, Nanos, Policy},
    facts::Facts,
    stream::{Front, Gap, Mark, Next, Stream},
};

use crate::{
    exchange::{Ending, Output},
    settings::Settings,
};

/// What can be seen of a connection that is not yet recognised.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The front of what the program read.
    pub received: Front<'a>,
    /// The front of what the program wrote.
    pub sent: Front<'a>,
    /// Bytes of either direction that were lost so far.
    pub lost: u64,
    /// Transport, ports (they may break a tie, never decide), who connected.
    pub facts: &'a Facts,
}

impl<'a> Sight<'a> {
    /// The front of one direction.
    #[must_use]
    pub const fn of(&self, direction: Direction) -> Front<'a> {
        match direction {
            Direction::Received => self.received,
            Direction::Sent => self.sent,
        }
    }
}

/// Is it this protocol?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// These bytes are of this protocol and could hardly be of another.
    Certain,
    /// They could be; more bytes would tell. Where no more can come (the kernel cut them) and no other protocol
    /// claims them, it is tried: what it opens is withdrawn unless an answer proves it.
    Unsure,
    /// They are not.
    NotForUs,
}

/// What to do with the front of a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<F> {
    /// A frame of this many stream bytes stands at the front. More than are readable may be named: what is left is
    /// skipped as it comes and told to [`Protocol::passed`]. 0 is allowed where it changes the parser's state.
    Frame(F, u64),
    /// A frame may begin here; more bytes would tell. Not to be answered when the bytes end in a gap.
    NeedMore,
    /// Nothing until the other direction has moved on.
    Wait,
    /// This many bytes belong to the frame before (a body) and are not looked at. They are told to
    /// [`Protocol::passed`]; the parser is asked again when all of them are gone.
    Skip(u64),
    /// No frame begins here: pass over everything to the begin of the next call.
    Resync,
    /// From here on the connection speaks another protocol.
    HandOver(Successor),
    /// This is not the protocol it was taken for, or it cannot be followed any more.
    GiveUp,
}

/// What a connection speaks after it was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Successor {
    /// What this token of an upgrade stands for, where a registered protocol claims it.
    Token(String),
    /// Unknown: recognise anew (a tunnel, STARTTLS).
    Unknown,
}

/// The token of TLS, for protocols that begin it inside their own (STARTTLS).
pub const TLS: &str = "tls";
/// What a protocol leaves to the one that the connection goes on with: whatever both know.
pub type Legacy = Box<dyn Any + Send>;

/// The readable front of a direction, as a parser sees it. Of a datagram transport it holds one datagram at most.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    front: Front<'a>,
    stream: &'a dyn Stream,
}

impl<'a> Input<'a> {
    /// The front of `stream`.
    pub fn of(stream: &'a dyn Stream) -> Self {
        Self { front: stream.front(), stream }
    }

    /// All contiguous bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.front.bytes
    }

    /// Stream offset of the first of them.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.front.offset
    }

    /// Did a call or datagram begin at the front?
    #[must_use]
    pub const fn boundary(&self) -> bool {
        self.front.boundary
    }

    /// The gap behind the bytes: why, and how many bytes are not there. `None` where bytes may follow.
    #[must_use]
    pub const fn cut(&self) -> Option<(Gap, u64)> {
        match self.front.next {
            Next::Gap(gap, length) => Some((gap, length)),
            Next::More | Next::End | Next::Broken(_) => None,
        }
    }

    /// How the direction ends, where its end comes right behind the bytes.
    #[must_use]
    pub const fn end(&self) -> Option<Ending> {
        match self.front.next {
            Next::End => Some(Ending::Closed),
            Next::Broken(errno) => Some(Ending::Broken(errno)),
            Next::More | Next::Gap(..) => None,
        }
    }

    /// Stream bytes that can be passed over now: readable ones and the gap behind them.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.bytes().len() as u64 + self.cut().map_or(0, |(_, length)| length)
    }

    /// Where the byte at `place` from the front came from.
    #[must_use]
    pub fn mark(&self, place: u64) -> Mark {
        self.stream.mark(self.offset() + place)
    }

    /// The bytes of the call at the front. Calls are told apart by their marks, which never return to an earlier
    /// value, so that bisection finds the end.
    #[must_use]
    pub fn call(&self) -> &'a [u8] {
        let bytes = self.bytes();
        let Some(last) = bytes.len().checked_sub(1) else { return bytes };
        let first = self.mark(0);
        if self.mark(last as u64) == first {
            return bytes;
        }
        let (mut inside, mut outside) = (0, last);
        while outside - inside > 1 {
            let middle = inside.midpoint(outside);
            if self.mark(middle as u64) == first { inside = middle } else { outside = middle }
        }
        bytes.get(..outside).unwrap_or(bytes)
    }

    /// What passing over `count` of the available bytes covers. `count` is cut to what is available.
    #[must_use]
    pub fn extent(&self, count: u64) -> Extent {
        let bytes = count.min(self.available());
        let readable = self.bytes().len() as u64;
        let (missing, end) = match self.cut() {
            Some((Gap::Lost | Gap::IoUring, _)) => (bytes.saturating_sub(readable), bytes.min(readable)),
            _ => (0, bytes),
        };
        // A lost byte came from nowhere; the last one that was seen tells the time.
        let before = || self.stream.mark(self.offset().saturating_sub(1));
        let first = if bytes == 0 { before() } else { self.mark(0) };
        let last = match end {
            0 => before(),
            1 => first,
            _ => self.mark(end - 1),
        };
        Extent { offset: self.offset(), first, last, bytes, missing }
    }
}

/// Where a frame, or bytes passed over, stood in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Stream offset of the first byte.
    pub offset: u64,
    /// Where the first byte came from.
    pub first: Mark,
    /// Where the last byte that was seen came from.
    pub last: Mark,
    /// Number of bytes, missing ones included.
    pub bytes: u64,
    /// Of these, lost.
    pub missing: u64,
}

/// What surrounds a protocol while it pairs.
pub struct Scene<'a> {
    /// Bounds and choices.
    pub settings: &'a Settings,
    /// The connection at this moment.
    pub facts: &'a Facts,
    /// What happened, in order.
    pub out: &'a mut Vec<Output>,
}

/// One protocol on one connection: the state of its parser and of its pairing.
pub trait Protocol: Sized + Send + 'static {
    /// What the parser finds.
    type Frame;

    /// The registry's name of the protocol, in lower case.
    const NAME: &'static str;

    /// What the kernel is to copy of such a connection.
    const POLICY: Policy;

    /// Tokens by which another protocol hands over to this one, in lower case.
    const TOKENS: &'static [&'static str] = &[];

    /// Could the connection speak this protocol? Looks at the bytes of either direction.
    fn detect(sight: &Sight<'_>, settings: &Settings) -> Detection;

    /// Begins with what was seen at detection; the bytes come again through [`parse`](Self::parse).
    fn begin(sight: &Sight<'_>) -> Self;

    /// Finds the next frame of a direction. Called with no bytes at all where a gap comes first or a skip is done.
    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Self::Frame>;

    /// Takes a frame into its exchange.
    fn pair(&mut self, direction: Direction, frame: Self::Frame, extent: &Extent, scene: &mut Scene<'_>);

    /// Has it nothing to say of a direction until further bytes are there? Asked when a frame is through. Where it cannot
    /// know, [`parse`](Self::parse) is called once without bytes.
    fn is_idle(&self, _direction: Direction) -> bool {
        false
    }

    /// Bytes of the frame last seen in this direction were passed over.
    fn passed(&mut self, _direction: Direction, _extent: &Extent) {}

    /// Bytes were passed over that may have held any number of frames.
    fn missed(&mut self, direction: Direction, scene: &mut Scene<'_>);

    /// A direction ended; bytes of an incomplete frame may have been left. The other direction may go on.
    fn ended(&mut self, _direction: Direction, _ending: Ending, _scene: &mut Scene<'_>) {}

    /// Time has passed: ends what waits too long.
    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>);

    /// The connection is over, or followed no longer: ends everything.
    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>);

    /// The connection is handed over to a protocol that claims it: what is left to that one. Asked before
    /// [`finish`](Self::finish).
    fn bequeath(&mut self) -> Option<Legacy> {
        None
    }

    /// Takes what the protocol before left, ahead of the first byte.
    fn inherit(&mut self, _legacy: Legacy) {}

    /// Which way requests travel, where known: decides between two bytes of the same time.
    fn asks(&self) -> Option<Direction>;
}
