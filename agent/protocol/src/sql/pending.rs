//! Comes in: what a client asked of a database, and what came back. Goes out: its opening and its exchange, with the
//! attributes of the database conventions. Refuses: literals; an error's message may quote them, so it is never kept.
//!
//! `db.operation.name`, and `db.collection.name` or `db.stored_procedure.name`, are told where the text has one only. Beside the conventions'
//! attributes: `wirespan.statement_unknown` (it was prepared before anybody watched, or too long ago),
//! `wirespan.compressed`, `wirespan.affected_rows`, `wirespan.sqlstate`, and `wirespan.request.bytes` and `wirespan.response.bytes`, the
//! lengths of both messages on the wire.

use std::{borrow::Cow, sync::Arc};

use smol_str::{SmolStr, format_smolstr};

use super::{digest::Digest, summary::Object};
use crate::{
    address, attributes,
    event::{Address, Nanos},
    exchange::{Ending, Exchange, Key, Message, Opening, Outcome, Output, Resumption, Role, Target, Value},
    protocol::{Extent, Scene},
    shape,
    token::Tokens,
};

/// Who is asked, by which protocol.
#[derive(Clone)]
pub(crate) struct Database {
    /// The registry's name of the protocol.
    pub(crate) protocol: &'static str,
    /// `db.system.name`
    pub(crate) system: &'static str,
    /// `db.namespace`, where it is known.
    pub(crate) namespace: Option<SmolStr>,
    pub(crate) role: Role,
}

/// What is asked.
#[derive(Default)]
pub(crate) struct Ask {
    /// A command of the protocol, where it is not just to execute the statement.
    pub(crate) command: Option<&'static str>,
    /// The statement, where it is known.
    pub(crate) digest: Option<Arc<Digest>>,
    /// There is a statement, and it is not known.
    pub(crate) unknown: bool,
    /// More of it stood behind what was captured or looked at.
    pub(crate) truncated: bool,
    /// It came compressed.
    pub(crate) compressed: bool,
    /// Headers of a trace context.
    pub(crate) carrier: Vec<(Cow<'static, str>, String)>,
    /// Rare names among its literals and parameters.
    pub(crate) tokens: Tokens,
}

/// Why it failed, as the server said.
pub(crate) struct Failure {
    /// `db.response.status_code` and `error.type`
    pub(crate) code: SmolStr,
    /// SQLSTATE, where it is not the code.
    pub(crate) sqlstate: Option<SmolStr>,
}

/// A request, and what is there of its response. `W` is what the protocol must remember.
pub(crate) struct Pending<W> {
    pub(crate) work: W,
    key: Key,
    database: Database,
    ask: Ask,
    request: Message,
    response: Option<Message>,
    /// The operation, as the response names it.
    pub(crate) told: Option<SmolStr>,
    /// Rows that came back, where they were counted.
    pub(crate) returned: Option<u64>,
    /// Rows that changed.
    pub(crate) affected: Option<u64>,
    pub(crate) failure: Option<Failure>,
    /// May not be the one whose response comes next.
    pub(crate) doubtful: bool,
    /// Its exchange has ended (timed out); it keeps its place until its response has passed.
    ended: bool,
}

impl<W> Pending<W> {
    /// Opens an exchange whose request begins at `extent`.
    pub(crate) fn open(
        work: W,
        database: Database,
        mut ask: Ask,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) -> Self {
        let key = Key { cookie: scene.facts.socket.cookie, offset: extent.offset, sub: 0 };
        let carrier = std::mem::take(&mut ask.carrier);
        let (role, facts, start) = (database.role, *scene.facts, extent.first);
        let shape = shape::of(ask.digest.as_deref().map(|digest| digest.summary.as_str()));
        scene.out.push(Output::Opened(Opening {
            key,
            role,
            facts,
            start,
            carrier,
            shape,
            tokens: ask.tokens,
        }));
        let request = message(extent, ask.truncated);
        let (told, returned, affected, failure) = (None, None, None, None);
        let (doubtful, ended, response) = (false, false, None);
        Self {
            work,
            key,
            database,
            ask,
            request,
            response,
            told,
            returned,
            affected,
            failure,
            doubtful,
            ended,
        }
    }

    /// More bytes of the request.
    pub(crate) fn asked(&mut self, extent: &Extent) {
        extend(&mut self.request, extent);
    }

    /// Bytes of the response.
    pub(crate) fn answered(&mut self, extent: &Extent, scene: &mut Scene<'_>) {
        match &mut self.response {
            Some(response) => extend(response, extent),
            None => {
                if !self.ended {
                    let begins = Resumption { key: self.key, at: extent.first };
                    scene.out.push(Output::begins(self.database.role, begins));
                }
                self.response = Some(message(extent, false));
            }
        }
    }

    /// Bytes of the response were passed over.
    pub(crate) const fn passed(&mut self, extent: &Extent) {
        if let Some(response) = &mut self.response {
            extend(response, extent);
        }
    }

    /// Did a byte of the response come?
    pub(crate) const fn is_answered(&self) -> bool {
        self.response.is_some()
    }

    /// When the request began.
    pub(crate) const fn begun(&self) -> Nanos {
        self.request.first.time
    }

