//! What methods do: they begin operations, answer them, settle them or end them all. Comes in: methods and messages, in
//! order. Goes out: exchanges.

use smol_str::SmolStr;

use super::{
    Amqp, asks_by,
    channel::{Channel, Consumer},
    lane::{Carries, Content},
    method::{self, Method, Part},
    operation::{Operation, Purpose},
    properties::Properties,
    waiting::Kind,
};
use crate::{
    attributes,
    event::{Direction, Nanos},
    exchange::{Ending, Outcome},
    protocol::{Extent, Scene},
};

impl Amqp {
    pub(super) fn method(
        &mut self,
        direction: Direction,
        channel: u16,
        method: Method,
        cut: bool,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) {
        self.asks = self.asks.or_else(|| asks_by(method.spec.by, direction));
        let Some(asks) = self.asks else { return };
        let by_client = asks == direction;
        if asks_by(method.spec.by, direction).is_some_and(|told| told != asks) {
            return;
        }
        if let Some(content) = self.lane(direction).take(channel) {
            self.cut(content, channel, Ending::Lost, Nanos::default(), scene);
        }
        match method.spec.part {
            Part::Call(..) if by_client => self.call(channel, method, cut, extent, scene),
            Part::Login => self.ask(channel, method.spec.name, Purpose::Other, extent, scene),
            Part::Answer if !by_client => self.answer(channel, &method, extent, scene),
            Part::Welcome => self.answer(channel, &method, extent, scene),
            Part::Settle => self.settle(by_client, channel, &method, extent, scene),
            Part::Close if !by_client => self.close(channel, method, extent, scene),
            Part::Closed if !by_client => {
                self.end(channel, &Outcome::Unset, extent, scene);
            }
            Part::Aside if method.spec.name == "channel.open" => {
                self.channels.insert(channel, Channel::default());
            }
            _ if method.has_content() => self.begin_message(direction, channel, method, cut, extent, scene),
            // What the broker sent before it heard of a close may be seen behind it: what is unanswered ends when it agrees.
            Part::Close => {
                let deliveries = (whole(channel), Some(Kind::Delivery));
                self.waiting.fail(deliveries, &Outcome::Unset, extent, scene);
            }
            Part::Call(..) | Part::Answer | Part::Closed | Part::Aside => {}
            Part::Publish | Part::Return | Part::Deliver | Part::Got => {}
        }
    }

    fn ask(
        &mut self,
        channel: u16,
        name: &'static str,
        purpose: Purpose,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) {
        let mut operation = Operation::new(name, purpose, self.party(), extent, scene.facts);
        operation.open(scene);
        self.waiting.call(channel, operation, scene);
    }

    /// A question of the client.
    fn call(&mut self, channel: u16, method: Method, cut: bool, extent: &Extent, scene: &mut Scene<'_>) {
        let no_wait = method.no_wait() && !cut;
        let name = method.spec.name;
        let purpose = if name == "get" { Purpose::Receive } else { Purpose::Other };
        let mut operation = Operation::new(name, purpose, self.party(), extent, scene.facts);
        operation.request.truncated = cut;
        self.note_call(channel, &method);
        if name != "cancel" {
            let [first, ..] = method.texts;
            operation.route[2] = if first.is_empty() { self.channel(channel).queue.clone() } else { first };
        }
        if matches!(name, "qos" | "confirm.select" | "tx.select" | "tx.commit" | "tx.rollback" | "recover") {
            operation.route = Default::default();
        }
        operation.open(scene);
        if no_wait {
            operation.close(Ending::Answered, Nanos::default(), scene);
        } else {
            self.waiting.call(channel, operation, scene);
        }
    }

    /// What a question changes for what follows it.
    fn note_call(&mut self, channel: u16, method: &Method) {
        let no_ack = method.no_ack();
        let [first, second, _] = &method.texts;
        let state = self.channel(channel);
        match method.spec.name {
            "confirm.select" => state.select(),
            "queue.declare" if !first.is_empty() => state.queue.clone_from(first),
            "consume" => state.consume(Consumer { tag: second.clone(), queue: first.clone(), no_ack }),
            "cancel" => state.cancel(first),
            _ => {}
        }
    }

