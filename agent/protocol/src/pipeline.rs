//! Comes in: commands and answers of a protocol that answers in order. Goes out: exchanges, one a command; a pipeline
//! of more commands than configured is one exchange. Refuses: a pair that may be wrong: after bytes were lost where
//! messages may have been, what cannot be told apart ends as lost until the connection is at rest.
//!
//! A pipeline is a run of commands none of which was answered before the last was asked. Whether it is longer than
//! configured is known when its first answer comes: until then only its first command is opened, the others wait.

use std::collections::VecDeque;

use smol_str::SmolStr;

use crate::{
    attributes::{self, Attributes},
    event::Nanos,
    exchange::{Ending, Exchange, Key, Message, Opening, Outcome, Output, Resumption, Role, Target, Value},
    protocol::{Extent, Input, Scene},
    shape,
    token::Tokens,
};

/// A command of a protocol.
pub(crate) trait Command: Sized {
    /// The registry's name of the protocol.
    const PROTOCOL: &'static str;
    /// What the semantic conventions call several of them in one exchange.
    const BATCH: &'static str;
    /// What its answer tells.
    type Answer;

    /// Name of the operation.
    fn name(&self) -> &SmolStr;
    /// How many answers complete it; 0 where the server is asked for silence.
    fn due(&self) -> u64;
    /// May the server take its time?
    fn blocks(&self) -> bool {
        false
    }
    /// Is it answered only if there is something to tell, and goes on in the next command, whose answer ends it?
    fn is_quiet(&self) -> bool {
        false
    }
    /// Does it do nothing but end the quiet ones before it?
    fn is_mark(&self) -> bool {
        false
    }
    /// Rare names among its keys.
    fn tokens(&self) -> Tokens {
        Tokens::default()
    }
    /// Another command of the same pipeline goes on in this one.
    fn join(&mut self, other: Self, max_text: usize);
    /// Takes an answer; says how many of those due it stands for.
    fn take(&mut self, answer: Self::Answer) -> u64;
    /// It is over: all that it knows of itself, and its error, if it has one.
    fn conclude(&mut self, attributes: &mut Attributes) -> Outcome;
}

/// A message that begins at the front of `input`, with no bytes yet.
pub(crate) fn begin(input: &Input<'_>) -> Message {
    let mark = input.mark(0);
    let offset = input.offset();
    Message { offset, first: mark, last: mark, bytes: 0, body: None, missing: 0, truncated: false }
}

/// More bytes of a message.
pub(crate) fn extend(message: &mut Message, extent: &Extent) {
    if extent.bytes > 0 {
        message.bytes += extent.bytes;
        message.missing += extent.missing;
        message.last = extent.last;
    }
}

/// The other commands of a pipeline that go on in one. `db.query.text` has one text where all are known to have the same, else
/// all of them with `; ` between (semantic conventions, database spans).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Joined {
    /// So many, all of the same text.
    Alike(u64),
    Different,
}

impl Default for Joined {
    fn default() -> Self {
        Self::Alike(0)
    }
}

impl Joined {
    pub(crate) const fn is_none(self) -> bool {
        matches!(self, Self::Alike(0))
    }

    /// Adds the text of one more. Texts that are longer already stay as they are.
    pub(crate) fn add(&mut self, text: &mut String, other: &str, max_text: usize) {
        if let Self::Alike(count) = self {
            if text == other {
                *count += 1;
                return;
            }
            let one = text.clone();
            (0..*count).take_while(|_| append(text, &one, max_text)).for_each(drop);
            *self = Self::Different;
        }
        append(text, other, max_text);
    }
}

/// `false` where there is no room.
fn append(text: &mut String, other: &str, max_text: usize) -> bool {
    let room = text.len() < max_text;
    if room {
        text.push_str("; ");
        text.push_str(other);
    }
    room
}

/// Commands that wait for answers.
pub(crate) struct Pipeline<C> {
    queue: VecDeque<Waiting<C>>,
    /// How many entries at the end of the queue belong to the pipeline under way.
    run: usize,
    /// Messages may have been lost: what follows cannot be paired for certain.
    doubt: bool,
    /// An answer came since then.
    heard: bool,
    /// Was there ever a command before the last one's answer?
    pipelines: bool,
    /// Newest byte seen.
    latest: Nanos,
}

/// A command, or a pipeline of them, and what is there of its answer.
struct Waiting<C> {
    key: Key,
    role: Role,
    command: C,
    request: Message,
    response: Option<Message>,
    /// Answers that are still to come.
    due: u64,
    /// Commands in it.
    size: u64,
    /// Do the others of its pipeline go on in it?
    is_batch: bool,
    /// Are all of them of the same name?
    uniform: bool,
    opened: bool,
    /// May not be the one whose answer comes next.
    doubtful: bool,
    /// Its exchange has ended (timed out); it keeps its place until its answer has passed.
    ended: bool,
}

