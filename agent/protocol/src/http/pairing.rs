//! Comes in: heads, bodies and losses of both directions. Goes out: exchanges, responses paired with requests in order
//! (RFC 9112 section 9.3.2). Refuses: a pair that may be wrong. After bytes were lost where heads may have been, what
//! cannot be told apart ends as lost until the connection is at rest.

use std::{borrow::Cow, collections::VecDeque};

use super::message::{Framing, Request, Response, Verb};
use crate::{
    event::Nanos,
    exchange::{Ending, Exchange, Key, Message, Opening, Outcome, Output, Resumption, Role, Value},
    protocol::{Extent, Scene},
};

/// Names a request of the connection: the first one is 0.
pub(super) type Number = u64;

/// Requests that wait for responses.
#[derive(Default)]
pub(super) struct Pairing {
    queue: VecDeque<Pending>,
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
}

/// A request and what is there of its response.
struct Pending {
    key: Key,
    role: Role,
    request: Request,
    message: Message,
    response: Option<Answer>,
    /// May not be the one whose response comes next.
    doubtful: bool,
    /// Its exchange has ended (timed out); it keeps its place until its response has passed.
    ended: bool,
}

struct Answer {
    status: u16,
    captured: Vec<(Cow<'static, str>, Value)>,
    framing: Framing,
    message: Message,
    head: u64,
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
        self.queue.get_mut(usize::try_from(place).ok()?)
    }

    /// A request's head. Opens an exchange.
    pub(super) fn ask(
        &mut self,
        mut request: Request,
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
        }));
        let message = message(extent, request.truncated, declared(request.framing));
        let (doubtful, ended) = (self.doubt, false);
        self.queue.push_back(Pending { key, role, request, message, response: None, doubtful, ended });
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
    pub(super) fn answer(&mut self, response: Response, extent: &Extent, scene: &mut Scene<'_>) -> Taken {
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
            (Some(answer), true) => &mut answer.message,
            (None, true) => return,
            (_, false) => &mut pending.message,
        };
        message.bytes += extent.bytes;
        message.missing += extent.missing;
        message.last = extent.last;
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
            answer.message.body = body.or(answer.message.body);
        }
        self.end_front(Ending::Answered, Nanos::default(), scene);
    }

    /// Responses ended with their stream: so did the one that was to last until then, or whose end was not seen.
    pub(super) fn complete_at_end(&mut self, scene: &mut Scene<'_>) {
        let answer = self.queue.front().and_then(|pending| pending.response.as_ref());
        match answer.map(|answer| (answer.framing, answer.message.bytes - answer.head)) {
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
        if self.open_ended() && self.queue.front().is_some_and(silent) {
            self.complete(None, scene);
        }
        for pending in &mut self.queue {
            if pending.response.is_none() && silent(pending) {
                pending.close(Ending::TimedOut, now, scene);
            }
        }
    }

    /// Ends everything. A response without a seen end, or with none but the connection's, is complete.
    pub(super) fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if self.open_ended() {
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
        let answer = self.response.as_ref().map_or(Nanos::default(), |answer| answer.message.last.time);
        answer.max(self.message.last.time)
    }

    fn receive(&mut self, response: Response, framing: Framing, extent: &Extent, scene: &mut Scene<'_>) {
        let begins = Resumption { key: self.key, at: extent.first };
        match self.role {
            _ if self.ended => {}
            Role::Client => scene.out.push(Output::Resumed(begins)),
            _ => scene.out.push(Output::Answering(begins)),
        }
        let message = message(extent, response.truncated, declared(framing));
        let Response { status, captured, .. } = response;
        self.response = Some(Answer { status, captured, framing, message, head: extent.bytes });
    }

    fn end(mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.close(ending, now, scene);
    }

    /// Says how the exchange ended, once.
    fn close(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let ending = if self.doubtful { Ending::Lost } else { ending };
        let mut attributes = std::mem::take(&mut self.request.attributes);
        let size = |name: &'static str, body: Option<u64>| {
            body.map(|bytes| (name.into(), Value::Int(bytes.try_into().unwrap_or(i64::MAX))))
        };
        attributes.extend(size("http.request.body.size", self.message.body));
        if let Some(answer) = &mut self.response {
            attributes.push(("http.response.status_code".into(), Value::Int(answer.status.into())));
            attributes.extend(size("http.response.body.size", answer.message.body));
            attributes.append(&mut answer.captured);
        }
        let outcome = outcome(ending, self.role, self.response.as_ref().map(|answer| answer.status));
        if let Outcome::Error(error, _) = &outcome {
            attributes.push(("error.type".into(), Value::Text(error.clone())));
        }
        scene.out.push(Output::Closed(Box::new(Exchange {
            key: self.key,
            protocol: "http",
            role: self.role,
            facts: *scene.facts,
            request: self.message,
            response: self.response.as_ref().map(|answer| answer.message),
            ending,
            ended: now.max(self.seen()),
            method: std::mem::take(&mut self.request.method),
            target: std::mem::replace(&mut self.request.target, crate::exchange::Target::None),
            outcome,
            attributes,
        })));
    }
}

/// `error.type`: the status where it is an error for this role (a server's 4xx is the client's fault), else why no
/// complete response came: `connection_closed`, `connection_reset`, `timeout`, …
fn outcome(ending: Ending, role: Role, status: Option<u16>) -> Outcome {
    let least = if role == Role::Server { 500 } else { 400 };
    match (ending, status) {
        (_, Some(status)) if status >= least => Outcome::Error(status.to_string().into(), None),
        (Ending::Closed, _) => Outcome::Error("connection_closed".into(), None),
        (Ending::Broken(errno), _) => Outcome::Error(broken(errno).into(), None),
        (Ending::TimedOut, _) => Outcome::Error("timeout".into(), None),
        (Ending::Answered | Ending::Upgraded | Ending::Lost, _) => Outcome::Unset,
    }
}

/// Name of an errno (Linux, `include/uapi/asm-generic/errno.h`).
const fn broken(errno: u16) -> &'static str {
    match errno {
        32 => "broken_pipe",
        103 => "connection_aborted",
        104 => "connection_reset",
        110 => "connection_timed_out",
        111 => "connection_refused",
        112 | 113 => "host_unreachable",
        _ => "connection_error",
    }
}
