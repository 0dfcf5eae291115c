//! Comes in: what happens on one stream. Goes out: its exchange. Refuses: counts and sizes where frames were missed.

use crate::{
    event::Nanos,
    exchange::{Ending, Key, Message, Output, Resumption, Role, Value},
    grpc::{Call, Coding, Messages, Status},
    http::{
        closing::{Answer, Closing},
        legacy::Upgrade,
        message::{Framing, Request, Response},
    },
    protocol::{Extent, Scene},
};

/// A request and what is there of its response.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) key: Key,
    role: Role,
    request: Request,
    asked: Message,
    answer: Option<Answer>,
    /// Payload of both directions so far, bytes.
    request_body: u64,
    response_body: u64,
    /// The request's last frame was seen.
    pub(super) asked_whole: bool,
    /// Frames of the request, and of the response, may have been missed.
    doubts: [bool; 2],
    call: Option<Call>,
    /// Fields that are not known, since they were sent before we joined or while bytes were lost.
    unknown: u32,
}

impl Stream {
    /// A request's head.
    pub(super) fn new(
        id: u32,
        role: Role,
        request: Request,
        unknown: u32,
        extent: &Extent,
        key: Key,
    ) -> Self {
        let declared = match request.framing {
            Framing::Length(length) | Framing::Unknown(Some(length)) => Some(length),
            _ => None,
        };
        let call = request.call.map(call);
        let asked = message(extent, request.truncated, declared);
        Self {
            id,
            key,
            role,
            request,
            asked,
            answer: None,
            request_body: 0,
            response_body: 0,
            asked_whole: false,
            doubts: [false; 2],
            call,
            unknown,
        }
    }

    /// The request that asked for HTTP/2 is the first of it. What it says of its version is no longer so.
    pub(super) fn upgraded(upgrade: Upgrade) -> Self {
        let Upgrade { key, role, mut request, asked } = upgrade;
        for (name, value) in &mut request.attributes {
            if name == "network.protocol.version" {
                *value = Value::fixed("2");
            }
        }
        let extent =
            Extent { offset: asked.offset, first: asked.first, last: asked.last, bytes: 0, missing: 0 };
        let body = asked.body.unwrap_or_default();
        let stream = Self::new(1, role, request, 0, &extent, key);
        Self { asked, request_body: body, asked_whole: true, ..stream }
    }

    /// Is its answer under way?
    pub(super) const fn answered(&self) -> bool {
        self.answer.is_some()
    }

    /// Time of the newest byte.
    pub(super) fn seen(&self) -> Nanos {
        let answer = self.answer.as_ref().map_or(Nanos::default(), |answer| answer.message.last.time);
        answer.max(self.asked.last.time)
    }

    /// A response's head. Interim ones (RFC 9110 section 15.2) are passed over.
    pub(super) fn receive(
        &mut self,
        response: Response,
        unknown: u32,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) {
        if response.interim() {
            return;
        }
        self.unknown += unknown;
        scene.out.push(Output::begins(self.role, Resumption { key: self.key, at: extent.first }));
        if response.call && self.call.is_none() {
            // The request's content type was not known, nor were its messages counted.
            self.call = Some(Call { asked: None, answered: Some(Messages::default()), ..Call::default() });
        }
        let message = message(extent, response.truncated, response.declared());
        let Response { status, captured, told, .. } = response;
        if let Some(call) = &mut self.call {
            call.told = told;
        }
        self.answer = Some(Answer { status, captured, message });
    }

    /// What the trailers of a call tell is noted here.
    pub(super) fn call(&mut self) -> &mut Option<Call> {
        &mut self.call
    }

    /// The messages of a direction, where they are counted.
    pub(super) fn messages(&mut self, answers: bool) -> Option<&mut Messages> {
        let call = self.call.as_mut()?;
        if answers { call.answered.as_mut() } else { call.asked.as_mut() }
    }

    /// Bytes of a direction.
    pub(super) fn extend(&mut self, answers: bool, extent: &Extent) {
        let message = match (&mut self.answer, answers) {
            (Some(answer), true) => &mut answer.message,
            (None, true) => return,
            (_, false) => &mut self.asked,
        };
        message.bytes += extent.bytes;
        message.missing += extent.missing;
        message.last = extent.last;
    }

    /// Payload of a direction, bytes.
    pub(super) const fn data(&mut self, answers: bool, length: u64) {
        if answers {
            self.response_body += length;
        } else {
            self.request_body += length;
        }
    }

    /// Frames of a direction may have been missed: what was to be counted there cannot be.
    pub(super) fn doubt(&mut self, answers: bool) {
        let [request, response] = &mut self.doubts;
        *(if answers { response } else { request }) = true;
        if let Some(messages) = self.messages(answers) {
            messages.lose();
        }
    }

    /// May frames have been missed?
    pub(super) const fn doubtful(&self) -> bool {
        let [request, response] = self.doubts;
        request || response
    }

    /// Bytes still due of a response whose length was declared.
    pub(super) fn due(&self) -> Option<u64> {
        self.answer.as_ref()?.message.body?.checked_sub(self.response_body)
    }

    /// It is over.
    pub(super) fn close(
        mut self,
        ending: Ending,
        now: Nanos,
        failure: Option<Failure>,
        scene: &mut Scene<'_>,
    ) {
        self.measure(ending);
        let ended = now.max(self.seen());
        let lost = self.doubtful() && ending == Ending::TimedOut;
        if let (Some(call), Some(failure)) = (&mut self.call, failure) {
            call.told.status = call.told.status.or(Some(failure.status));
        }
        if self.unknown > 0 {
            let name = "wirespan.http2.unknown_fields".into();
            self.request.attributes.push((name, Value::Int(self.unknown.into())));
        }
        let closing = Closing {
            key: self.key,
            role: self.role,
            request: &mut self.request,
            asked: self.asked,
            answer: self.answer.as_mut(),
            ending: if lost { Ending::Lost } else { ending },
            ended,
            failure: failure.map(|failure| failure.name),
            call: self.call.take(),
        };
        scene.out.push(Output::Closed(Box::new(closing.exchange(scene))));
    }

    /// Sizes of the bodies, where all of them was seen.
    fn measure(&mut self, ending: Ending) {
        let [request, response] = self.doubts;
        if self.asked_whole && !request {
            self.asked.body = Some(self.request_body);
        }
        if let Some(answer) = self.answer.as_mut().filter(|_| ending == Ending::Answered && !response) {
            answer.message.body = Some(self.response_body);
        }
    }
}

/// Why one side gave a stream up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// The error's name.
    pub(super) name: &'static str,
    /// What it is for a call.
    pub(super) status: Status,
}

fn call(coding: Coding) -> Call {
    let counter = (coding != Coding::Text).then(Messages::default);
    Call { asked: counter, answered: counter, ..Call::default() }
}

const fn message(extent: &Extent, truncated: bool, body: Option<u64>) -> Message {
    let Extent { offset, first, last, bytes, missing } = *extent;
    Message { offset, first, last, bytes, body, missing, truncated }
}
