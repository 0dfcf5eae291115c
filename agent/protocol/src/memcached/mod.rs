//! Memcached (text protocol with meta commands, binary protocol; over TCP and UNIX sockets), both roles. Comes in: bytes
//! of both directions. Goes out: an exchange a command, or a long pipeline. Refuses: to look at values, which are
//! passed over by their lengths.
//!
//! Recognised by a storage command, a binary header, or another command that is answered in words of this protocol.
//! Paired in order. Quiet commands are answered only where there is news: they are one exchange with the command that
//! ends them (`mn`, noop), as clients use them to get many keys at once.

pub(crate) mod about;
mod binary;
mod command;
mod detect;
mod text;

use command::{Answer, Command};

use crate::{
    event::{Direction, Nanos, Policy},
    exchange::{Ending, Message, Role},
    footing::{self, Footing},
    pipeline::{self, Pipeline},
    protocol::{Detection, Extent, Input, Protocol, Scene, Sight, Step},
    settings::Settings,
};

/// What stands at the front of some bytes.
enum Parsed<T> {
    /// It, in so many bytes; so many more belong to it.
    Done(T, usize, u64),
    /// Its begin; the rest is missing.
    Cut(T),
    /// More bytes would tell.
    Partial,
    /// Nothing of this protocol.
    Invalid,
}

/// Memcached on one connection.
pub struct Memcached {
    /// Which way commands travel.
    asks: Direction,
    /// A command whose value is passing.
    request: Option<(Message, Command)>,
    /// An answer under way, and what it says once its last line was read.
    answer: Option<(Message, Option<Answer>)>,
    /// Does the next command begin with one of the next calls?
    seeks_request: bool,
    /// Does the next answer?
    seeks_answer: bool,
    pipeline: Pipeline<Command>,
    footing: Footing,
}

/// What is found in the bytes.
pub struct Frame(Found);

enum Found {
    Request(Message, Command),
    Answer(Message, Answer),
}

impl Protocol for Memcached {
    type Frame = Frame;

    const NAME: &'static str = "memcached";
    /// The begin of every call: commands begin anywhere, and values cost no more than that.
    const POLICY: Policy = Policy::Undecided;

    fn detect(sight: &Sight<'_>, settings: &Settings) -> Detection {
        detect::detect(sight, settings).0
    }

    fn begin(sight: &Sight<'_>) -> Self {
        Self {
            asks: detect::detect(sight, &Settings::default()).1,
            request: None,
            answer: None,
            seeks_request: true,
            seeks_answer: true,
            pipeline: Pipeline::new(sight.lost > 0),
            footing: Footing::new(sight),
        }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let asks = direction == self.asks;
        match footing::before(input, self.is_between(direction), *self.seeks(asks)) {
            Some(step) => step,
            None if asks => self.ask(input, settings),
            None => self.reply(input, settings),
        }
    }

    fn is_idle(&self, direction: Direction) -> bool {
        self.is_between(direction)
    }

    fn pair(&mut self, _direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        match frame.0 {
            Found::Request(mut message, command) => {
                pipeline::extend(&mut message, extent);
                let role = if self.asks == Direction::Received { Role::Server } else { Role::Client };
                self.pipeline.ask(command, message, role, scene);
            }
            Found::Answer(mut message, answer) => {
                pipeline::extend(&mut message, extent);
                self.pipeline.answer(answer, message, scene);
            }
        }
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        let message = if direction == self.asks {
            self.request.as_mut().map(|(message, _)| message)
        } else {
            self.answer.as_mut().map(|(message, _)| message)
        };
        if let Some(message) = message {
            pipeline::extend(message, extent);
        }
    }

    fn missed(&mut self, direction: Direction, scene: &mut Scene<'_>) {
        if direction == self.asks {
            self.request = None;
            self.pipeline.miss_requests(scene);
        } else {
            self.answer = None;
            self.pipeline.miss_responses(scene);
        }
        *self.seeks(direction == self.asks) = true;
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        self.pipeline.expire(now, scene);
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.pipeline.finish(ending, now, scene);
    }

    fn asks(&self) -> Option<Direction> {
        Some(self.asks)
    }
}

