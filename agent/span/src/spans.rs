//! Comes in: what the protocol stage says. Goes out: [`Activity`], with spans finished and redacted. Keeps nothing
//! between calls.

use std::{borrow::Cow, sync::Arc};

use wirespan_protocol::exchange::{Exchange, Message, Opening, Outcome, Output};

use crate::{
    attributes::{self, Attribute, Attributes},
    ends::Ends,
    redaction::Redaction,
    resource::Resource,
    settings::{Settings, SettingsError},
    span::{Activity, Moment, Nanos, Span, Start, Status, UnixNanos, Value},
};

/// Longest limit for a text that `Settings::max_text` may set, bytes.
const MAX_TEXT: usize = 1 << 20;

/// Tells which process did it. Implemented by the daemon, which reads `/proc`; it should remember its answers.
pub trait Processes {
    /// The resource of process `pid` in cgroup `cgroup` (id in the v2 hierarchy; 0 where unknown).
    fn resource(&mut self, pid: u32, cgroup: u64) -> Arc<Resource>;
}

/// Turns the boot-time clock into the time of day. Taken once per span, so that a step of the wall clock moves
/// spans and never stretches them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// The time of day at which the boot-time clock stood at zero.
    pub boot: UnixNanos,
}

impl Clock {
    /// The time of day at a moment of the boot-time clock.
    #[must_use]
    pub const fn unix(self, at: Nanos) -> UnixNanos {
        UnixNanos(self.boot.0.saturating_add(at.0))
    }
}

/// Makes spans of exchanges.
#[derive(Clone, Debug)]
pub struct Spans {
    redaction: Redaction,
    max_text: usize,
    /// Share of connections that is shown.
    share: f64,
}

impl Spans {
    /// Ready to make spans.
    ///
    /// # Errors
    /// A setting is outside its range, or names what can never match.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        if !(1..=MAX_TEXT).contains(&settings.max_text) {
            return Err(SettingsError::MaxText(settings.max_text));
        }
        Ok(Self { redaction: Redaction::new(settings)?, max_text: settings.max_text, share: 1.0 })
    }

    /// From now on spans say that they stand for more: only this share of connections, 0 to 1, is shown.
    pub const fn show(&mut self, share: f64) {
        self.share = share;
    }

    /// Takes one word of the protocol stage. `clock` holds for this call alone.
    pub fn accept(&self, output: Output, clock: Clock, processes: &mut impl Processes) -> Activity {
        match output {
            Output::Opened(opening) => Activity::Started(start(opening)),
            Output::Resumed(resumption) => {
                let (time, task) = (resumption.at.time, resumption.at.task);
                Activity::Resumed { key: resumption.key, time, task }
            }
            Output::Answering(response) => {
                let (time, task) = (response.at.time, response.at.task);
                Activity::Answering { key: response.key, time, task }
            }
            Output::Closed(exchange) => Activity::Finished(self.span(exchange, clock, processes)),
            Output::Withdrawn(key) => Activity::Withdrawn(key),
        }
    }

    /// Exchange and span stay where they are in memory: both are large.
    fn span(&self, mut exchange: Box<Exchange>, clock: Clock, processes: &mut impl Processes) -> Box<Span> {
        let resource = processes.resource(exchange.request.first.task.pid, exchange.facts.cgroup);
        let given = std::mem::take(&mut exchange.attributes);
        let mut attributes = attributes::redacted(given, &self.redaction, self.max_text);
        let name = attributes::name(&mut exchange, &mut attributes);
        let ends = Ends::new(&exchange.facts.socket, exchange.role, &attributes);
        let ahead = attributes.len();
        attributes::observations(&exchange, &mut attributes);
        attributes::sampled(self.share, &mut attributes);
        let status = status(&mut exchange, &mut attributes);
        let boot = interval(&exchange);
        Box::new(Span {
            key: exchange.key,
            role: exchange.role,
            name,
            start: clock.unix(boot.0),
            end: clock.unix(boot.1),
            boot,
            attributes: Attributes::new(attributes, ahead, ends),
            links: std::mem::take(&mut exchange.links),
            status,
            event: exchange.response.as_ref().map(|response| first_byte(response, clock)),
            resource,
        })
    }
}

fn start(opening: Opening) -> Start {
    Start {
        key: opening.key,
        role: opening.role,
        socket: opening.facts.socket,
        time: opening.start.time,
        task: opening.start.task,
        carrier: opening.carrier,
        shape: opening.shape,
        tokens: opening.tokens,
    }
}

/// From the request's first byte to the end of the exchange, or the request's last byte where that came later: a
/// refused upload may be answered before its last byte is sent.
fn interval(exchange: &Exchange) -> (Nanos, Nanos) {
    let start = exchange.request.first.time;
    (start, start.max(exchange.request.last.time).max(exchange.ended))
}

fn first_byte(response: &Message, clock: Clock) -> Moment {
    Moment { time: clock.unix(response.first.time), name: Cow::Borrowed("response.first_byte") }
}

/// Semantic conventions, recording errors: the status, and `error.type`, which the protocol may have set already.
fn status(exchange: &mut Exchange, attributes: &mut Vec<Attribute>) -> Status {
    match std::mem::replace(&mut exchange.outcome, Outcome::Unset) {
        Outcome::Unset => Status::Unset,
        Outcome::Error(kind, description) => {
            if attributes.iter().all(|(name, _)| name != "error.type") {
                attributes.push((Cow::Borrowed("error.type"), Value::Text(kind)));
            }
            Status::Error(description.unwrap_or_default())
        }
    }
}

#[cfg(test)]
#[path = "spans_tests.rs"]
mod tests;
