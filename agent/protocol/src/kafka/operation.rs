//! Comes in: a request and its answer. Goes out: their exchange, by OpenTelemetry's conventions for Kafka. Refuses: keys and
//! values of records.

use smol_str::SmolStr;

use super::{
    apis::{self, Api},
    errors,
    layout::Reader,
    request::Head,
    summary::{Summary, Topic},
};
use crate::{
    attributes::{self, Attributes},
    event::Nanos,
    exchange::{Ending, Exchange, Key, Message, Opening, Outcome, Output, Resumption, Role, Target, Value},
    pipeline,
    protocol::{Extent, Scene},
    settings::Settings,
    token::Tokens,
};

/// A request under way.
#[derive(Debug)]
pub(super) struct Operation {
    key: Key,
    role: Role,
    pub(super) api: &'static Api,
    pub(super) version: u16,
    client: Option<SmolStr>,
    asked: Summary,
    answered: Option<Summary>,
    pub(super) request: Message,
    pub(super) response: Option<Message>,
    /// Its answer may have been lost.
    pub(super) doubtful: bool,
}

/// A message, with no bytes yet, that begins where `extent` does.
const fn message(extent: &Extent, truncated: bool) -> Message {
    let Extent { offset, first, .. } = *extent;
    Message { offset, first, last: first, bytes: 0, body: None, missing: 0, truncated }
}

/// What of a request outlives its bytes.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) api: &'static Api,
    pub(super) version: u16,
    pub(super) correlation: u32,
    client: Option<SmolStr>,
    summary: Summary,
    truncated: bool,
}

impl Asked {
    /// Reads a request.
    pub(super) fn new(head: &Head<'_>, settings: &Settings) -> Self {
        let mut summary = Summary::new(settings.max_text);
        let whole = head.tell(&mut summary);
        Self {
            api: head.api,
            version: head.version,
            correlation: head.correlation,
            client: head.client.map(|name| attributes::text(name, settings.max_text).into()),
            summary,
            truncated: !whole,
        }
    }
}

impl Operation {
    pub(super) fn new(asked: Asked, serves: bool, extent: &Extent, scene: &Scene<'_>) -> Self {
        let role = match asked.api.key {
            _ if serves => Role::Server,
            apis::PRODUCE => Role::Producer,
            _ => Role::Client,
        };
        let mut request = message(extent, asked.truncated);
        pipeline::extend(&mut request, extent);
        Self {
            key: Key {
                cookie: scene.facts.socket.cookie,
                offset: extent.offset,
                sub: asked.correlation.into(),
            },
            role,
            api: asked.api,
            version: asked.version,
            client: asked.client,
            asked: asked.summary,
            answered: None,
            request,
            response: None,
            // Nobody knows whether it wants to be acknowledged.
            doubtful: asked.api.key == apis::PRODUCE && !asked.api.versions.contains(&asked.version),
        }
    }

    /// Says that it has begun. One record's context is the cause; those of several become links.
    pub(super) fn open(&mut self, scene: &mut Scene<'_>) {
        let single = self.asked.records.count == 1;
        let carrier = self.asked.records.contexts.pop_if(|_| single).unwrap_or_default();
        let (key, role, start) = (self.key, self.role, self.request.first);
        scene.out.push(Output::Opened(Opening {
            key,
            role,
            facts: *scene.facts,
            start,
            carrier,
            shape: 0,
            tokens: Tokens::default(),
        }));
    }

    /// Reads its answer behind the correlation id, as far as it is known what stands in it. `false` where it ended early.
    pub(super) fn read(&self, bytes: &[u8], summary: &mut Summary) -> bool {
        if !self.api.versions.contains(&self.version) {
            return true;
        }
        let flexible = self.api.is_flexible(self.version);
        let mut reader = Reader::new(bytes, self.version, flexible, summary);
        let tags = if self.api.has_tagged_answer(self.version) { reader.tags() } else { Some(()) };
        tags.and_then(|()| reader.read(self.api.response)).is_some()
    }

    /// The group that it was asked for.
    pub(super) fn group(&self) -> Option<&SmolStr> {
        self.asked.group.as_ref()
    }

    /// Told where the request itself names no group.
    pub(super) fn join(&mut self, group: Option<&SmolStr>) {
        if self.api.operation().1.is_some_and(|kind| kind != "send") && self.asked.group.is_none() {
            self.asked.group = group.cloned();
        }
    }

    /// Does the broker keep silent (`acks=0`)?
    pub(super) fn is_silent(&self) -> bool {
        self.api.key == apis::PRODUCE && self.asked.acks == Some(0)
    }

    /// Its answer begins.
    pub(super) fn answered(
        &mut self,
        summary: Summary,
        truncated: bool,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) {
        scene.out.push(Output::begins(self.role, Resumption { key: self.key, at: extent.first }));
        let mut response = message(extent, truncated);
        pipeline::extend(&mut response, extent);
        self.response = Some(response);
        self.answered = Some(summary);
    }

