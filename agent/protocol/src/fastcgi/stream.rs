//! Comes in: the records of one request and of its answer. Goes out: its exchange. Refuses: to keep more of parameters or
//! of an answer's head than a head may be long; sizes where records were missed.

use super::{NAME, head::Head, params, record::Verdict};
use crate::{
    attributes,
    event::Nanos,
    exchange::{Ending, Exchange, Key, Message, Opening, Outcome, Output, Resumption, Role},
    http::{
        closing::Closing,
        message::{Attributes, Request},
    },
    pipeline,
    protocol::{Extent, Scene},
};

/// A request and what is there of its answer.
pub(super) struct Stream {
    pub(super) id: u16,
    key: Key,
    role: Role,
    asked: Message,
    /// The parameters so far.
    params: Vec<u8>,
    /// Some parameters are missing.
    cut: bool,
    /// What they tell, once all of them are there.
    request: Option<Request>,
    head: Head,
    answered: Option<Message>,
    /// Payload of both directions so far, bytes.
    request_body: u64,
    response_body: u64,
    /// What the application wrote to its STDERR, bytes.
    stderr: u64,
    /// The ends of both were declared.
    asked_whole: bool,
    answered_whole: bool,
    aborted: bool,
    /// Records of the request, and of the answer, may have been missed.
    doubts: [bool; 2],
}

impl Stream {
    /// A record began a request.
    pub(super) fn new(id: u16, role: Role, extent: &Extent, scene: &Scene<'_>) -> Self {
        Self {
            id,
            key: Key { cookie: scene.facts.socket.cookie, offset: extent.offset, sub: id.into() },
            role,
            asked: message(extent),
            params: Vec::new(),
            cut: false,
            request: None,
            head: Head::default(),
            answered: None,
            request_body: 0,
            response_body: 0,
            stderr: 0,
            asked_whole: false,
            answered_whole: false,
            aborted: false,
            doubts: [false; 2],
        }
    }

    /// How many bytes of parameters may still be kept; `None` where all that come are there.
    pub(super) fn room(&self, max: usize) -> Option<usize> {
        self.request.is_none().then(|| max.saturating_sub(self.params.len()))
    }

    /// How many bytes of the answer's head may still be kept; `None` where it is read.
    pub(super) fn head_room(&self, max: usize) -> Option<usize> {
        self.head.room(max)
    }

    /// Is its answer under way?
    pub(super) const fn answered(&self) -> bool {
        self.answered.is_some()
    }

    /// May records have been missed?
    pub(super) const fn doubtful(&self) -> bool {
        let [request, answer] = self.doubts;
        request || answer
    }

    /// Time of the newest byte.
    pub(super) fn seen(&self) -> Nanos {
        self.answered.map_or(Nanos::default(), |answer| answer.last.time).max(self.asked.last.time)
    }

    /// More parameters; `cut`: not all of them were kept.
    pub(super) fn note(&mut self, piece: &[u8], cut: bool) {
        // What follows a hole cannot be told from what fills it.
        if self.request.is_none() && !self.cut {
            self.params.extend_from_slice(piece);
            self.cut |= cut;
        }
    }

    /// All parameters are there, or no more will be.
    pub(super) fn open(&mut self, scene: &mut Scene<'_>) {
        if self.request.is_some() {
            return;
        }
        let params = std::mem::take(&mut self.params);
        let mut request = params::request(&params, self.cut, self.role, scene.facts, scene.settings);
        self.asked.truncated = self.cut;
        scene.out.push(Output::Opened(Opening {
            key: self.key,
            role: self.role,
            facts: *scene.facts,
            start: self.asked.first,
            carrier: std::mem::take(&mut request.carrier).into_headers(),
            shape: request.shape(),
            tokens: request.tokens,
        }));
        self.request = Some(request);
    }

    /// Payload of the request, bytes.
    pub(super) const fn take(&mut self, length: u16) {
        self.asked_whole |= length == 0;
        self.request_body += length as u64;
    }

    /// It is no longer wanted.
    pub(super) const fn abort(&mut self) {
        self.aborted = true;
    }

    /// A record of the answer: so much payload, and what of it may belong to the head; `cut`: more of that was not kept.
    pub(super) fn answer(
        &mut self,
        length: u16,
        piece: &[u8],
        cut: bool,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) {
        self.begin_answer(extent, scene);
        self.answered_whole |= length == 0;
        self.response_body += u64::from(length);
        self.head.feed(piece, cut || length == 0, scene.settings);
    }

