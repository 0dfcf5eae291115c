//! Comes in: heads, bodies and losses of both directions. Goes out: exchanges, responses paired with requests in order
//! (RFC 9112 section 9.3.2). Refuses: a pair that may be wrong. After bytes were lost where heads may have been, what
//! cannot be told apart ends as lost until the connection is at rest.

use std::collections::VecDeque;

use super::{
    closing::{Answer, Closing},
    legacy::{Handshake, Upgrade},
    message::{self, Framing, Request, Verb},
};
use crate::{
    event::Nanos,
    exchange::{Ending, Key, Message, Opening, Output, Resumption, Role},
    grpc::{Call, Told},
    protocol::{Extent, Legacy, Scene},
    settings::Settings,
};

/// Names a request of the connection: the first one is 0.
pub(super) type Number = u64;

/// Requests that wait for responses.
#[derive(Default)]
pub(super) struct Pairing {
    /// Boxed: most are moved to the queue and out of it again, and an idle connection keeps room for some.
    queue: VecDeque<Box<Pending>>,
    /// Number of the first in the queue.
    first: Number,
    /// Heads may have been lost: what follows cannot be paired for certain.
    doubt: bool,
    /// A response came since then.
    heard: bool,
    /// Were there ever two requests before the first one's response?
    pipelines: bool,
    /// Newest byte seen.
    latest: Nanos,
    /// The first in the queue is answered in HTTP/2.
    upgrades: bool,
    /// The handshake of a session.
    handshake: Option<Handshake>,
}

/// A request and what is there of its response.
struct Pending {
    key: Key,
    role: Role,
    /// Boxed since it was read: it is large.
    request: Box<Request>,
    message: Message,
    response: Option<Response>,
    /// May not be the one whose response comes next.
    doubtful: bool,
    /// Its exchange has ended (timed out); it keeps its place until its response has passed.
    ended: bool,
}

struct Response {
    answer: Answer,
    framing: Framing,
    head: u64,
    call: bool,
    told: Told,
}

/// What becomes of a response.
pub(super) enum Taken {
    /// It answers this request; the body is framed so.
    By(Number, Framing),
    /// It answered a request and has no body.
    Complete,
    /// The connection goes on in another protocol.
    HandOver(Verb),
    /// Another response to the same request follows.
    Interim,
    /// Nobody knows what it answers, nor whether it has a body.
    Orphan,
}

impl Pairing {
    /// Begins in doubt where bytes were lost before the protocol was recognised.
    pub(super) fn new(doubt: bool) -> Self {
        Self { doubt, ..Self::default() }
    }

    /// Number of the oldest request without a complete response; the next request's where there is none.
    pub(super) const fn oldest(&self) -> Number {
        self.first
    }

    fn get(&mut self, number: Number) -> Option<&mut Pending> {
        let place = number.checked_sub(self.first)?;
        self.queue.get_mut(usize::try_from(place).ok()?).map(Box::as_mut)
    }

    /// A request's head. Opens an exchange.
    pub(super) fn ask(
        &mut self,
        mut request: Box<Request>,
        role: Role,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) -> Number {
        self.settle(extent.first.time, scene);
        if self.queue.len() >= scene.settings.max_pending.max(1) {
            self.lose(scene);
        }
        request.address(role, scene.facts);
        let key = Key { cookie: scene.facts.socket.cookie, offset: extent.offset, sub: 0 };
        scene.out.push(Output::Opened(Opening {
            key,
            role,
            facts: *scene.facts,
            start: extent.first,
            carrier: std::mem::take(&mut request.carrier).into_headers(),
            shape: request.shape(),
            tokens: request.tokens,
        }));
        let message = message(extent, request.truncated, declared(request.framing));
        let (doubtful, ended) = (self.doubt, false);
        let pending = Pending { key, role, request, message, response: None, doubtful, ended };
        self.queue.push_back(Box::new(pending));
        self.latest = self.latest.max(extent.last.time);
        self.first + self.queue.len() as u64 - 1
    }

