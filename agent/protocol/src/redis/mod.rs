//! Redis (RESP2 and RESP3, inline commands), both roles. Comes in: bytes of both directions. Goes out: an exchange a
//! command, or a long pipeline. Refuses: to look at values, which are passed over by their lengths.
//!
//! Recognised by an array of strings that begins with the name of a command. Paired in order; news that the server
//! pushes (messages of channels, invalidations) answer nothing. `db.namespace` is known from the begin of a connection
//! or a SELECT on.

pub(crate) mod about;
mod command;
mod commands;
mod detect;
mod inline;
mod reply;
mod request;
mod resp;

use command::{Command, Effect};
use reply::{Reply, Word};
use request::Request;
use resp::Scan;

use crate::{
    cursor::Cursor,
    event::{Direction, Nanos, Policy},
    exchange::{Ending, Role},
    footing::{self, Footing},
    pipeline::{self, Pipeline},
    protocol::{Detection, Extent, Input, Protocol, Scene, Sight, Step},
    settings::Settings,
};

/// Redis on one connection.
pub struct Redis {
    /// Which way commands travel.
    asks: Direction,
    request: Option<Request>,
    reply: Option<Reply>,
    /// Does the next command begin with one of the next calls?
    seeks_request: bool,
    /// Does the next reply?
    seeks_reply: bool,
    pipeline: Pipeline<Command>,
    connection: State,
    footing: Footing,
}

/// What commands change for those behind them.
#[derive(Default)]
struct State {
    /// Index of the database, where it is known.
    database: Option<String>,
    /// Commands queued since MULTI.
    transaction: Option<u64>,
    /// Are there subscriptions whose messages come as plain arrays (RESP2)?
    subscribed: bool,
    /// Answers are left out: of all commands, or of the next one.
    silence: Silence,
    /// No answers follow any more.
    left: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Silence {
    #[default]
    No,
    Once,
    Always,
}

/// What is found in the bytes.
pub struct Frame(Found);

enum Found {
    Request(Box<Request>),
    Reply(Box<Reply>),
}

impl Protocol for Redis {
    type Frame = Frame;

    const NAME: &'static str = "redis";
    /// The begin of every call: commands and replies begin anywhere, and values cost no more than that.
    const POLICY: Policy = Policy::Undecided;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        detect::detect(sight).0
    }

    fn begin(sight: &Sight<'_>) -> Self {
        let footing = Footing::new(sight);
        Self {
            asks: detect::detect(sight).1,
            request: None,
            reply: None,
            seeks_request: true,
            seeks_reply: true,
            pipeline: Pipeline::new(sight.lost > 0),
            connection: State { database: footing.is_fresh().then(|| "0".to_owned()), ..State::default() },
            footing,
        }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        if self.connection.left {
            return Step::GiveUp;
        }
        let asks = direction == self.asks;
        match footing::before(input, self.is_between(direction), *self.seeks(asks)) {
            Some(step) => step,
            None if asks => self.ask(input, settings),
            None => self.answer(input, settings),
        }
    }

    fn is_idle(&self, direction: Direction) -> bool {
        !self.connection.left && self.is_between(direction)
    }

    fn pair(&mut self, _direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        match frame.0 {
            Found::Request(mut request) => {
                pipeline::extend(&mut request.message, extent);
                self.asked(*request, scene);
            }
            Found::Reply(mut reply) => {
                pipeline::extend(&mut reply.message, extent);
                self.answered(*reply, scene);
            }
        }
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        let message = if direction == self.asks {
            self.request.as_mut().map(|request| &mut request.message)
        } else {
            self.reply.as_mut().map(|reply| &mut reply.message)
        };
        if let Some(message) = message {
            pipeline::extend(message, extent);
        }
    }

