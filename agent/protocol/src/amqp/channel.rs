//! What is known of one channel: whether its publishes are confirmed, and what its consumers read. Comes in: methods.
//! Goes out: numbers and queues. Refuses: numbers that may be wrong.

use smol_str::SmolStr;

use crate::event::Nanos;

/// Consumers remembered of one channel. One more, and the oldest is forgotten.
const MAX_CONSUMERS: usize = 64;

/// Are publishes confirmed (RabbitMQ, "Publisher Confirms")?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Confirm {
    /// They are not.
    #[default]
    Off,
    /// The next one has this number.
    Next(u64),
    /// Older than we are, or something was lost; the highest number that was confirmed since.
    Unknown(u64),
}

/// A consumer of a queue.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) tag: SmolStr,
    pub(super) queue: SmolStr,
    /// Its messages are settled by being sent.
    pub(super) no_ack: bool,
}

/// One channel.
#[derive(Debug, Default)]
pub(super) struct Channel {
    confirm: Confirm,
    consumers: Vec<Consumer>,
    /// The queue that an empty name stands for: the one declared last.
    pub(super) queue: SmolStr,
    /// A consumer that is older than we are has settled a message.
    pub(super) settles: bool,
    latest: Nanos,
}

impl Channel {
    /// One that is older than we are.
    pub(super) fn joined() -> Self {
        Self { confirm: Confirm::Unknown(0), ..Self::default() }
    }

    /// `confirm.select`: numbers begin at 1, once.
    pub(super) const fn select(&mut self) {
        if !matches!(self.confirm, Confirm::Next(_)) {
            self.confirm = Confirm::Next(1);
        }
    }

    /// A message was published; its number, where it will be confirmed. Where numbers were missed they are known again
    /// after both sides have been silent: everything that was published is confirmed then.
    pub(super) fn publish(&mut self, time: Nanos, quiet_ns: u64) -> Option<u64> {
        let quiet = time.since(self.latest) >= quiet_ns;
        self.latest = time;
        let number = match self.confirm {
            Confirm::Next(number) => number,
            Confirm::Unknown(confirmed) if confirmed > 0 && quiet => confirmed + 1,
            Confirm::Off | Confirm::Unknown(_) => return None,
        };
        self.confirm = Confirm::Next(number.saturating_add(1));
        Some(number)
    }

    /// The broker confirmed this number.
    pub(super) fn confirmed(&mut self, number: u64, time: Nanos) {
        self.latest = time;
        if let Confirm::Unknown(confirmed) = &mut self.confirm {
            *confirmed = number.max(*confirmed);
        }
    }

    /// Publishes may have been missed.
    pub(super) const fn doubt(&mut self) {
        if matches!(self.confirm, Confirm::Next(_)) {
            self.confirm = Confirm::Unknown(0);
        }
    }

    pub(super) fn consume(&mut self, mut consumer: Consumer) {
        if consumer.queue.is_empty() {
            consumer.queue.clone_from(&self.queue);
        }
        self.cancel(&consumer.tag);
        if self.consumers.len() >= MAX_CONSUMERS {
            self.consumers.remove(0);
        }
        self.consumers.push(consumer);
    }

    pub(super) fn cancel(&mut self, tag: &str) {
        self.consumers.retain(|consumer| consumer.tag != tag);
    }

    pub(super) fn consumer(&self, tag: &str) -> Option<&Consumer> {
        self.consumers.iter().find(|consumer| consumer.tag == tag)
    }
}