    fn answer(&mut self, channel: u16, method: &Method, extent: &Extent, scene: &mut Scene<'_>) {
        let told = &method.texts[0];
        match method.spec.name {
            "queue.declare-ok" if !told.is_empty() => {
                self.channel(channel).queue.clone_from(told);
                let unnamed = self.waiting.front(channel).filter(|operation| operation.route[2].is_empty());
                if let Some(operation) = unnamed {
                    operation.route[2].clone_from(told);
                }
            }
            // The consumer that asked for a tag of the broker's making was noted without one.
            "consume-ok" if !told.is_empty() => {
                let unnamed = self.channel(channel).consumer("").cloned();
                if let Some(consumer) = unnamed {
                    self.channel(channel).cancel("");
                    self.channel(channel).consume(Consumer { tag: told.clone(), ..consumer });
                }
            }
            _ => {}
        }
        if let Some(operation) = self.waiting.front(channel) {
            operation.answered(extent, scene);
            self.waiting.answered(channel, scene);
        }
    }

    /// A method that a message follows.
    fn begin_message(
        &mut self,
        direction: Direction,
        channel: u16,
        method: Method,
        cut: bool,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) {
        let (name, part, number) = (method.spec.name, method.spec.part, method.number);
        let [exchange, key, third] = method.texts;
        let carries = match part {
            Part::Publish => {
                let mut operation = Operation::new(name, Purpose::Send, self.party(), extent, scene.facts);
                operation.request.truncated = cut;
                operation.route = [exchange, key, SmolStr::default()];
                Carries::Publish(Box::new(operation))
            }
            Part::Deliver => {
                let mut operation = Operation::new(name, Purpose::Process, self.party(), extent, scene.facts);
                operation.request.truncated = cut;
                operation.note("messaging.rabbitmq.message.delivery_tag", attributes::count(number));
                let (queue, settled) = self.consumer(channel, &third);
                operation.route = [exchange, key, queue];
                Carries::Deliver { operation: Box::new(operation), tag: number, settled }
            }
            Part::Got => {
                let Some(operation) = self.waiting.front(channel) else { return };
                operation.answered(extent, scene);
                operation.note("messaging.rabbitmq.message.delivery_tag", attributes::count(number));
                let queue = std::mem::take(&mut operation.route[2]);
                operation.route = [exchange, key, queue];
                Carries::Got
            }
            _ => {
                let mut operation = Operation::new(name, Purpose::Notice, self.party(), extent, scene.facts);
                operation.route = [exchange, key, SmolStr::default()];
                Carries::Return { operation: Box::new(operation), code: number, text: third }
            }
        };
        // Where there is no room for it, nothing was said of it yet.
        self.lane(direction).begin(channel, carries);
    }

    /// The queue of a consumer, and whether its messages are settled by being sent. Of one that is older than we are
    /// that is known once it has settled one.
    fn consumer(&mut self, channel: u16, tag: &str) -> (SmolStr, bool) {
        let state = self.channel(channel);
        match state.consumer(tag) {
            Some(consumer) => (consumer.queue.clone(), consumer.no_ack),
            None => (SmolStr::default(), !state.settles),
        }
    }

    /// A content header: the operation that it belongs to is known as well as it will be.
    pub(super) fn head(
        &mut self,
        direction: Direction,
        channel: u16,
        properties: Option<Properties>,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) {
        self.extend(direction, extent);
        // A second header of one message has no meaning.
        let content = self.lane(direction).content(channel).filter(|content| !content.opened);
        let Some(content) = content else { return };
        let cut = properties.as_ref().is_none_or(|properties| properties.cut);
        content.head(properties.as_ref().map(|properties| properties.size));
        let Some(operation) = content.carries.operation() else {
            let got = matches!(content.carries, Carries::Got);
            let front = self.waiting.front(channel).filter(|_| got);
            if let (Some(operation), Some(properties)) = (front, properties) {
                operation.describe(properties);
            }
            return;
        };
        operation.request.truncated |= cut;
        if let Some(properties) = properties {
            operation.describe(properties);
        }
        operation.open(scene);
    }

    /// A frame of a message is through.
    pub(super) fn done(&mut self, direction: Direction, channel: u16, scene: &mut Scene<'_>) {
        if !self.lane(direction).content(channel).is_some_and(|content| content.complete()) {
            return;
        }
        match self.lane(direction).take(channel).map(|content| content.carries) {
            Some(Carries::Publish(operation)) => self.published(channel, *operation, scene),
            Some(Carries::Deliver { operation, settled: true, .. }) => {
                operation.close(Ending::Answered, Nanos::default(), scene);
            }
            Some(Carries::Deliver { operation, tag, .. }) => {
                self.waiting.hold(channel, Kind::Delivery, tag, *operation, scene);
            }
            Some(Carries::Got) => self.waiting.answered(channel, scene),
            Some(Carries::Return { operation, code, text }) => {
                self.returned(channel, *operation, code, text, scene);
            }
            None => {}
        }
    }

