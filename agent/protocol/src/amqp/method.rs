//! Comes in: the payload of a method frame. Goes out: which method it is and those of its arguments that are told.
//! Refuses: guesses; arguments that are not there (a cut frame) are left out.
//!
//! Numbers and arguments: AMQP 0-9-1, generated specification `amqp0-9-1.xml`, and RabbitMQ's extensions to it
//! (`basic.nack`, `confirm.select`, `exchange.bind`, `exchange.unbind`, `connection.blocked`).

use smol_str::SmolStr;

use crate::{attributes, cursor::Cursor};

/// Who may speak a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Client,
    Broker,
    Either,
}

/// What a method is in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A question that is answered in order. Of its arguments: bytes before the texts, texts, and the bit behind them
    /// that asks for no answer.
    Call(usize, usize, Option<u8>),
    /// The answer to one.
    Answer,
    /// The first question of a connection, and what ends the greeting.
    Login,
    Welcome,
    Publish,
    Return,
    Deliver,
    Got,
    /// Settles messages, or confirms them.
    Settle,
    Close,
    Closed,
    /// Of no consequence here.
    Aside,
}

/// A method.
#[derive(Debug)]
pub(super) struct Spec {
    class: u16,
    id: u16,
    /// As operations are named: `publish`, `queue.declare`.
    pub(super) name: &'static str,
    pub(super) by: By,
    pub(super) part: Part,
}

const fn spec(class: u16, id: u16, name: &'static str, by: By, part: Part) -> Spec {
    Spec { class, id, name, by, part }
}

const CONNECTION: u16 = 10;
const CHANNEL: u16 = 20;
const EXCHANGE: u16 = 40;
const QUEUE: u16 = 50;
const BASIC: u16 = 60;
const CONFIRM: u16 = 85;
const TX: u16 = 90;

/// All methods, by class and number.
static METHODS: &[Spec] = &[
    spec(CONNECTION, 10, "connection.start", By::Broker, Part::Aside),
    spec(CONNECTION, 11, "connect", By::Client, Part::Login),
    spec(CONNECTION, 20, "connection.secure", By::Broker, Part::Aside),
    spec(CONNECTION, 21, "connection.secure-ok", By::Client, Part::Aside),
    spec(CONNECTION, 30, "connection.tune", By::Broker, Part::Aside),
    spec(CONNECTION, 31, "connection.tune-ok", By::Client, Part::Aside),
    spec(CONNECTION, 40, "connection.open", By::Client, Part::Aside),
    spec(CONNECTION, 41, "connection.open-ok", By::Broker, Part::Welcome),
    spec(CONNECTION, 50, "connection.close", By::Either, Part::Close),
    spec(CONNECTION, 51, "connection.close-ok", By::Either, Part::Closed),
    spec(CONNECTION, 60, "connection.blocked", By::Broker, Part::Aside),
    spec(CONNECTION, 61, "connection.unblocked", By::Broker, Part::Aside),
    spec(CONNECTION, 70, "connection.update-secret", By::Client, Part::Call(0, 0, None)),
    spec(CONNECTION, 71, "connection.update-secret-ok", By::Broker, Part::Answer),
    spec(CHANNEL, 10, "channel.open", By::Client, Part::Aside),
    spec(CHANNEL, 11, "channel.open-ok", By::Broker, Part::Aside),
    spec(CHANNEL, 20, "channel.flow", By::Either, Part::Aside),
    spec(CHANNEL, 21, "channel.flow-ok", By::Either, Part::Aside),
    spec(CHANNEL, 40, "channel.close", By::Either, Part::Close),
    spec(CHANNEL, 41, "channel.close-ok", By::Either, Part::Closed),
    spec(EXCHANGE, 10, "exchange.declare", By::Client, Part::Call(2, 2, Some(4))),
    spec(EXCHANGE, 11, "exchange.declare-ok", By::Broker, Part::Answer),
    spec(EXCHANGE, 20, "exchange.delete", By::Client, Part::Call(2, 1, Some(1))),
    spec(EXCHANGE, 21, "exchange.delete-ok", By::Broker, Part::Answer),
    spec(EXCHANGE, 30, "exchange.bind", By::Client, Part::Call(2, 3, Some(0))),
    spec(EXCHANGE, 31, "exchange.bind-ok", By::Broker, Part::Answer),
    spec(EXCHANGE, 40, "exchange.unbind", By::Client, Part::Call(2, 3, Some(0))),
    spec(EXCHANGE, 51, "exchange.unbind-ok", By::Broker, Part::Answer),
    spec(QUEUE, 10, "queue.declare", By::Client, Part::Call(2, 1, Some(4))),
    spec(QUEUE, 11, "queue.declare-ok", By::Broker, Part::Answer),
    spec(QUEUE, 20, "queue.bind", By::Client, Part::Call(2, 3, Some(0))),
    spec(QUEUE, 21, "queue.bind-ok", By::Broker, Part::Answer),
    spec(QUEUE, 30, "queue.purge", By::Client, Part::Call(2, 1, Some(0))),
    spec(QUEUE, 31, "queue.purge-ok", By::Broker, Part::Answer),
    spec(QUEUE, 40, "queue.delete", By::Client, Part::Call(2, 1, Some(2))),
    spec(QUEUE, 41, "queue.delete-ok", By::Broker, Part::Answer),
    spec(QUEUE, 50, "queue.unbind", By::Client, Part::Call(2, 3, None)),
    spec(QUEUE, 51, "queue.unbind-ok", By::Broker, Part::Answer),
    spec(BASIC, 10, "qos", By::Client, Part::Call(6, 0, None)),
    spec(BASIC, 11, "qos-ok", By::Broker, Part::Answer),
    spec(BASIC, 20, "consume", By::Client, Part::Call(2, 2, Some(3))),
    spec(BASIC, 21, "consume-ok", By::Broker, Part::Answer),
    spec(BASIC, 30, "cancel", By::Either, Part::Call(0, 1, Some(0))),
    spec(BASIC, 31, "cancel-ok", By::Either, Part::Answer),
    spec(BASIC, 40, "publish", By::Client, Part::Publish),
    spec(BASIC, 50, "return", By::Broker, Part::Return),
    spec(BASIC, 60, "deliver", By::Broker, Part::Deliver),
    spec(BASIC, 70, "get", By::Client, Part::Call(2, 1, None)),
    spec(BASIC, 71, "get-ok", By::Broker, Part::Got),
    spec(BASIC, 72, "get-empty", By::Broker, Part::Answer),
    spec(BASIC, 80, "ack", By::Either, Part::Settle),
    spec(BASIC, 90, "reject", By::Client, Part::Settle),
    spec(BASIC, 100, "recover-async", By::Client, Part::Aside),
    spec(BASIC, 110, "recover", By::Client, Part::Call(0, 0, None)),
    spec(BASIC, 111, "recover-ok", By::Broker, Part::Answer),
    spec(BASIC, 120, "nack", By::Either, Part::Settle),
    spec(CONFIRM, 10, "confirm.select", By::Client, Part::Call(0, 0, Some(0))),
    spec(CONFIRM, 11, "confirm.select-ok", By::Broker, Part::Answer),
    spec(TX, 10, "tx.select", By::Client, Part::Call(0, 0, None)),
    spec(TX, 11, "tx.select-ok", By::Broker, Part::Answer),
    spec(TX, 20, "tx.commit", By::Client, Part::Call(0, 0, None)),
    spec(TX, 21, "tx.commit-ok", By::Broker, Part::Answer),
    spec(TX, 30, "tx.rollback", By::Client, Part::Call(0, 0, None)),
    spec(TX, 31, "tx.rollback-ok", By::Broker, Part::Answer),
];

