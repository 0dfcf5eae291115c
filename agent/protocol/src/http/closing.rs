//! Comes in: a request of any version of HTTP and what became of it. Goes out: the exchange, with the attributes that
//! only its end tells, or the call of gRPC that it was. Refuses: nothing.

use smol_str::SmolStr;

use super::message::{Attributes, Request};
use crate::{
    event::Nanos,
    exchange::{Ending, Exchange, Key, Message, Outcome, Role, Target, Value},
    grpc::{self, Call},
    protocol::Scene,
};

/// What is there of a response.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `None` where it is not known.
    pub(crate) status: Option<u16>,
    /// Captured headers.
    pub(crate) captured: Attributes,
    /// Its bytes.
    pub(crate) message: Message,
}

/// A request at its end. The text of request and answer moves into the exchange.
pub(crate) struct Closing<'a> {
    pub(crate) key: Key,
    pub(crate) role: Role,
    pub(crate) request: &'a mut Request,
    pub(crate) asked: Message,
    pub(crate) answer: Option<&'a mut Answer>,
    pub(crate) ending: Ending,
    pub(crate) ended: Nanos,
    /// Name of the error with which one side gave it up.
    pub(crate) failure: Option<&'static str>,
    /// The call that it carried.
    pub(crate) call: Option<Call>,
}

impl Closing<'_> {
    /// The exchange that is over.
    #[inline]
    pub(crate) fn exchange(mut self, scene: &Scene<'_>) -> Exchange {
        let outcome = self.outcome();
        let mut attributes = std::mem::take(&mut self.request.attributes);
        self.finish(&mut attributes);
        let (mut method, mut target) = self.request.name();
        if let Some(call) = &self.call {
            let status = self.answer.as_ref().and_then(|answer| answer.status);
            call_attributes(call, status, &mut attributes);
            method = rpc_method(&target, call.told.is_unknown_method(self.role), scene, &mut attributes);
            target = Target::None;
        }
        if let Outcome::Error(error, _) = &outcome {
            attributes.push(("error.type".into(), Value::Text(error.clone())));
        }
        Exchange {
            key: self.key,
            protocol: if self.call.is_some() { "grpc" } else { "http" },
            role: self.role,
            facts: *scene.facts,
            request: self.asked,
            response: self.answer.map(|answer| answer.message),
            ending: self.ending,
            ended: self.ended,
            method,
            target,
            outcome,
            attributes,
            links: Vec::new(),
        }
    }

    /// What only the end tells.
    fn finish(&mut self, attributes: &mut Attributes) {
        let size = |name: &'static str, body: Option<u64>| {
            body.map(|bytes| (name.into(), Value::Int(bytes.try_into().unwrap_or(i64::MAX))))
        };
        attributes.extend(size("http.request.body.size", self.asked.body));
        if let Some(answer) = &mut self.answer {
            let status = answer.status;
            attributes
                .extend(status.map(|code| ("http.response.status_code".into(), Value::Int(code.into()))));
            attributes.extend(size("http.response.body.size", answer.message.body));
            if !answer.captured.is_empty() {
                attributes.append(&mut answer.captured);
            }
        }
    }

    /// `error.type`: the status where it is an error for this role (a server's 4xx is the client's fault), else why
    /// no complete response came: `connection_closed`, `connection_reset`, `timeout`, … A call's own status counts
    /// before all of them.
    fn outcome(&self) -> Outcome {
        if let Some(outcome) = self.call.as_ref().and_then(|call| call.told.outcome(self.role)) {
            return outcome;
        }
        let least = if self.role == Role::Server { 500 } else { 400 };
        match (self.ending, self.answer.as_ref().and_then(|answer| answer.status)) {
            (_, Some(status)) if status >= least => Outcome::Error(status.to_string().into(), None),
            (Ending::Cancelled, _) => Outcome::Error(self.failure.unwrap_or("cancelled").into(), None),
            (ending, _) => {
                ending.error_type().map_or(Outcome::Unset, |error| Outcome::Error(error.into(), None))
            }
        }
    }
}

/// Semantic conventions for gRPC: a call's span has the attributes of the RPC. HTTP's own are left out, save a status
/// that tells that something else than a gRPC server answered.
fn call_attributes(call: &Call, status: Option<u16>, attributes: &mut Attributes) {
    let unusual = status.is_some_and(|status| status != 200);
    attributes.retain_mut(|(name, _)| grpc::adopt(name) || (unusual && name == "http.response.status_code"));
    attributes.push(("rpc.system.name".into(), Value::fixed("grpc")));
    attributes.extend(call.attributes());
}

/// The span's name, also among the attributes: the method where it is known to be one, else the system.
fn rpc_method(target: &Target, unknown: bool, scene: &Scene<'_>, attributes: &mut Attributes) -> SmolStr {
    let Target::Path(path) = target else { return SmolStr::new_static("grpc") };
    let Some(method) = grpc::method(path.as_bytes(), scene.settings) else {
        return SmolStr::new_static("grpc");
    };
    if unknown {
        attributes.push(("rpc.method".into(), Value::fixed("_OTHER")));
        attributes.push(("rpc.method_original".into(), Value::Text(method)));
        return SmolStr::new_static("grpc");
    }
    attributes.push(("rpc.method".into(), Value::Text(method.clone())));
    method
}