    /// A new request begins: does it end what was open? A client that does not pipeline asks again only when the
    /// response is complete, even where its end could not be seen; and doubts end when nothing is on its way.
    fn settle(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        if self.queue.len() == 1 && !self.pipelines && self.open_ended() {
            self.complete(None, scene);
        }
        let quiet = !self.pipelines || now.since(self.latest) >= scene.settings.quiet_ns;
        if self.queue.is_empty() && self.heard && quiet {
            self.doubt = false;
        }
    }

    /// Is a response under way whose end cannot be seen?
    fn open_ended(&self) -> bool {
        let answer = self.queue.front().and_then(|pending| pending.response.as_ref());
        answer.is_some_and(|answer| matches!(answer.framing, Framing::Unknown(_)))
    }

    /// A response's head: finds its request.
    pub(super) fn answer(
        &mut self,
        response: message::Response,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) -> Taken {
        if response.interim() {
            return Taken::Interim;
        }
        self.heard = true;
        let second = self.queue.get(1).map(|pending| pending.message.first.time);
        let Some(pending) = self.queue.front_mut() else { return Taken::Orphan };
        if extent.first.time < pending.message.first.time {
            return Taken::Orphan;
        }
        self.pipelines |= second.is_some_and(|second| second <= extent.first.time);
        self.latest = self.latest.max(extent.last.time);
        if pending.doubtful {
            self.end_front(Ending::Lost, Nanos::default(), scene);
            return Taken::Orphan;
        }
        let verb = pending.request.verb;
        let (hands_over, framing) = (response.hands_over(verb), response.framing(verb));
        self.upgrades = hands_over && response.goes_on_in(b"h2c");
        if self.upgrades {
            return Taken::HandOver(verb);
        }
        if hands_over && response.goes_on_in(b"websocket") {
            self.handshake = Some(Handshake::of(&pending.request, pending.role, response.deflate));
        }
        pending.receive(response, framing, extent, scene);
        match (hands_over, framing) {
            (true, _) => {
                self.end_front(Ending::Upgraded, Nanos::default(), scene);
                Taken::HandOver(verb)
            }
            (false, Framing::None) => {
                self.complete(Some(0), scene);
                Taken::Complete
            }
            (false, _) => Taken::By(self.first, framing),
        }
    }

    /// Bytes of a message passed by.
    pub(super) fn extend(&mut self, number: Number, response: bool, extent: &Extent) {
        self.latest = self.latest.max(extent.last.time);
        let Some(pending) = self.get(number) else { return };
        let message = match (&mut pending.response, response) {
            (Some(answer), true) => &mut answer.answer.message,
            (None, true) => return,
            (_, false) => &mut pending.message,
        };
        message.bytes += extent.bytes;
        message.missing += extent.missing;
        message.last = extent.last;
    }

    /// The trailers that end the body of a gRPC-Web response.
    pub(super) fn note_web(&mut self, number: Number, lines: &[u8], settings: &Settings) {
        if let Some(answer) = self.get(number).and_then(|pending| pending.response.as_mut()) {
            answer.told.note_web(lines, settings);
        }
    }

    /// A request's body is over.
    pub(super) fn asked(&mut self, number: Number, body: Option<u64>) {
        if let Some(pending) = self.get(number) {
            pending.message.body = body.or(pending.message.body);
        }
    }

    /// The response to the oldest request is complete.
    pub(super) fn complete(&mut self, body: Option<u64>, scene: &mut Scene<'_>) {
        if let Some(answer) = self.queue.front_mut().and_then(|pending| pending.response.as_mut()) {
            answer.answer.message.body = body.or(answer.answer.message.body);
        }
        self.end_front(Ending::Answered, Nanos::default(), scene);
    }

    /// Responses ended with their stream: so did the one that was to last until then, or whose end was not seen.
    pub(super) fn complete_at_end(&mut self, scene: &mut Scene<'_>) {
        let answer = self.queue.front().and_then(|pending| pending.response.as_ref());
        match answer.map(|answer| (answer.framing, answer.answer.message.bytes - answer.head)) {
            Some((Framing::UntilEnd, body)) => self.complete(Some(body), scene),
            Some((Framing::Unknown(_), _)) => self.complete(None, scene),
            _ => {}
        }
    }

    /// Does a request from before `time` wait for the first byte of its response?
    pub(super) fn awaits(&self, time: Nanos) -> bool {
        self.queue.front().is_some_and(|pending| {
            pending.response.is_none() && !pending.doubtful && pending.message.first.time <= time
        })
    }