    fn begin_answer(&mut self, extent: &Extent, scene: &mut Scene<'_>) {
        self.open(scene);
        if let Some(answered) = &mut self.answered {
            return pipeline::extend(answered, extent);
        }
        scene.out.push(Output::begins(self.role, Resumption { key: self.key, at: extent.first }));
        self.answered = Some(message(extent));
    }

    /// What the application wrote to its STDERR. It may come long before the answer, and is no part of it.
    pub(super) const fn complain(&mut self, length: u16) {
        self.stderr += length as u64;
    }

    /// More bytes of a record.
    pub(super) fn extend(&mut self, answers: bool, extent: &Extent) {
        match &mut self.answered {
            Some(answered) if answers => pipeline::extend(answered, extent),
            _ if answers => {}
            _ => pipeline::extend(&mut self.asked, extent),
        }
    }

    /// Records of a direction may have been missed.
    pub(super) fn doubt(&mut self, answers: bool, scene: &mut Scene<'_>) {
        let [request, answer] = &mut self.doubts;
        *(if answers { answer } else { request }) = true;
        if answers {
            self.head.feed(&[], true, scene.settings);
        } else if self.request.is_none() {
            self.cut = true;
            self.open(scene);
        }
    }

    /// The application is done with it.
    pub(super) fn end(mut self, verdict: Verdict, extent: &Extent, scene: &mut Scene<'_>) {
        self.begin_answer(extent, scene);
        let ending = if self.aborted { Ending::Cancelled } else { Ending::Answered };
        self.conclude(ending, Nanos::default(), verdict, scene);
    }

    /// Its connection, or somebody's patience, is at an end.
    pub(super) fn close(self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        let ending = match ending {
            Ending::Closed if self.answered_whole => Ending::Answered,
            Ending::Closed | Ending::TimedOut if self.aborted => Ending::Cancelled,
            Ending::TimedOut if self.doubtful() => Ending::Lost,
            ending => ending,
        };
        self.conclude(ending, now, Verdict::default(), scene);
    }

    fn conclude(mut self, ending: Ending, now: Nanos, verdict: Verdict, scene: &mut Scene<'_>) {
        self.measure(ending, scene);
        let ended = now.max(self.seen());
        let Some(mut request) = self.request.take() else { return };
        self.tell(verdict, &mut request.attributes);
        let mut answer = self.answered.map(|message| self.head.answer(message));
        let closing = Closing {
            key: self.key,
            role: self.role,
            request: &mut request,
            asked: self.asked,
            answer: answer.as_mut(),
            ending,
            ended,
            failure: None,
            call: None,
        };
        let exchange = Exchange { protocol: NAME, ..closing.exchange(scene) };
        let outcome = match (exchange.outcome, verdict.error()) {
            (Outcome::Unset, Some(error)) => Outcome::Error(error.into(), None),
            (outcome, _) => outcome,
        };
        scene.out.push(Output::Closed(Box::new(Exchange { outcome, ..exchange })));
    }

    /// What HTTP does not know.
    fn tell(&self, verdict: Verdict, attributes: &mut Attributes) {
        let mut count = |name: &'static str, count: u64| {
            attributes.extend((count > 0).then(|| (name.into(), attributes::count(count))));
        };
        count("wirespan.fastcgi.app_status", verdict.app_status.into());
        count("wirespan.fastcgi.stderr_bytes", self.stderr);
    }

    /// Sizes of the bodies, where all of them was seen.
    fn measure(&mut self, ending: Ending, scene: &Scene<'_>) {
        self.head.feed(&[], true, scene.settings);
        let [request, answer] = self.doubts;
        self.asked.body = (self.asked_whole && !request).then_some(self.request_body);
        let body = self.head.length().and_then(|head| self.response_body.checked_sub(head));
        if let Some(answered) = self.answered.as_mut().filter(|_| ending == Ending::Answered && !answer) {
            answered.body = body;
        }
    }
}

const fn message(extent: &Extent) -> Message {
    let Extent { offset, first, last, bytes, missing } = *extent;
    Message { offset, first, last, bytes, body: None, missing, truncated: false }
}
