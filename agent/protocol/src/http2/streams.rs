//! Comes in: heads, data and ends of all streams of a connection. Goes out: exchanges, paired by stream (RFC 9113
//! section 5). Refuses: more open streams than the configuration allows; the oldest ends as lost.

use std::collections::VecDeque;

use super::{
    hpack::Fields,
    stream::{Failure, Stream},
};
use crate::{
    event::Nanos,
    exchange::{Ending, Key, Opening, Output, Role},
    grpc::{Messages, Status},
    http::{
        fields::Noted,
        legacy::Upgrade,
        message::{Line, Repeated, Request, Response},
    },
    protocol::{Extent, Scene},
};

/// The streams that are open, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: VecDeque<Box<Stream>>,
    /// The highest number that opened.
    highest: u32,
    repeated: Repeated,
    /// Was a stream ever answered?
    pub(super) proven: bool,
}

impl Streams {
    fn place(&self, id: u32) -> Option<usize> {
        self.open.binary_search_by_key(&id, |stream| stream.id).ok()
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Stream> {
        let place = self.place(id)?;
        self.open.get_mut(place).map(Box::as_mut)
    }

    /// The messages of a direction of a stream, where they are counted.
    pub(super) fn messages(&mut self, id: u32, answers: bool) -> Option<&mut Messages> {
        self.get(id)?.messages(answers)
    }

    /// A header block in the direction of requests: opens a stream, or trails its request.
    pub(super) fn ask(
        &mut self,
        id: u32,
        ends: bool,
        role: Role,
        fields: &Fields,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) {
        if let Some(stream) = self.get(id) {
            stream.extend(false, extent);
        } else if self.opens(id, fields) {
            self.open(id, role, fields, extent, scene);
        }
        if let Some(stream) = self.get(id).filter(|_| ends) {
            stream.asked_whole = true;
        }
    }

    /// Is it the head of a new request? A client counts up, in odd numbers (RFC 9113 section 5.1.1). Of older streams
    /// that were open when we joined, only trailers can come.
    fn opens(&self, id: u32, fields: &Fields) -> bool {
        let pseudo =
            [&b":method"[..], b":path", b":scheme"].into_iter().any(|name| fields.get(name).is_some());
        let guessed = fields.unknown > 0 && self.highest > 0;
        id % 2 == 1 && id > self.highest && (pseudo || guessed)
    }

    fn open(&mut self, id: u32, role: Role, fields: &Fields, extent: &Extent, scene: &mut Scene<'_>) {
        self.make_room(scene);
        let mut noted = Noted::default();
        noted.request(&mut fields.iter(), scene.settings);
        let line = Line::of_pseudo(|name| fields.get(name));
        let mut request =
            Request::of(&line, &mut noted, fields.truncated, role, &mut self.repeated, scene.settings);
        request.address(role, scene.facts);
        let key = Key { cookie: scene.facts.socket.cookie, offset: extent.offset, sub: id.into() };
        scene.out.push(Output::Opened(Opening {
            key,
            role,
            facts: *scene.facts,
            start: extent.first,
            carrier: std::mem::take(&mut request.carrier).into_headers(),
            shape: request.shape(),
            tokens: request.tokens,
        }));
        self.highest = id;
        self.open.push_back(Box::new(Stream::new(id, role, request, fields.unknown, extent, key)));
    }

    fn make_room(&mut self, scene: &mut Scene<'_>) {
        while self.open.len() >= scene.settings.max_pending.max(1)
            && let Some(oldest) = self.open.pop_front()
        {
            oldest.close(Ending::Lost, Nanos::default(), None, scene);
        }
    }

    /// The request that asked for HTTP/2 is answered on stream 1.
    pub(super) fn inherit(&mut self, upgrade: Upgrade) {
        self.highest = 1;
        self.open.push_back(Box::new(Stream::upgraded(upgrade)));
    }

    /// A header block in the direction of responses.
    pub(super) fn answer(&mut self, id: u32, fields: &Fields, extent: &Extent, scene: &mut Scene<'_>) {
        let Some(stream) = self.get(id) else { return };
        if stream.answered() {
            stream.extend(true, extent);
            let (status, message) = (fields.get(b"grpc-status"), fields.get(b"grpc-message"));
            if status.is_some() {
                // The content types were sent before we joined.
                stream.call().get_or_insert_default();
            }
            if let Some(call) = stream.call() {
                call.told.note(status, message, scene.settings);
            }
            return;
        }
        let mut noted = Noted::default();
        noted.response(&mut fields.iter(), scene.settings);
        let response = Response::of(fields.get(b":status"), &mut noted, fields.truncated, scene.settings);
        stream.receive(response, fields.unknown, extent, scene);
    }

    /// The last frame of a direction is through.
    pub(super) fn end(&mut self, id: u32, answers: bool, scene: &mut Scene<'_>) {
        match self.get(id) {
            Some(stream) if !answers => stream.asked_whole = true,
            Some(stream) if stream.answered() => {
                self.proven = true;
                self.close(id, Ending::Answered, Nanos::default(), None, scene);
            }
            Some(_) => self.close(id, Ending::Lost, Nanos::default(), None, scene),
            None => {}
        }
    }

    /// One side gave a stream up (RFC 9113 section 5.4.2).
    pub(super) fn reset(
        &mut self,
        id: u32,
        name: &'static str,
        status: Status,
        at: Nanos,
        scene: &mut Scene<'_>,
    ) {
        self.close(id, Ending::Cancelled, at, Some(Failure { name, status }), scene);
    }

    /// The server will not answer streams above `last` (RFC 9113 section 6.8): they may be tried again elsewhere.
    pub(super) fn refuse(
        &mut self,
        last: u32,
        name: &'static str,
        status: Status,
        at: Nanos,
        scene: &mut Scene<'_>,
    ) {
        while let Some(stream) = self.open.pop_back_if(|stream| stream.id > last && !stream.answered()) {
            stream.close(Ending::Cancelled, at, Some(Failure { name, status }), scene);
        }
    }

    fn close(&mut self, id: u32, ending: Ending, at: Nanos, failure: Option<Failure>, scene: &mut Scene<'_>) {
        if let Some(stream) = self.place(id).and_then(|place| self.open.remove(place)) {
            stream.close(ending, at, failure, scene);
        }
    }

    /// Frames of a direction may have been missed.
    pub(super) fn doubt(&mut self, answers: bool) {
        self.open.iter_mut().for_each(|stream| stream.doubt(answers));
    }

    /// So many bytes of a direction passed unseen. Where one response alone is under way and that much
    /// was due of it, its end was among them.
    pub(super) fn pass_unseen(&mut self, answers: bool, extent: &Extent, scene: &mut Scene<'_>) {
        if !answers {
            return;
        }
        let mut answered = self.open.iter_mut().filter(|stream| stream.answered());
        let (Some(stream), None) = (answered.next(), answered.next()) else { return };
        let over = stream.due().is_some_and(|due| due <= extent.bytes);
        stream.extend(true, extent);
        stream.data(true, extent.bytes);
        let id = stream.id;
        if over {
            self.end(id, true, scene);
        }
    }

    /// Ends requests without a response after the configured time, and what was doubtful and is silent.
    pub(super) fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let limit = scene.settings.request_timeout_ns;
        let over =
            |stream: &Stream| (!stream.answered() || stream.doubtful()) && now.since(stream.seen()) >= limit;
        let mut ids: Vec<_> =
            self.open.iter().filter(|stream| over(stream)).map(|stream| stream.id).collect();
        for id in ids.drain(..) {
            self.close(id, Ending::TimedOut, now, None, scene);
        }
    }

    /// Ends everything.
    pub(super) fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        while let Some(stream) = self.open.pop_front() {
            stream.close(ending, now, None, scene);
        }
    }
}