    fn missed(&mut self, direction: Direction, scene: &mut Scene<'_>) {
        if direction == self.asks {
            self.request = None;
            self.pipeline.miss_requests(scene);
            // One of them may have been queued. It may have been a SELECT, too, but few connections ever change theirs, and the
            // conventions recommend the index that a connection began with where it is not known.
            self.connection.transaction = None;
        } else {
            self.reply = None;
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

impl Redis {
    /// Is no message under way in this direction?
    fn is_between(&self, direction: Direction) -> bool {
        if direction == self.asks { self.request.is_none() } else { self.reply.is_none() }
    }

    const fn seeks(&mut self, asks: bool) -> &mut bool {
        if asks { &mut self.seeks_request } else { &mut self.seeks_reply }
    }

    const fn role(&self) -> Role {
        match self.asks {
            Direction::Received => Role::Server,
            Direction::Sent => Role::Client,
        }
    }

    fn ask(&mut self, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        let mut request = match self.request.take() {
            Some(request) => request,
            None => match bytes.first() {
                Some(b'*') => Request::new(pipeline::begin(input)),
                Some(b'\r' | b'\n') => return Step::Skip(1),
                _ => return self.inline(input, settings),
            },
        };
        let scan = request.scan(bytes, settings.max_text);
        let cut = input.cut().is_some();
        if scan == Scan::Partial(0) && cut && request.is_named() {
            request.message.truncated = true;
            self.seeks_request = true;
            return Step::Frame(Frame(Found::Request(Box::new(request))), 0);
        }
        match scan {
            Scan::Done(length) => self.asks_with(request, length),
            Scan::Pass(_) | Scan::Partial(_) if !(scan == Scan::Partial(0) && cut) => {
                self.request = Some(request);
                wait(scan)
            }
            Scan::Partial(_) | Scan::Pass(_) => Step::Resync,
            Scan::Invalid => self.empty_command(bytes).unwrap_or_else(|| self.footing.stray(settings)),
        }
    }

    fn asks_with(&mut self, request: Request, length: usize) -> Step<Frame> {
        self.seeks_request = false;
        self.footing.asked();
        Step::Frame(Frame(Found::Request(Box::new(request))), length as u64)
    }

    /// Arrays without elements are no commands, and get no answer.
    fn empty_command(&mut self, bytes: &[u8]) -> Option<Step<Frame>> {
        let line = bytes.iter().position(|byte| *byte == b'\n')? + 1;
        let empty = matches!(bytes.get(..line)?, b"*0\r\n" | b"*-1\r\n");
        empty.then_some(Step::Skip(line as u64))
    }

    fn inline(&mut self, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let mut cursor = Cursor::new(input.bytes());
        match cursor.line() {
            Some(line) => match Request::inline(pipeline::begin(input), line, settings.max_text) {
                Some(request) => self.asks_with(request, cursor.place()),
                None => self.footing.stray(settings),
            },
            None if input.cut().is_none() && input.bytes().len() < settings.max_head => Step::NeedMore,
            None => self.footing.stray(settings),
        }
    }

    fn answer(&mut self, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let mut reply = self.reply.take().unwrap_or_else(|| Reply::new(pipeline::begin(input)));
        let scan = reply.scan(input.bytes());
        match scan {
            Scan::Done(length) => {
                self.seeks_reply = false;
                self.footing.answered();
                Step::Frame(Frame(Found::Reply(Box::new(reply))), length as u64)
            }
            Scan::Partial(0) if input.cut().is_some() => {
                reply.message.truncated = true;
                self.seeks_reply = true;
                if reply.kind == 0 {
                    Step::Resync
                } else {
                    Step::Frame(Frame(Found::Reply(Box::new(reply))), 0)
                }
            }
            Scan::Pass(_) | Scan::Partial(_) => {
                self.reply = Some(reply);
                wait(scan)
            }
            Scan::Invalid => self.footing.stray(settings),
        }
    }

    fn asked(&mut self, request: Request, scene: &mut Scene<'_>) {
        let mut command = Command::new(request.words);
        self.connection.follow(&mut command);
        self.pipeline.ask(command, request.message, self.role(), scene);
    }

    fn answered(&mut self, reply: Reply, scene: &mut Scene<'_>) {
        let front = self.pipeline.front();
        let news = reply.is_news(front.as_ref().map(|command| command.effect), self.connection.subscribed);
        self.connection.hear(&reply, front.filter(|_| !news));
        if !news {
            let message = reply.message;
            self.pipeline.answer(reply, message, scene);
        }
    }
}

/// Goes on behind what was read of a message.
const fn wait(scan: Scan) -> Step<Frame> {
    match scan {
        Scan::Pass(length) => Step::Skip(length),
        Scan::Partial(length @ 1..) => Step::Skip(length as u64),
        _ => Step::NeedMore,
    }
}

impl State {
    /// A command is on its way: what it changes holds for those behind it.
    fn follow(&mut self, command: &mut Command) {
        command.database.clone_from(&self.database);
        command.silent = self.silence != Silence::No;
        if self.silence == Silence::Once {
            self.silence = Silence::No;
        }
        self.transact(command);
        match command.effect {
            Effect::Select => self.database = Some(command.words.operand.clone()),
            Effect::Reset => *self = Self { database: Some("0".to_owned()), ..Self::default() },
            Effect::Reply => self.hush(command),
            _ => {}
        }
    }

    fn transact(&mut self, command: &mut Command) {
        match (command.effect, &mut self.transaction) {
            (Effect::Multi, _) => self.transaction = Some(0),
            (Effect::Exec, _) => command.batch = self.transaction.take().unwrap_or(0),
            (Effect::Discard, _) => self.transaction = None,
            (_, Some(queued)) => *queued += 1,
            _ => {}
        }
    }

    fn hush(&mut self, command: &mut Command) {
        self.silence = match command.words.operand.as_str() {
            "ON" => Silence::No,
            "OFF" => Silence::Always,
            // Without effect behind OFF.
            "SKIP" if self.silence != Silence::Always => Silence::Once,
            _ => self.silence,
        };
        command.silent = self.silence != Silence::No;
    }

    /// What a reply tells of the connection; `front` is the command that it answers.
    fn hear(&mut self, reply: &Reply, front: Option<&mut Command>) {
        let subscribes = front.as_ref().is_some_and(|command| command.effect.subscribes());
        match reply.word {
            _ if reply.kind != b'*' || !(subscribes || self.subscribed) => {}
            Word::Subscribed => self.subscribed = true,
            Word::Unsubscribed => self.subscribed = reply.number != Some(0),
            Word::Message | Word::Other => {}
        }
        let refused = reply.error.is_some();
        match front {
            Some(command) if refused && command.effect == Effect::Select => {
                self.database.clone_from(&command.database);
            }
            Some(command) if !refused => self.left |= command.effect == Effect::Leave,
            _ => {}
        }
    }
}
