//! Comes in: the words of a command, later its replies. Goes out: what its exchange says: the semantic conventions'
//! attributes for Redis. Refuses: values; the text of an error that may quote them.

use smol_str::SmolStr;

use super::{
    reply::{Reply, Word},
    request::Words,
};
use crate::{
    attributes::{Attributes, count},
    exchange::{Outcome, Value},
    pipeline::{self, Joined},
    token::Tokens,
};

/// What a command changes for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    Select,
    Multi,
    Exec,
    Discard,
    Reset,
    Subscribe,
    Unsubscribe,
    /// What follows its answer is no answer to anything: MONITOR, SYNC, PSYNC.
    Leave,
    /// CLIENT REPLY ON, OFF or SKIP.
    Reply,
}

impl Effect {
    /// Is it answered channel by channel?
    pub(super) const fn subscribes(self) -> bool {
        matches!(self, Self::Subscribe | Self::Unsubscribe)
    }
}

/// A command that waits for its answer.
pub(super) struct Command {
    pub(super) words: Words,
    pub(super) effect: Effect,
    /// Index of the connection's database, where it is known.
    pub(super) database: Option<String>,
    /// Commands that an EXEC carries out.
    pub(super) batch: u64,
    /// No answer will come.
    pub(super) silent: bool,
    /// Those of its pipeline that go on in it.
    joined: Joined,
    /// May its error be a program's own, and quote anything?
    quotes: bool,
    error: Option<Vec<u8>>,
}

impl Command {
    pub(super) fn new(words: Words) -> Self {
        let effect = effect(&words);
        let quotes = words.known.is_none_or(|known| RUNS_PROGRAMS.contains(&known.name));
        Self {
            words,
            effect,
            database: None,
            batch: 0,
            silent: false,
            joined: Joined::default(),
            quotes,
            error: None,
        }
    }
}

fn effect(words: &Words) -> Effect {
    match words.known.map_or("", |known| known.name) {
        "SELECT" => Effect::Select,
        "MULTI" => Effect::Multi,
        "EXEC" => Effect::Exec,
        "DISCARD" => Effect::Discard,
        "RESET" => Effect::Reset,
        "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" => Effect::Subscribe,
        "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE" => Effect::Unsubscribe,
        "MONITOR" | "SYNC" | "PSYNC" => Effect::Leave,
        "CLIENT" if words.name.eq_ignore_ascii_case("CLIENT REPLY") => Effect::Reply,
        _ => Effect::None,
    }
}

/// Commands that wait for something to happen, however long it takes. `XREAD` does with `BLOCK`.
const BLOCKING: [&str; 10] =
    ["BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "WAIT", "WAITAOF"];

impl pipeline::Command for Command {
    const PROTOCOL: &'static str = "redis";
    const BATCH: &'static str = "PIPELINE";
    type Answer = Reply;

    fn name(&self) -> &SmolStr {
        &self.words.name
    }

    fn due(&self) -> u64 {
        match self.effect {
            _ if self.silent => 0,
            // Without any, all are left, and one answer stands for all.
            effect if effect.subscribes() => (self.words.total - 1).max(1),
            _ => 1,
        }
    }

    fn blocks(&self) -> bool {
        self.words.blocks || self.words.known.is_some_and(|known| BLOCKING.contains(&known.name))
    }

    fn tokens(&self) -> Tokens {
        Tokens::within(self.words.text.as_bytes())
    }

    fn join(&mut self, other: Self, max_text: usize) {
        self.joined.add(&mut self.words.text, &other.words.text, max_text);
        self.quotes |= other.quotes;
        // What one of them carries out is no size of the pipeline.
        self.batch = 0;
        // Which of them an answer is for is not known any more, but for those of subscriptions.
        if !self.effect.subscribes() {
            self.effect = if other.effect.subscribes() { other.effect } else { Effect::None };
        }
    }

    fn take(&mut self, reply: Reply) -> u64 {
        // Refused, or queued in a transaction: one answer for all channels.
        let alone = self.joined.is_none();
        let whole = alone && self.effect.subscribes() && reply.word == Word::Other;
        self.error = self.error.take().or(reply.error);
        if whole { self.due() } else { 1 }
    }

    fn conclude(&mut self, attributes: &mut Attributes) -> Outcome {
        attributes.push(("db.system.name".into(), Value::fixed("redis")));
        attributes.push(("db.query.text".into(), Value::Text(std::mem::take(&mut self.words.text).into())));
        if let Some(database) = self.database.take() {
            attributes.push(("db.namespace".into(), Value::Text(database.into())));
        }
        if self.batch > 1 {
            attributes.push(("db.operation.batch.size".into(), count(self.batch)));
        }
        if ["EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO"].iter().any(|name| self.words.is(name)) {
            let script = std::mem::take(&mut self.words.operand);
            attributes.push(("db.stored_procedure.name".into(), Value::Text(script.into())));
        }
        match self.error.take().map(|error| failure(&error)) {
            None => Outcome::Unset,
            Some((code, description)) => {
                let description = description.filter(|_| !self.quotes);
                attributes.push(("db.response.status_code".into(), Value::Text(code.clone())));
                Outcome::Error(code, description)
            }
        }
    }
}

/// Commands that run scripts and functions, or others that may. Those of modules, which are not listed, may be any.
const RUNS_PROGRAMS: [&str; 7] = ["EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "EXEC", "FCALL", "FCALL_RO"];

/// Errors of the server whose text quotes no argument.
const HARMLESS: [&str; 12] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "EXECABORT",
    "LOADING",
    "MOVED",
    "NOAUTH",
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "WRONGTYPE",
];

/// Prefix and text of an error. The prefix is the first word, in upper case.
fn failure(error: &[u8]) -> (SmolStr, Option<String>) {
    let text = String::from_utf8_lossy(error);
    let prefix = text.split(' ').next().unwrap_or_default();
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if let Some(known) = HARMLESS.into_iter().find(|known| *known == prefix) {
        return (known.into(), Some(text.into_owned()));
    }
    match prefix.len() {
        1..=32 if prefix.bytes().all(upper) => (prefix.to_owned().into(), None),
        _ => ("_OTHER".into(), None),
    }
}

impl Reply {
    /// Does it answer no command, but bring news? Pushed messages (RESP3) do, but for confirmations. In RESP2 any list may
    /// begin with their words, so that subscriptions must be known.
    pub(super) fn is_news(&self, front: Option<Effect>, subscribed: bool) -> bool {
        let plain = self.kind == b'*' && !subscribed;
        let expected = match self.word {
            Word::Subscribed => plain || front == Some(Effect::Subscribe),
            Word::Unsubscribed => plain || front == Some(Effect::Unsubscribe),
            Word::Message => plain && front != Some(Effect::Subscribe),
            Word::Other => self.kind != b'>',
        };
        !expected
    }
}