impl<C: Command> Pipeline<C> {
    /// Begins in doubt where bytes were lost before the protocol was recognised.
    pub(crate) const fn new(doubt: bool) -> Self {
        let queue = VecDeque::new();
        Self { queue, run: 0, doubt, heard: false, pipelines: false, latest: Nanos(0) }
    }

    /// The command whose answer comes next.
    pub(crate) fn front(&mut self) -> Option<&mut C> {
        self.queue.front_mut().map(|waiting| &mut waiting.command)
    }

    /// A command was asked.
    pub(crate) fn ask(&mut self, command: C, request: Message, role: Role, scene: &mut Scene<'_>) {
        self.settle(request.first.time, scene);
        self.latest = self.latest.max(request.last.time);
        let mut waiting = Waiting::new(command, request, role, scene);
        if waiting.due == 0 && !waiting.command.is_quiet() {
            waiting.open(scene);
            return waiting.close(Ending::Answered, Nanos::default(), scene);
        }
        waiting.doubtful = self.doubt;
        self.pipelines |= self.run > 0 || !self.queue.is_empty();
        let goes_on = |last: &&mut Waiting<C>| last.command.is_quiet() || (self.run > 0 && last.is_batch);
        match self.queue.back_mut().filter(goes_on) {
            Some(last) => last.join(waiting, scene),
            None => self.push(waiting, scene),
        }
    }

    fn push(&mut self, mut waiting: Waiting<C>, scene: &mut Scene<'_>) {
        if self.queue.len() >= scene.settings.max_pending.max(1) {
            self.lose(scene);
        }
        if self.run == 0 {
            waiting.open(scene);
        }
        self.queue.push_back(waiting);
        self.run += 1;
        if self.run > scene.settings.max_pipeline.max(1) {
            self.collapse(scene);
        }
    }

    /// Makes one exchange of the pipeline under way.
    fn collapse(&mut self, scene: &Scene<'_>) {
        let rest = self.queue.split_off((self.queue.len() + 1).saturating_sub(self.run.max(1)));
        let Some(first) = self.queue.back_mut() else { return };
        rest.into_iter().for_each(|waiting| first.join(waiting, scene));
        first.is_batch = true;
        self.run = self.run.min(1);
    }

    /// The pipeline under way is over: its commands are told apart.
    fn release(&mut self, scene: &mut Scene<'_>) {
        let first = self.queue.len().saturating_sub(self.run);
        self.queue.iter_mut().skip(first).for_each(|waiting| waiting.open(scene));
        self.run = 0;
    }

    /// Doubts end when nothing is on its way.
    fn settle(&mut self, now: Nanos, scene: &Scene<'_>) {
        let quiet = !self.pipelines || now.since(self.latest) >= scene.settings.quiet_ns;
        if self.queue.is_empty() && self.heard && quiet {
            self.doubt = false;
        }
    }

    /// An answer came: the oldest command's.
    pub(crate) fn answer(&mut self, answer: C::Answer, response: Message, scene: &mut Scene<'_>) {
        self.release(scene);
        self.heard = true;
        self.latest = self.latest.max(response.last.time);
        let Some(front) = self.queue.front_mut() else { return };
        if response.first.time < front.request.first.time {
            return;
        }
        if front.doubtful {
            return self.end_front(Ending::Lost, Nanos::default(), scene);
        }
        front.receive(answer, response, scene);
        if front.due == 0 && !front.command.is_quiet() {
            self.end_front(Ending::Answered, Nanos::default(), scene);
        }
    }

    fn end_front(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if let Some(mut waiting) = self.queue.pop_front() {
            waiting.close(ending, now, scene);
        }
        self.run = self.run.min(self.queue.len());
    }

    /// Commands may have been lost: those that wait keep their places, later ones are doubtful. Of a pipeline no more
    /// than its begin was seen.
    pub(crate) fn miss_requests(&mut self, scene: &Scene<'_>) {
        (self.doubt, self.heard) = (true, false);
        if self.run > 1 {
            self.collapse(scene);
            self.queue.iter_mut().next_back().into_iter().for_each(|last| last.request.truncated = true);
        }
    }

    /// Answers may have been lost: nobody knows any more which command the next one answers. A pipeline that is one
    /// exchange got its answers.
    pub(crate) fn miss_responses(&mut self, scene: &mut Scene<'_>) {
        match (self.queue.len(), self.queue.front_mut()) {
            (_, None) => {}
            (1, Some(Waiting { size: 2.., response: Some(response), .. })) => {
                response.truncated = true;
                self.end_front(Ending::Answered, Nanos::default(), scene);
            }
            _ => self.lose(scene),
        }
    }

