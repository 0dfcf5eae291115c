//! One direction of a connection: where its parser stands, and the messages under way there. Comes in: frames. Goes out:
//! messages that are complete. Refuses: more channels with a message under way than a program has.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::operation::Operation;
use crate::protocol::Extent;

/// Channels of a direction with a message under way. RabbitMQ allows 2047 channels; who uses them writes a message in
/// one go.
const MAX_CONTENTS: usize = 64;

/// Payload of a body frame where nobody set another limit: 128 KiB with what stands around it.
const USUAL_BODY: u64 = (128 << 10) - AROUND;
/// A frame's header and end, bytes.
const AROUND: u64 = 8;

/// What a message belongs to.
#[derive(Debug)]
pub(super) enum Carries {
    /// It is published.
    Publish(Box<Operation>),
    /// It is handed on under this tag; `settled`: by being sent.
    Deliver { operation: Box<Operation>, tag: u64, settled: bool },
    /// It answers the channel's oldest question.
    Got,
    /// It comes back, with the broker's code and words: an operation of its own where no publish waits for it.
    Return { operation: Box<Operation>, code: u64, text: SmolStr },
}

impl Carries {
    /// The operation that it begins.
    pub(super) fn operation(&mut self) -> Option<&mut Operation> {
        match self {
            Self::Publish(operation) | Self::Deliver { operation, .. } => Some(operation),
            Self::Got | Self::Return { .. } => None,
        }
    }
}

/// A message under way: a method, then a content header, then the body in pieces.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) carries: Carries,
    /// Was its header read?
    pub(super) opened: bool,
    /// Bytes of the body that are still to come; `None` before the header.
    left: Option<u64>,
    /// Payload of its first body frame; the others are as long, but for the last.
    frame: Option<u64>,
}

impl Content {
    /// The content header is there, and with it the size of the body, where that was not cut off.
    pub(super) const fn head(&mut self, size: Option<u64>) {
        (self.opened, self.left) = (true, size);
    }

    /// So much of the body is there.
    pub(super) fn piece(&mut self, size: u64) {
        self.frame.get_or_insert(size);
        if let Some(left) = self.left {
            self.left = Some(left.saturating_sub(size));
        }
    }

    /// Is the whole message there?
    pub(super) fn complete(&self) -> bool {
        self.left == Some(0)
    }
}

/// One direction.
#[derive(Debug)]
pub(super) struct Lane {
    /// Does the next frame begin with one of the next calls?
    pub(super) seeks: bool,
    /// The channel to which bytes belong that are passed over.
    pub(super) current: Option<u16>,
    /// A channel whose message may be complete.
    pub(super) check: Option<u16>,
    contents: BTreeMap<u16, Content>,
}

impl Lane {
    pub(super) const fn new(seeks: bool) -> Self {
        Self { seeks, current: None, check: None, contents: BTreeMap::new() }
    }

    /// A message begins. `false` where there are too many.
    pub(super) fn begin(&mut self, channel: u16, carries: Carries) -> bool {
        let room = self.contents.len() < MAX_CONTENTS;
        if room {
            self.contents.insert(channel, Content { carries, opened: false, left: None, frame: None });
        }
        room
    }

    /// The message under way on a channel.
    pub(super) fn content(&mut self, channel: u16) -> Option<&mut Content> {
        self.contents.get_mut(&channel)
    }

    pub(super) fn take(&mut self, channel: u16) -> Option<Content> {
        self.contents.remove(&channel)
    }

    /// The rest of a body whose next frame was not copied: channel, bytes of the body, bytes with the frames around them.
    /// Known where it is the only message under way.
    pub(super) fn unseen(&self) -> Option<(u16, u64, u64)> {
        let mut contents = self.contents.iter();
        let (channel, content) = contents.next().filter(|_| contents.next().is_none())?;
        let left = content.left.filter(|left| *left > 0)?;
        let frames = left.div_ceil(content.frame.unwrap_or(USUAL_BODY).max(1));
        Some((*channel, left, left.saturating_add(frames.saturating_mul(AROUND))))
    }

    /// Any of the messages under way.
    pub(super) fn any(&mut self) -> Option<(u16, Content)> {
        self.contents.pop_first()
    }

    /// Bytes of the message under way on the current channel.
    pub(super) fn extend(&mut self, extent: &Extent) {
        let content = self.current.and_then(|channel| self.contents.get_mut(&channel));
        if let Some(operation) = content.and_then(|content| content.carries.operation()) {
            crate::pipeline::extend(&mut operation.request, extent);
        }
    }
}