impl Memcached {
    /// Is no message under way in this direction?
    fn is_between(&self, direction: Direction) -> bool {
        if direction == self.asks { self.request.is_none() } else { self.answer.is_none() }
    }

    const fn seeks(&mut self, asks: bool) -> &mut bool {
        if asks { &mut self.seeks_request } else { &mut self.seeks_answer }
    }

    fn ask(&mut self, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        if let Some((message, command)) = self.request.take() {
            return Step::Frame(Frame(Found::Request(message, command)), 0);
        }
        let (bytes, cut) = (input.bytes(), input.cut().is_some());
        let parsed = match bytes.first() {
            Some(&binary::REQUEST) => binary::request(bytes, cut, settings.max_text),
            _ => text::request(bytes, cut, settings.max_head, settings.max_text),
        };
        let mut message = pipeline::begin(input);
        match parsed {
            Parsed::Done(command, head, value) => {
                self.seeks_request = false;
                self.footing.asked();
                self.asked(message, command, head as u64 + value, bytes.len())
            }
            Parsed::Cut(command) => {
                (message.truncated, self.seeks_request) = (true, true);
                Step::Frame(Frame(Found::Request(message, command)), bytes.len() as u64)
            }
            Parsed::Partial if !cut => Step::NeedMore,
            Parsed::Partial => Step::Resync,
            Parsed::Invalid => self.footing.stray(settings),
        }
    }

    /// A command of `length` bytes, of which some may not be there yet.
    fn asked(&mut self, message: Message, command: Command, length: u64, readable: usize) -> Step<Frame> {
        if length <= readable as u64 {
            return Step::Frame(Frame(Found::Request(message, command)), length);
        }
        self.request = Some((message, command));
        Step::Skip(length)
    }

    fn reply(&mut self, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let (message, said) = self.answer.take().unwrap_or_else(|| (pipeline::begin(input), None));
        if let Some(answer) = said {
            return self.replied(message, answer, 0);
        }
        let bytes = input.bytes();
        let parsed = match bytes.first() {
            Some(&binary::RESPONSE) => match binary::answer(bytes) {
                Parsed::Done(answer, head, body) => Parsed::Done(text::Line::Last(answer, body), head, 0),
                Parsed::Partial | Parsed::Cut(_) => Parsed::Partial,
                Parsed::Invalid => Parsed::Invalid,
            },
            _ => text::answer(bytes),
        };
        match parsed {
            Parsed::Done(text::Line::Last(answer, body), head, _) if body <= (bytes.len() - head) as u64 => {
                self.replied(message, answer, head as u64 + body)
            }
            Parsed::Done(text::Line::Last(answer, body), head, _) => {
                self.pass(message, Some(answer), head as u64 + body)
            }
            Parsed::Done(text::Line::More(body), head, _) => self.pass(message, None, head as u64 + body),
            Parsed::Partial if input.cut().is_none() => {
                // Without a byte of it there is nothing to keep.
                self.answer = (message.bytes > 0).then_some((message, None));
                Step::NeedMore
            }
            Parsed::Partial | Parsed::Cut(_) if message.bytes > 0 => self.cut(message),
            Parsed::Partial | Parsed::Cut(_) => Step::Resync,
            Parsed::Invalid if message.bytes > 0 && input.cut().is_some() => self.cut(message),
            Parsed::Invalid => self.footing.stray(settings),
        }
    }

    /// Goes on behind so many bytes of an answer.
    fn pass(&mut self, message: Message, said: Option<Answer>, length: u64) -> Step<Frame> {
        self.answer = Some((message, said));
        Step::Skip(length)
    }

    fn replied(&mut self, message: Message, answer: Answer, length: u64) -> Step<Frame> {
        self.seeks_answer = false;
        self.footing.answered();
        Step::Frame(Frame(Found::Answer(message, answer)), length)
    }

    /// The rest of an answer of several lines is missing.
    fn cut(&mut self, mut message: Message) -> Step<Frame> {
        (message.truncated, self.seeks_answer) = (true, true);
        let answer = Answer { last: true, mark: true, tag: None, error: None };
        Step::Frame(Frame(Found::Answer(message, answer)), 0)
    }
}