    /// Time of the newest byte.
    pub(crate) fn seen(&self) -> Nanos {
        let response = self.response.map_or(Nanos::default(), |response| response.last.time);
        response.max(self.request.last.time)
    }

    /// Says how the exchange ended, once.
    pub(crate) fn close(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let ending = if self.doubtful { Ending::Lost } else { ending };
        let (method, target) = self.name();
        let outcome = self.outcome(ending);
        let attributes = self.attributes(&outcome, scene);
        scene.out.push(Output::Closed(Box::new(Exchange {
            key: self.key,
            protocol: self.database.protocol,
            role: self.database.role,
            facts: *scene.facts,
            request: self.request,
            response: self.response,
            ending,
            ended: now.max(self.seen()),
            method,
            target,
            outcome,
            attributes,
            links: Vec::new(),
        })));
    }

    /// The span's name is the summary; without one the operation; without that the system (semantic conventions,
    /// database, "Name").
    fn name(&self) -> (SmolStr, Target) {
        let Some(summary) = self.summary() else {
            let system = SmolStr::new_static(self.database.system);
            return (self.operation().unwrap_or(system), Target::None);
        };
        match summary.split_once(' ') {
            Some((first, rest)) => (first.into(), Target::Name(rest.into())),
            None => (summary, Target::None),
        }
    }

    /// `db.query.summary`
    fn summary(&self) -> Option<SmolStr> {
        let summary = &self.ask.digest.as_ref()?.summary;
        match self.ask.command {
            _ if summary.is_empty() => None,
            Some(command) => Some(format_smolstr!("{command} {summary}")),
            None => Some(summary.clone()),
        }
    }

    /// `db.operation.name`
    fn operation(&self) -> Option<SmolStr> {
        match (&self.ask.digest, self.ask.command) {
            (_, Some(command)) => Some(SmolStr::new_static(command)),
            (Some(digest), None) => digest.operation.clone(),
            (None, None) => self.told.clone(),
        }
    }

    /// `error.type`: the server's code, else why no complete response came.
    fn outcome(&self, ending: Ending) -> Outcome {
        let told = self.failure.as_ref().map(|failure| failure.code.clone());
        match told.or_else(|| ending.error_type().map(SmolStr::new_static)) {
            Some(kind) => Outcome::Error(kind, None),
            None => Outcome::Unset,
        }
    }

    fn attributes(&self, outcome: &Outcome, scene: &Scene<'_>) -> Vec<(Cow<'static, str>, Value)> {
        let mut attributes = Attributes(Vec::with_capacity(attributes::USUAL));
        attributes.text("db.system.name", Some(SmolStr::new_static(self.database.system)));
        attributes.text("db.namespace", self.database.namespace.clone());
        attributes.text("db.operation.name", self.operation());
        if let Some(digest) = &self.ask.digest {
            match &digest.target {
                Some(Object::Collection(name)) => attributes.text("db.collection.name", Some(name.clone())),
                Some(Object::Procedure(name)) => {
                    attributes.text("db.stored_procedure.name", Some(name.clone()))
                }
                Some(Object::Other(_)) | None => {}
            }
            attributes.text("db.query.summary", self.summary());
            attributes.text("db.query.text", Some(digest.text.clone()).filter(|text| !text.is_empty()));
        }
        attributes.count("db.response.returned_rows", self.returned);
        if let Some(failure) = &self.failure {
            attributes.text("db.response.status_code", Some(failure.code.clone()));
            attributes.text("wirespan.sqlstate", failure.sqlstate.clone());
        }
        if let Outcome::Error(kind, _) = outcome {
            attributes.text("error.type", Some(kind.clone()));
        }
        if self.ask.unknown {
            attributes.0.push(("wirespan.statement_unknown".into(), Value::Bool(true)));
        }
        if self.ask.compressed {
            attributes.0.push(("wirespan.compressed".into(), Value::Bool(true)));
        }
        attributes.count("wirespan.affected_rows", self.affected);
        attributes.count("wirespan.request.bytes", Some(self.request.bytes));
        attributes.count("wirespan.response.bytes", self.response.map(|response| response.bytes));
        if let (Role::Server, Address::Inet(local)) = (self.database.role, scene.facts.socket.local) {
            attributes.text("server.address", Some(address::text(local.ip())));
            attributes.count("server.port", Some(local.port().into()));
        }
        attributes.0
    }
}

struct Attributes(Vec<(Cow<'static, str>, Value)>);

impl Attributes {
    fn text(&mut self, name: &'static str, value: Option<SmolStr>) {
        self.0.extend(value.map(|text| (name.into(), Value::Text(text))));
    }

    fn count(&mut self, name: &'static str, value: Option<u64>) {
        self.0.extend(value.map(|count| (name.into(), Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))));
    }
}

const fn message(extent: &Extent, truncated: bool) -> Message {
    let Extent { offset, first, last, bytes, missing } = *extent;
    Message { offset, first, last, bytes, body: None, missing, truncated }
}

const fn extend(message: &mut Message, extent: &Extent) {
    message.bytes += extent.bytes;
    message.missing += extent.missing;
    message.last = extent.last;
}