    fn lose(&mut self, scene: &mut Scene<'_>) {
        (self.doubt, self.heard) = (true, false);
        self.end_all(Ending::Lost, Nanos::default(), scene);
    }

    fn end_all(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.release(scene);
        while !self.queue.is_empty() {
            self.end_front(ending, now, scene);
        }
    }

    /// Ends commands without an answer after the configured time.
    pub(crate) fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let limit = scene.settings.request_timeout_ns;
        let late = |waiting: &Waiting<C>| {
            waiting.response.is_none()
                && !waiting.command.blocks()
                && now.since(waiting.request.last.time) >= limit
        };
        // Behind a command that blocks the others wait with it.
        if self.queue.front().is_none_or(|front| !late(front)) {
            return;
        }
        self.release(scene);
        for waiting in self.queue.iter_mut().take_while(|waiting| late(waiting)) {
            waiting.close(Ending::TimedOut, now, scene);
        }
    }

    /// Ends everything.
    pub(crate) fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.end_all(ending, now, scene);
    }
}

impl<C: Command> Waiting<C> {
    fn new(command: C, request: Message, role: Role, scene: &Scene<'_>) -> Self {
        let key = Key { cookie: scene.facts.socket.cookie, offset: request.offset, sub: 0 };
        let (due, response) = (command.due(), None);
        let (size, uniform, is_batch, opened, doubtful, ended) = (1, true, false, false, false, false);
        Self { key, role, command, request, response, due, size, is_batch, uniform, opened, doubtful, ended }
    }

    fn open(&mut self, scene: &mut Scene<'_>) {
        if !std::mem::replace(&mut self.opened, true) {
            let Self { key, role, .. } = *self;
            let (facts, start, carrier) = (*scene.facts, self.request.first, Vec::new());
            let shape = shape::of([self.command.name().as_ref()]);
            scene.out.push(Output::Opened(Opening {
                key,
                role,
                facts,
                start,
                carrier,
                shape,
                tokens: self.command.tokens(),
            }));
        }
    }

    fn join(&mut self, other: Self, scene: &Scene<'_>) {
        if !other.command.is_mark() {
            self.uniform &= self.command.name() == other.command.name();
            self.size += other.size;
        }
        self.due = self.due.saturating_add(other.due);
        self.request.bytes += other.request.bytes;
        self.request.missing += other.request.missing;
        self.request.last = other.request.last;
        self.request.truncated |= other.request.truncated;
        self.command.join(other.command, scene.settings.max_text);
    }

    fn receive(&mut self, answer: C::Answer, response: Message, scene: &mut Scene<'_>) {
        match &mut self.response {
            Some(known) => {
                known.bytes += response.bytes;
                known.missing += response.missing;
                known.last = response.last;
                known.truncated |= response.truncated;
            }
            None => {
                if !self.ended {
                    let begins = Resumption { key: self.key, at: response.first };
                    scene.out.push(Output::begins(self.role, begins));
                }
                self.response = Some(response);
            }
        }
        self.due = self.due.saturating_sub(self.command.take(answer));
    }

    /// Says how the exchange ended, once.
    fn close(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let ending = match ending {
            _ if self.doubtful => Ending::Lost,
            Ending::Closed | Ending::TimedOut if self.command.is_quiet() => Ending::Answered,
            ending => ending,
        };
        let method = self.operation();
        let mut attributes = Attributes::with_capacity(attributes::USUAL);
        attributes.push(("db.operation.name".into(), Value::Text(method.clone())));
        if self.size > 1 && !self.request.truncated {
            attributes.push(("db.operation.batch.size".into(), attributes::count(self.size)));
        }
        let outcome = match (self.command.conclude(&mut attributes), ending.error_type()) {
            (Outcome::Unset, Some(error)) => Outcome::Error(error.into(), None),
            (outcome, _) => outcome,
        };
        attributes::server(self.role, scene.facts, &mut attributes);
        scene.out.push(Output::Closed(Box::new(Exchange {
            key: self.key,
            protocol: C::PROTOCOL,
            role: self.role,
            facts: *scene.facts,
            request: self.request,
            response: self.response,
            ending,
            ended: now.max(self.response.map_or(self.request.last.time, |response| response.last.time)),
            method,
            target: Target::None,
            outcome,
            attributes,
            links: Vec::new(),
        })));
    }

    /// Semantic conventions, database spans: what a batch is called, with the name that all its operations share.
    fn operation(&self) -> SmolStr {
        match (self.size, self.uniform) {
            (1, _) => self.command.name().clone(),
            (_, true) => format!("{} {}", C::BATCH, self.command.name()).into(),
            (_, false) => SmolStr::new_static(C::BATCH),
        }
    }
}