    fn end_front(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if let Some(pending) = self.queue.pop_front() {
            self.first += 1;
            pending.end(ending, now, scene);
        }
    }

    /// Requests may have been lost: those that wait keep their places, later ones are doubtful.
    pub(super) const fn miss_requests(&mut self) {
        (self.doubt, self.heard) = (true, false);
    }

    /// Responses may have been lost: nobody knows any more which request the next one answers.
    pub(super) fn miss_responses(&mut self, scene: &mut Scene<'_>) {
        self.lose(scene);
    }

    fn lose(&mut self, scene: &mut Scene<'_>) {
        (self.doubt, self.heard) = (true, false);
        while !self.queue.is_empty() {
            self.end_front(Ending::Lost, Nanos::default(), scene);
        }
    }

    /// Ends requests without a response after the configured time, and responses of which nothing more came.
    pub(super) fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let limit = scene.settings.request_timeout_ns;
        let silent = |pending: &Pending| now.since(pending.seen()) >= limit;
        if self.open_ended() && self.queue.front().is_some_and(|pending| silent(pending)) {
            self.complete(None, scene);
        }
        for pending in &mut self.queue {
            if pending.response.is_none() && silent(pending) {
                pending.close(Ending::TimedOut, now, scene);
            }
        }
    }

    /// What is left to the protocol that the connection goes on with.
    pub(super) fn bequeath(&mut self) -> Option<Legacy> {
        if let Some(handshake) = self.handshake.take() {
            return Some(Box::new(handshake));
        }
        let Pending { key, role, request, message: asked, .. } =
            *self.queue.pop_front_if(|_| self.upgrades)?;
        Some(Box::new(Upgrade { key, role, request: *request, asked }))
    }

    /// Ends everything. A response without a seen end, or with none but the connection's, is complete.
    pub(super) fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if self.upgrades {
            self.end_front(Ending::Upgraded, now, scene);
        } else if self.open_ended() {
            self.complete(None, scene);
        } else if ending == Ending::Closed {
            self.complete_at_end(scene);
        }
        while !self.queue.is_empty() {
            self.end_front(ending, now, scene);
        }
    }
}

const fn declared(framing: Framing) -> Option<u64> {
    match framing {
        Framing::Length(length) | Framing::Unknown(Some(length)) => Some(length),
        _ => None,
    }
}

fn message(extent: &Extent, truncated: bool, body: Option<u64>) -> Message {
    let Extent { offset, first, last, bytes, missing } = *extent;
    Message { offset, first, last, bytes, body, missing, truncated }
}

impl Pending {
    /// Time of the newest byte.
    fn seen(&self) -> Nanos {
        let answer =
            self.response.as_ref().map_or(Nanos::default(), |answer| answer.answer.message.last.time);
        answer.max(self.message.last.time)
    }

    fn receive(
        &mut self,
        response: message::Response,
        framing: Framing,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) {
        if !self.ended {
            scene.out.push(Output::begins(self.role, Resumption { key: self.key, at: extent.first }));
        }
        let message = message(extent, response.truncated, declared(framing));
        let message::Response { status, captured, call, told, .. } = response;
        let answer = Answer { status, captured, message };
        self.response = Some(Response { answer, framing, head: extent.bytes, call, told });
    }

    fn end(mut self: Box<Self>, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.close(ending, now, scene);
    }

    /// Says how the exchange ended, once.
    fn close(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let seen = self.seen();
        let told = self.response.as_mut().map(|answer| std::mem::take(&mut answer.told)).unwrap_or_default();
        let ending = if self.doubtful { Ending::Lost } else { ending };
        let called = self.request.call.is_some() || self.response.as_ref().is_some_and(|answer| answer.call);
        let closing = Closing {
            key: self.key,
            role: self.role,
            request: &mut self.request,
            asked: self.message,
            answer: self.response.as_mut().map(|answer| &mut answer.answer),
            ending,
            ended: now.max(seen),
            failure: None,
            call: called.then(|| Call { told, ..Call::default() }),
        };
        scene.out.push(Output::Closed(Box::new(closing.exchange(scene))));
    }
}