/// Class and number of the method at the front of a payload.
pub(super) fn numbers(payload: &[u8]) -> Option<(u16, u16)> {
    let mut cursor = Cursor::new(payload);
    Some((cursor.u16_be()?, cursor.u16_be()?))
}

/// The method with these numbers.
pub(super) fn find((class, id): (u16, u16)) -> Option<&'static Spec> {
    let place = METHODS.binary_search_by_key(&(class, id), |spec| (spec.class, spec.id)).ok()?;
    METHODS.get(place)
}

/// A method and what it says.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) spec: &'static Spec,
    /// Names, in the order in which the kind of method has them; empty where there is none.
    pub(super) texts: [SmolStr; 3],
    /// A delivery tag, or a reply code.
    pub(super) number: u64,
    /// Its flags.
    pub(super) bits: u8,
}

/// `no-ack` of `basic.consume`.
const NO_ACK: u8 = 1 << 1;
/// `multiple` of `basic.ack` and `basic.nack`.
const MULTIPLE: u8 = 1;

impl Method {
    /// Reads the payload of a method frame, which may be cut. `None` where there is no such method.
    pub(super) fn read(payload: &[u8], max_text: usize) -> Option<Self> {
        let spec = find(numbers(payload)?)?;
        let mut arguments = Arguments { cursor: Cursor::new(payload.get(4..).unwrap_or_default()), max_text };
        let mut method = Self { spec, texts: Default::default(), number: 0, bits: 0 };
        // What a cut leaves out keeps its empty value.
        let _cut = method.fill(&mut arguments);
        Some(method)
    }