    fn published(&mut self, channel: u16, operation: Operation, scene: &mut Scene<'_>) {
        let (time, quiet_ns) = (operation.request.first.time, scene.settings.quiet_ns);
        match self.channel(channel).publish(time, quiet_ns) {
            Some(number) => self.waiting.hold(channel, Kind::Publish, number, operation, scene),
            None => operation.close(Ending::Answered, Nanos::default(), scene),
        }
    }

    /// Nobody took a message: the oldest one with this route that waits has failed. Where none does, publishes are not
    /// confirmed, and that it came back is told by itself.
    fn returned(
        &mut self,
        channel: u16,
        mut notice: Operation,
        code: u64,
        text: SmolStr,
        scene: &mut Scene<'_>,
    ) {
        let Some(name) = method::reply(code) else { return };
        let outcome = Outcome::Error(name.into(), Some(text.into()));
        let same = |operation: &&mut Operation| {
            operation.outcome == Outcome::Unset && operation.route == notice.route
        };
        if let Some(operation) = self.waiting.published(channel).find(same) {
            operation.outcome = outcome;
            return;
        }
        notice.outcome = outcome;
        notice.open(scene);
        notice.close(Ending::Answered, Nanos::default(), scene);
    }

    /// `ack`, `nack`, `reject`.
    fn settle(
        &mut self,
        by_client: bool,
        channel: u16,
        method: &Method,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) {
        let name = method.spec.name;
        let outcome = if name == "ack" { Outcome::Unset } else { Outcome::Error(name.into(), None) };
        let which = (method.number, method.multiple());
        if !by_client {
            self.channel(channel).confirmed(method.number, extent.last.time);
            self.waiting.settle(channel, Kind::Publish, which, &outcome, extent, scene);
            return;
        }
        self.channel(channel).settles = true;
        if self.waiting.settle(channel, Kind::Delivery, which, &outcome, extent, scene) == 0 {
            let mut operation = Operation::new(name, Purpose::Settle, self.party(), extent, scene.facts);
            operation.note("messaging.rabbitmq.message.delivery_tag", attributes::count(method.number));
            operation.open(scene);
            operation.close(Ending::Answered, Nanos::default(), scene);
        }
    }

    /// The broker closes a channel or the connection. An error that nothing waits for has an exchange of its own.
    fn close(&mut self, channel: u16, method: Method, extent: &Extent, scene: &mut Scene<'_>) {
        let [_, _, text] = method.texts;
        let error = method::reply(method.number);
        let outcome = error.map_or(Outcome::Unset, |name| Outcome::Error(name.into(), Some(text.into())));
        let failed = self.end(channel, &outcome, extent, scene);
        if failed == 0 && outcome != Outcome::Unset {
            let mut operation =
                Operation::new(method.spec.name, Purpose::Notice, self.party(), extent, scene.facts);
            operation.outcome = outcome;
            operation.open(scene);
            operation.close(Ending::Answered, Nanos::default(), scene);
        }
    }

    /// Nothing more comes on a channel, or (0) on any. Says how much has failed for it.
    fn end(&mut self, channel: u16, outcome: &Outcome, extent: &Extent, scene: &mut Scene<'_>) -> usize {
        match whole(channel) {
            Some(channel) => drop(self.channels.remove(&channel)),
            None => self.channels.clear(),
        }
        self.waiting.fail((whole(channel), None), outcome, extent, scene)
    }

    /// Messages under way in a direction will not be complete.
    pub(super) fn cut_contents(
        &mut self,
        direction: Direction,
        ending: Ending,
        now: Nanos,
        scene: &mut Scene<'_>,
    ) {
        self.lane(direction).check = None;
        while let Some((channel, content)) = self.lane(direction).any() {
            self.cut(content, channel, ending, now, scene);
        }
    }

    /// What was opened ends; what was not is forgotten.
    fn cut(&mut self, content: Content, channel: u16, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        let opened = content.opened;
        match content.carries {
            Carries::Publish(operation) | Carries::Deliver { operation, .. } if opened => {
                let mut operation = *operation;
                operation.request.truncated = true;
                operation.close(ending, now, scene);
            }
            Carries::Got => {
                if let Some(operation) = self.waiting.front(channel) {
                    operation.response.iter_mut().for_each(|response| response.truncated = true);
                    self.waiting.answered(channel, scene);
                }
            }
            _ => {}
        }
    }
}

/// Channel 0 is the whole connection.
fn whole(channel: u16) -> Option<u16> {
    (channel != 0).then_some(channel)
}