    /// Says how it ended.
    pub(super) fn close(mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        let ending = if self.doubtful && ending != Ending::Answered { Ending::Lost } else { ending };
        let (target, attributes) = self.attributes(scene);
        let error = self.answered.as_ref().and_then(|summary| errors::name(summary.error));
        // A consumer that leaves does not wait for the fetch that it has under way.
        let left = self.is_fetch() && ending == Ending::Closed;
        let error = error.or(ending.error_type().filter(|_| !left));
        let outcome = error.map_or(Outcome::Unset, |name| Outcome::Error(name.into(), None));
        let last = self.response.map_or(self.request.last.time, |response| response.last.time);
        let records = self.answered.iter_mut().map(|summary| &mut summary.records);
        let links =
            records.chain([&mut self.asked.records]).flat_map(|records| records.contexts.drain(..)).collect();
        scene.out.push(Output::Closed(Box::new(Exchange {
            key: self.key,
            protocol: "kafka",
            role: self.role,
            facts: *scene.facts,
            request: self.request,
            response: self.response,
            ending,
            ended: now.max(last),
            method: SmolStr::new_static(self.api.operation().0),
            target,
            outcome,
            attributes,
            links,
        })));
    }

    fn attributes(&self, scene: &Scene<'_>) -> (Target, Attributes) {
        let (name, kind) = self.api.operation();
        let text = |name: &'static str, text: &'static str| (name.into(), Value::fixed(text));
        let mut attributes = Attributes::with_capacity(attributes::USUAL);
        attributes.extend([
            text("messaging.system", "kafka"),
            text("messaging.operation.name", name),
            text("network.protocol.name", "kafka"),
            ("wirespan.kafka.api_version".into(), Value::Int(self.version.into())),
        ]);
        attributes.extend(kind.map(|kind| text("messaging.operation.type", kind)));
        for (name, value) in
            [("messaging.client.id", &self.client), ("messaging.consumer.group.name", &self.asked.group)]
        {
            attributes.extend(value.clone().map(|value| (name.into(), Value::Text(value))));
        }
        let topic = self.topic(&scene.settings.topics);
        attributes
            .extend(topic.clone().map(|topic| ("messaging.destination.name".into(), Value::Text(topic))));
        self.partitions(&mut attributes);
        self.messages(&mut attributes);
        attributes::server(self.role, scene.facts, &mut attributes);
        (topic.map_or(Target::None, Target::Destination), attributes)
    }

    /// The messages that tell of topics: the answer to a fetch names those that had something.
    fn told(&self) -> &Summary {
        let full = self.answered.as_ref().filter(|summary| summary.topic.is_some());
        full.filter(|_| self.asked.topic.is_none() || self.is_fetch()).unwrap_or(&self.asked)
    }

    const fn is_fetch(&self) -> bool {
        matches!(self.api.key, apis::FETCH | apis::SHARE_FETCH)
    }

    /// The one topic that it is about, by its name.
    fn topic(&self, topics: &super::Topics) -> Option<SmolStr> {
        match self.told().only_topic()? {
            Topic::Name(name) => Some(name.clone()),
            Topic::Id(id) => topics.name(id),
        }
    }

    fn partitions(&self, attributes: &mut Attributes) {
        let told = self.told();
        match (told.partition, told.partitions) {
            (Some(index), 1) => attributes
                .push(("messaging.destination.partition.id".into(), Value::Text(index.to_string().into()))),
            (_, 0) => {}
            (_, many) => attributes.push(("wirespan.kafka.partitions".into(), Value::Int(many.into()))),
        }
        if told.other_topics > 0 {
            let many = Value::Int(i64::from(told.other_topics) + 1);
            attributes.push(("wirespan.kafka.topics".into(), many));
        }
        let acks = self.asked.acks.map(|acks| ("wirespan.kafka.acks".into(), Value::Int(acks.into())));
        attributes.extend(acks);
    }

    /// The records that were sent, or that came back.
    fn messages(&self, attributes: &mut Attributes) {
        let records = match (self.api.key, &self.answered) {
            (apis::PRODUCE, _) => &self.asked.records,
            (apis::FETCH | apis::SHARE_FETCH, Some(answered)) => &answered.records,
            _ => return,
        };
        if records.cut || !self.api.versions.contains(&self.version) {
            return;
        }
        attributes.push(("messaging.batch.message_count".into(), attributes::count(records.count)));
        if records.count != 1 {
            return;
        }
        let offset = match self.api.key {
            apis::PRODUCE => self.answered.as_ref().and_then(|answered| answered.offset),
            _ => records.offset,
        };
        let known = offset.filter(|offset| *offset >= 0);
        attributes.extend(known.map(|offset| ("messaging.kafka.offset".into(), Value::Int(offset))));
        if records.tombstone {
            attributes.push(("messaging.kafka.message.tombstone".into(), Value::Bool(true)));
        }
    }
}
