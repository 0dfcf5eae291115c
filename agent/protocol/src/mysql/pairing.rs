//! Comes in: commands and packets of answers. Goes out: exchanges, one for each command that is answered. Refuses: more
//! than one meaning of a packet: it stands at a known place of the answer to the oldest command.

use std::sync::Arc;

use smol_str::SmolStr;

use super::{
    command::{Command, LAST_PREPARED, Object, Reply},
    handshake::Characters,
    response::{self, Place, Said},
};
use crate::{
    event::Nanos,
    exchange::{Ending, Role},
    protocol::{Extent, Scene},
    sql::{
        Dialect, Digest, Family,
        pending::{Ask, Database, Failure, Pending},
        queue::{Number, Queue},
        statements::Statements,
    },
};

/// What is remembered of a command that waits.
struct Work {
    reply: Reply,
    place: Place,
    rows: u64,
    columns: bool,
    /// Rows passed that were not seen.
    blind: bool,
    /// The database, once the answer is OK.
    database: Option<SmolStr>,
    /// The statement being prepared.
    prepares: Option<Arc<Digest>>,
}

/// Commands that wait for answers.
pub(super) struct Pairing {
    queue: Queue<Work>,
    statements: Statements<u32>,
    /// The statement prepared last, which may be executed before its number is known.
    last: Option<Arc<Digest>>,
    namespace: Option<SmolStr>,
    role: Role,
    /// `db.system.name`
    pub(super) system: &'static str,
    /// Does an EOF stand behind columns? `None` where that was not seen.
    pub(super) eof: Option<bool>,
    /// Does a backslash escape in plain strings?
    backslash: Option<bool>,
    /// Of the client's texts.
    pub(super) characters: Characters,
    /// An answer came: it is MySQL.
    pub(super) proven: bool,
}

impl Pairing {
    pub(super) fn new(role: Role, doubt: bool) -> Self {
        Self {
            queue: Queue::new(doubt),
            statements: Statements::default(),
            last: None,
            namespace: None,
            role,
            system: "mysql",
            eof: None,
            backslash: None,
            characters: Characters::Plain,
            proven: false,
        }
    }

    /// The session's database.
    pub(super) fn enter(&mut self, database: Option<String>) {
        self.namespace = database.map(Into::into);
    }

    pub(super) const fn status(&mut self, status: u16) {
        self.backslash = Some(response::escapes(status));
    }

    pub(super) fn dialect(&self) -> Dialect {
        let plain = self.characters == Characters::Plain;
        Dialect { family: Family::Mysql, backslash: self.backslash.filter(|escapes| plain || !escapes) }
    }

    fn database(&self) -> Database {
        let namespace = self.namespace.clone();
        Database { protocol: "mysql", system: self.system, namespace, role: self.role }
    }

    /// Takes a command. Which request is it, where it is answered?
    pub(super) fn ask(
        &mut self,
        command: Command,
        compressed: bool,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) -> Option<Number> {
        let Command { name, reply, object, characters, truncated } = command;
        self.characters = characters.unwrap_or(self.characters);
        if let Object::Closed(number) = object {
            self.statements.forget(&number);
        }
        if reply == Reply::Nothing {
            return None;
        }
        let mut ask = Ask { truncated, compressed, ..Ask::default() };
        ask.command = (!name.is_empty()).then_some(name);
        let mut work = Work::new(reply);
        match object {
            Object::Text(digest) => self.text(*digest, &mut ask, &mut work),
            Object::Statement(number, tokens) => {
                ask.tokens = tokens;
                ask.digest =
                    if number == LAST_PREPARED { self.last.clone() } else { self.statements.get(&number) };
                ask.unknown = ask.digest.is_none();
            }
            Object::Database(name) => work.database = Some(name.into()),
            Object::Nothing | Object::Closed(_) => {}
        }
        Some(self.push(work, ask, extent, scene))
    }

    fn text(&mut self, mut digest: Digest, ask: &mut Ask, work: &mut Work) {
        ask.carrier = std::mem::take(&mut digest.carrier);
        if digest.operation.as_deref().is_some_and(|operation| operation.eq_ignore_ascii_case("use")) {
            let name = digest.target.as_ref().map(|target| target.name().trim_matches('`'));
            work.database = name.map(Into::into);
        }
        let digest = Arc::new(digest);
        (ask.tokens, ask.digest) = (digest.tokens, Some(Arc::clone(&digest)));
        if work.reply == Reply::Prepared {
            self.last = Some(Arc::clone(&digest));
            work.prepares = Some(digest);
        }
    }

    /// A command of a compressed connection that cannot be read.
    pub(super) fn ask_unread(&mut self, extent: &Extent, scene: &mut Scene<'_>) -> Number {
        let ask = Ask { unknown: true, compressed: true, ..Ask::default() };
        self.push(Work::new(Reply::Results), ask, extent, scene)
    }

    fn push(&mut self, work: Work, ask: Ask, extent: &Extent, scene: &mut Scene<'_>) -> Number {
        self.queue.settle(extent.first.time, scene);
        self.queue.pipelines |= !self.queue.is_empty();
        let executes = ask.unknown && !ask.compressed;
        let mut pending = Pending::open(work, self.database(), ask, extent, scene);
        pending.told = executes.then_some(SmolStr::new_static("EXECUTE"));
        self.queue.push(pending)
    }