    fn fill(&mut self, arguments: &mut Arguments<'_>) -> Option<()> {
        match self.spec.part {
            Part::Call(before, texts, _) => {
                arguments.cursor.take(before)?;
                self.texts.iter_mut().take(texts).try_for_each(|text| arguments.text(text))?;
                self.bits = arguments.cursor.u8()?;
            }
            Part::Answer if matches!(self.spec.name, "queue.declare-ok" | "consume-ok") => {
                arguments.text(&mut self.texts[0])?;
            }
            Part::Publish => {
                arguments.cursor.take(2)?;
                self.route(arguments)?;
            }
            Part::Deliver => {
                arguments.text(&mut self.texts[2])?;
                self.tagged(arguments)?;
                self.route(arguments)?;
            }
            Part::Got => {
                self.tagged(arguments)?;
                self.route(arguments)?;
            }
            Part::Return => {
                self.number = arguments.cursor.u16_be()?.into();
                arguments.text(&mut self.texts[2])?;
                self.route(arguments)?;
            }
            Part::Settle => self.tagged(arguments)?,
            Part::Close => {
                self.number = arguments.cursor.u16_be()?.into();
                arguments.text(&mut self.texts[2])?;
            }
            Part::Answer | Part::Login | Part::Welcome | Part::Closed | Part::Aside => {}
        }
        Some(())
    }

    /// Exchange and routing key.
    fn route(&mut self, arguments: &mut Arguments<'_>) -> Option<()> {
        let [exchange, key, _] = &mut self.texts;
        arguments.text(exchange)?;
        arguments.text(key)
    }

    /// A delivery tag and flags.
    fn tagged(&mut self, arguments: &mut Arguments<'_>) -> Option<()> {
        self.number = arguments.cursor.u64_be()?;
        self.bits = arguments.cursor.u8()?;
        Some(())
    }

    /// Does nobody answer it?
    pub(super) const fn no_wait(&self) -> bool {
        matches!(self.spec.part, Part::Call(_, _, Some(bit)) if self.bits >> bit & 1 == 1)
    }

    /// Are deliveries to this consumer settled by being sent?
    pub(super) const fn no_ack(&self) -> bool {
        self.bits & NO_ACK != 0
    }

    /// Are all messages up to the tag meant?
    pub(super) fn multiple(&self) -> bool {
        self.spec.name != "reject" && self.bits & MULTIPLE != 0
    }

    /// Does a content header follow?
    pub(super) const fn has_content(&self) -> bool {
        matches!(self.spec.part, Part::Publish | Part::Return | Part::Deliver | Part::Got)
    }
}

/// Arguments in the order in which they stand.
struct Arguments<'a> {
    cursor: Cursor<'a>,
    max_text: usize,
}

impl Arguments<'_> {
    /// A short string: a byte with its length, then the bytes.
    fn text(&mut self, text: &mut SmolStr) -> Option<()> {
        let length = self.cursor.u8()?;
        *text = attributes::text(self.cursor.take(length.into())?, self.max_text).into();
        Some(())
    }
}

/// Name of a reply code (section 1.2 of the specification); `None` for success and unknown ones.
pub(super) const fn reply(code: u64) -> Option<&'static str> {
    Some(match code {
        311 => "CONTENT_TOO_LARGE",
        312 => "NO_ROUTE",
        313 => "NO_CONSUMERS",
        320 => "CONNECTION_FORCED",
        402 => "INVALID_PATH",
        403 => "ACCESS_REFUSED",
        404 => "NOT_FOUND",
        405 => "RESOURCE_LOCKED",
        406 => "PRECONDITION_FAILED",
        501 => "FRAME_ERROR",
        502 => "SYNTAX_ERROR",
        503 => "COMMAND_INVALID",
        504 => "CHANNEL_ERROR",
        505 => "UNEXPECTED_FRAME",
        506 => "RESOURCE_ERROR",
        530 => "NOT_ALLOWED",
        540 => "NOT_IMPLEMENTED",
        541 => "INTERNAL_ERROR",
        0 | 200 => return None,
        _ => "_OTHER",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(METHODS.is_sorted_by_key(|spec| (spec.class, spec.id)));
        for spec in METHODS {
            assert_eq!(find((spec.class, spec.id)).map(|found| found.name), Some(spec.name));
        }
    }

    #[test]
    fn arguments_are_read_as_far_as_they_are_there() {
        let publish = b"\0\x3c\0\x28\0\0\x06orders\x03new\0";
        let method = Method::read(publish, 99).expect("a method");
        assert_eq!((method.texts[0].as_str(), method.texts[1].as_str()), ("orders", "new"));
        let cut = Method::read(&publish[..14], 99).expect("a method");
        assert_eq!((cut.texts[0].as_str(), cut.texts[1].as_str()), ("orders", ""));
        let consume = Method::read(b"\0\x3c\0\x14\0\0\x01q\x01t\x0a\0\0\0\0", 99).expect("a method");
        assert!(consume.no_ack() && consume.no_wait());
        assert!(Method::read(b"\0\x3c\0\x29", 99).is_none());
    }
}