    /// What the next packet of the server answers, and at which place it stands.
    pub(super) fn awaited(&mut self) -> Option<(Reply, Place)> {
        self.queue.front().map(|pending| (pending.work.reply, pending.work.place))
    }

    /// Does the client send a file?
    pub(super) fn uploads(&mut self) -> bool {
        self.awaited().is_some_and(|(_, place)| place == Place::Infile)
    }

    /// Does the client log in anew?
    pub(super) fn logs_in(&mut self) -> bool {
        self.awaited().is_some_and(|(reply, _)| reply == Reply::Login)
    }

    /// Takes rows. Which request do they answer?
    pub(super) fn rows(&mut self, rows: u64, extent: &Extent, scene: &mut Scene<'_>) -> Option<Number> {
        let pending = self.queue.front()?;
        pending.answered(extent, scene);
        pending.work.rows += rows;
        pending.work.place = Place::Row;
        self.queue.find(|_| true)
    }

    /// Takes a packet. Which request does it answer?
    pub(super) fn answer(&mut self, said: Said, extent: &Extent, scene: &mut Scene<'_>) -> Option<Number> {
        self.eof = said.eof.or(self.eof);
        if let Some(status) = said.status {
            self.status(status);
        }
        let pending = self.queue.front()?;
        pending.answered(extent, scene);
        let over = said.place == Some(Place::Over);
        let statement = take(pending, said);
        let number = self.queue.find(|_| true);
        if let Some((statement, digest)) = statement {
            self.statements.keep(statement, digest, scene.settings);
        }
        if over {
            self.complete(scene);
        }
        number
    }

    /// The oldest command was answered.
    fn complete(&mut self, scene: &mut Scene<'_>) {
        self.proven = true;
        if let Some(pending) = self.queue.front() {
            let work = &pending.work;
            pending.returned = (work.columns && !work.blind).then_some(work.rows);
            // Whoever logs in anew names a database that is not looked at.
            let changes = work.database.is_some() || work.reply == Reply::Login;
            if pending.failure.is_none() && changes {
                self.namespace.clone_from(&work.database);
            }
        }
        self.queue.end_front(Ending::Answered, Nanos::default(), scene);
    }

    /// More bytes of a message.
    pub(super) fn passed(&mut self, number: Option<Number>, response: bool, extent: &Extent) {
        if let Some(number) = number {
            self.queue.pass(number, response, extent);
        }
    }

    /// Who is being answered, by bytes that cannot be read? The next packet that can be is taken for an end.
    pub(super) fn blind(&mut self) -> Option<Number> {
        let pending = self.queue.front()?;
        pending.work.blind = true;
        pending.work.columns = true;
        pending.work.place = Place::Row;
        self.queue.find(|_| true)
    }

    /// The newest request that waits.
    pub(super) fn newest(&self) -> Option<Number> {
        self.queue.newest()
    }

    /// Is the oldest one's answer under way?
    pub(super) fn answering(&mut self) -> bool {
        self.queue.front().is_some_and(|pending| pending.is_answered())
    }

    /// Bytes of an answer on a compressed connection: of an error its number.
    pub(super) fn answer_unread(
        &mut self,
        said: Option<Said>,
        extent: &Extent,
        scene: &mut Scene<'_>,
    ) -> Option<Number> {
        let pending = self.queue.front()?;
        pending.answered(extent, scene);
        pending.failure = said.and_then(|said| said.error).map(failure);
        self.queue.find(|_| true)
    }

    /// The end of an answer was not seen; a client that does not pipeline asks again only when it is there.
    pub(super) fn complete_unseen(&mut self, scene: &mut Scene<'_>) {
        if self.answering() && !self.queue.pipelines {
            self.complete(scene);
        }
    }

    /// Commands may have been lost.
    pub(super) const fn miss_requests(&mut self) {
        self.queue.doubt();
    }

    /// Answers may have been lost.
    pub(super) fn miss_answers(&mut self, scene: &mut Scene<'_>) {
        self.queue.lose(scene);
    }

    pub(super) fn expire(&mut self, now: Nanos, unseen: bool, scene: &mut Scene<'_>) {
        if unseen && self.queue.silent(now, scene) {
            self.complete_unseen(scene);
        }
        self.queue.expire(now, scene);
    }

    pub(super) fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.queue.end_all(ending, now, scene);
    }
}

impl Work {
    const fn new(reply: Reply) -> Self {
        let (place, rows, columns, blind) = (Place::Head, 0, false, false);
        Self { reply, place, rows, columns, blind, database: None, prepares: None }
    }
}

/// What a packet does to the command it answers. The statement that was prepared, if it says so.
fn take(pending: &mut Pending<Work>, said: Said) -> Option<(u32, Arc<Digest>)> {
    let work = &mut pending.work;
    work.place = said.place.unwrap_or(work.place);
    work.rows += u64::from(said.row);
    work.columns |= said.columns;
    if let (Some(affected), Reply::Results) = (said.affected, work.reply) {
        pending.affected = Some(pending.affected.unwrap_or(0).saturating_add(affected));
    }
    if let Some(error) = said.error {
        pending.failure = Some(failure(error));
    }
    said.statement.zip(pending.work.prepares.take())
}

/// `db.response.status_code` is the server's number (semantic conventions, MySQL).
fn failure((code, sqlstate): (u16, Option<SmolStr>)) -> Failure {
    Failure { code: code.to_string().into(), sqlstate }
}
