//! Comes in: requests and answers. Goes out: exchanges: one for a simple query, one for each Execute, one for what was
//! only prepared, described or closed. Refuses: a pair across groups: each Sync, and each simple query, ends a group, and
//! each ReadyForQuery answers one (PostgreSQL manual, "Message Flow").

use std::sync::Arc;

use smol_str::SmolStr;

use super::{
    back::{Answer, Tag},
    front::{Request, Statement},
};
use crate::{
    event::Nanos,
    exchange::{Ending, Role},
    protocol::{Extent, Scene},
    sql::{
        Digest,
        pending::{Ask, Database, Failure, Pending},
        queue::{Number, Queue},
        statements::Statements,
    },
};

/// What is remembered of a request that waits.
#[derive(Default)]
struct Work {
    /// Number of its group.
    group: u64,
    /// Answered by ReadyForQuery alone.
    simple: bool,
    /// Answers that are still to come.
    due: u32,
    /// All of them came, or an error.
    done: bool,
    rows: u64,
    /// It runs a statement; else it only prepares, describes or closes one.
    runs: bool,
    /// Columns were described: rows may come.
    fields: bool,
    /// COPY from the client is under way.
    copying: bool,
    /// COPY went to the client.
    copied_out: bool,
    /// Bytes of the response were not seen: rows were not all counted.
    blind: bool,
    /// Rows, by the tag.
    tagged: Option<u64>,
    /// Name of a statement that it prepares, until that is done.
    parses: Option<Vec<u8>>,
}

/// Messages of the extended protocol that are not executed yet.
struct Draft {
    extent: Extent,
    ask: Ask,
    due: u32,
    /// It prepares a statement of this name.
    parses: Option<Vec<u8>>,
    /// A portal was bound in it.
    binds: bool,
    describes: bool,
}

/// Requests that wait for answers.
pub(super) struct Pairing {
    queue: Queue<Work>,
    draft: Option<Draft>,
    /// Groups that the client ended.
    asked: u64,
    /// Groups that the server ended.
    answered: u64,
    /// The rest of the group is not executed.
    aborted: bool,
    statements: Statements<Vec<u8>>,
    portals: Statements<Vec<u8>>,
    namespace: Option<SmolStr>,
    role: Role,
}

/// Whom bytes that are passed over belong to.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Owner {
    #[default]
    Nobody,
    Draft,
    Request(Number),
}

impl Pairing {
    pub(super) fn new(role: Role, doubt: bool) -> Self {
        Self {
            queue: Queue::new(doubt),
            draft: None,
            asked: 0,
            answered: 0,
            aborted: false,
            statements: Statements::default(),
            portals: Statements::default(),
            namespace: None,
            role,
        }
    }

    fn database(&self) -> Database {
        let (protocol, system, namespace) = ("postgresql", "postgresql", self.namespace.clone());
        Database { protocol, system, namespace, role: self.role }
    }

    /// Takes a client's message. Who owns the rest of it?
    pub(super) fn ask(&mut self, request: Request, extent: &Extent, scene: &mut Scene<'_>) -> Owner {
        match request {
            Request::Begin(database) => self.namespace = database.map(Into::into),
            Request::Query(statement) => return self.query(*statement, extent, scene),
            Request::Call => {
                return self.simple(Ask { command: Some("CALL"), ..Ask::default() }, extent, scene);
            }
            Request::Cancel => {
                return self.simple(Ask { command: Some("CANCEL"), ..Ask::default() }, extent, scene);
            }
            Request::Execute(portal) => return self.execute(&portal, extent, scene),
            Request::Flush => return self.end_draft(extent, scene),
            Request::Sync => return self.sync(extent, scene),
            Request::Copy => return self.copy(extent),
            Request::Encrypt | Request::Silent => {}
            part @ (Request::Parse(..) | Request::Bind(..) | Request::Describe | Request::Close { .. }) => {
                self.draft(part, extent, scene);
                return Owner::Draft;
            }
        }
        Owner::Nobody
    }

    fn query(&mut self, statement: Statement, extent: &Extent, scene: &mut Scene<'_>) -> Owner {
        let ask = ask_for(statement).0;
        self.simple(ask, extent, scene)
    }

    /// A request that makes a group of its own.
    fn simple(&mut self, ask: Ask, extent: &Extent, scene: &mut Scene<'_>) -> Owner {
        self.draft = None;
        let work = Work { group: self.asked, simple: true, runs: true, ..Work::default() };
        let number = self.push(work, ask, extent, scene);
        self.end_group();
        Owner::Request(number)
    }

    fn push(&mut self, work: Work, ask: Ask, extent: &Extent, scene: &mut Scene<'_>) -> Number {
        self.queue.settle(extent.first.time, scene);
        if self.queue.is_empty() {
            // Nothing waits: groups that are not answered were lost.
            self.answered = self.answered.max(work.group);
        }
        let pending = Pending::open(work, self.database(), ask, extent, scene);
        self.queue.push(pending)
    }

    fn end_group(&mut self) {
        self.asked += 1;
        self.queue.pipelines |= self.asked > self.answered + 1;
    }

    /// A message that belongs to the next Execute.
    fn draft(&mut self, part: Request, extent: &Extent, scene: &Scene<'_>) {
        let mut draft = self.draft.take().unwrap_or_else(|| Draft::new(extent));
        draft.extend(extent);
        draft.due = draft.due.saturating_add(1);
        match part {
            Request::Parse(name, statement) => {
                let (ask, digest) = ask_for(*statement);
                draft.parses = Some(name.clone());
                draft.ask = ask;
                keep(&mut self.statements, name, digest, scene);
            }
            Request::Bind(portal, name, tokens) => {
                draft.ask.tokens = tokens;
                draft.binds = true;
                draft.statement(self.statements.get(&name));
                match &draft.ask.digest {
                    Some(digest) => keep(&mut self.portals, portal, Arc::clone(digest), scene),
                    None => self.portals.forget(&portal),
                }
            }
            Request::Close { statement: true, name } => self.statements.forget(&name),
            Request::Close { statement: false, name } => self.portals.forget(&name),
            _ => draft.describes = true,
        }
        self.draft = Some(draft);
    }

    fn execute(&mut self, portal: &Vec<u8>, extent: &Extent, scene: &mut Scene<'_>) -> Owner {
        let mut draft = self.draft.take().unwrap_or_else(|| Draft::new(extent));
        draft.extend(extent);
        if !draft.binds {
            draft.statement(self.portals.get(portal));
        }
        let due = draft.due.saturating_add(1);
        let work = Work { group: self.asked, due, runs: true, parses: draft.parses, ..Work::default() };
        Owner::Request(self.push(work, draft.ask, &draft.extent, scene))
    }

    /// What was prepared, described or closed, and is not executed now.
    fn end_draft(&mut self, extent: &Extent, scene: &mut Scene<'_>) -> Owner {
        let group = self.asked;
        let Some(mut draft) = self.draft.take() else {
            let last = self.queue.back().filter(|pending| pending.work.group == group);
            last.into_iter().for_each(|pending| pending.asked(extent));
            return Owner::Nobody;
        };
        let last = self.queue.back().filter(|pending| pending.work.group == group && !pending.work.done);
        if let (Some(pending), None, false) = (last, &draft.parses, draft.describes) {
            // Closing a portal belongs to what ran it.
            draft.extend(extent);
            pending.asked(&draft.extent);
            pending.work.due = pending.work.due.saturating_add(draft.due);
            return Owner::Nobody;
        }
        draft.extend(extent);
        draft.ask.command = Some(match (draft.parses.is_some(), draft.describes) {
            (true, _) => "PREPARE",
            (false, true) => "DESCRIBE",
            (false, false) if draft.binds => "BIND",
            (false, false) => "CLOSE",
        });
        let work = Work { group, due: draft.due, parses: draft.parses, ..Work::default() };
        Owner::Request(self.push(work, draft.ask, &draft.extent, scene))
    }

    fn sync(&mut self, extent: &Extent, scene: &mut Scene<'_>) -> Owner {
        let owner = self.end_draft(extent, scene);
        self.end_group();
        owner
    }

    fn copy(&mut self, extent: &Extent) -> Owner {
        let Some(number) = self.queue.find(|pending| pending.work.copying) else { return Owner::Nobody };
        self.queue.pass(number, false, extent);
        Owner::Request(number)
    }

    /// Does a client's COPY run?
    pub(super) fn copies(&self) -> bool {
        self.queue.iter().any(|pending| pending.work.copying)
    }

    /// More bytes of a client's message.
    pub(super) fn asked(&mut self, owner: Owner, extent: &Extent) {
        match (owner, &mut self.draft) {
            (Owner::Draft, Some(draft)) => draft.extend(extent),
            (Owner::Request(number), _) => self.queue.pass(number, false, extent),
            _ => {}
        }
    }

    /// Takes a server's message. Who owns the rest of it?
    pub(super) fn answer(&mut self, answer: Answer, extent: &Extent, scene: &mut Scene<'_>) -> Owner {
        let Some(number) = self.current(extent) else {
            if answer == Answer::Ready {
                self.end_answer(extent, scene);
            }
            return Owner::Nobody;
        };
        let ready = answer == Answer::Ready;
        if let Some(pending) = self.queue.get(number) {
            pending.answered(extent, scene);
            self.aborted |= take(pending, answer);
        }
        if ready {
            self.end_answer(extent, scene);
        } else {
            self.end_done(scene);
        }
        Owner::Request(number)
    }

    /// The request that is being answered: the first of the group that is not done, else its last one.
    fn current(&self, extent: &Extent) -> Option<Number> {
        let group = self.answered;
        let of_group =
            |pending: &Pending<Work>| pending.work.group <= group && pending.begun() <= extent.first.time;
        let open = self.queue.find(|pending| of_group(pending) && !pending.work.done);
        let count = self.queue.iter().take_while(|pending| of_group(pending)).count();
        let first = self.queue.find(|_| true)?;
        open.or_else(|| Some(first + count.checked_sub(1)? as u64))
    }

    /// A request that is done ends now where another one of the same group, or nothing at all, follows; the last of a
    /// group waits for ReadyForQuery.
    fn end_done(&mut self, scene: &mut Scene<'_>) {
        let closed = self.asked > self.answered;
        let group = self.answered;
        while self.queue.front().is_some_and(|pending| pending.work.done) && !self.aborted {
            let members = self.queue.iter().take_while(|pending| pending.work.group == group).take(2).count();
            if closed && members == 1 {
                return;
            }
            self.end_front(scene);
        }
    }

    /// The server is ready for the next group.
    fn end_answer(&mut self, extent: &Extent, scene: &mut Scene<'_>) {
        let group = self.answered;
        let mut found = false;
        while self
            .queue
            .front()
            .is_some_and(|pending| pending.work.group <= group && pending.begun() <= extent.first.time)
        {
            found = true;
            self.end_front(scene);
        }
        self.aborted = false;
        if found || self.asked > self.answered {
            self.answered += 1;
            self.asked = self.asked.max(self.answered);
        }
    }

    fn end_front(&mut self, scene: &mut Scene<'_>) {
        if let Some(pending) = self.queue.front() {
            if self.aborted && !pending.work.done && !pending.work.simple {
                pending.failure = Some(Failure { code: "pipeline_aborted".into(), sqlstate: None });
            }
            count(pending);
            // It was not prepared, and one of the same name may be there still.
            if let (Some(name), Some(_)) = (&pending.work.parses, &pending.failure) {
                self.statements.forget(name);
            }
        }
        self.queue.end_front(Ending::Answered, Nanos::default(), scene);
    }

    /// More bytes of a server's message.
    pub(super) fn passed(&mut self, owner: Owner, extent: &Extent) {
        if let Owner::Request(number) = owner {
            self.queue.pass(number, true, extent);
        }
    }

    /// Who is being answered, by bytes that cannot be read?
    pub(super) fn blind(&mut self) -> Owner {
        let group = self.answered;
        let number = self.queue.find(|pending| pending.work.group <= group && !pending.work.done);
        let Some(number) = number else { return Owner::Nobody };
        if let Some(pending) = self.queue.get(number) {
            pending.work.blind = true;
        }
        Owner::Request(number)
    }

    /// Groups that wait for their end.
    pub(super) fn groups(&self) -> u64 {
        self.asked.saturating_sub(self.answered)
    }

    /// A client's messages may have been lost.
    pub(super) fn miss_requests(&mut self) {
        self.draft = None;
        self.queue.doubt();
    }

    /// A server's messages may have been lost.
    pub(super) fn miss_answers(&mut self, scene: &mut Scene<'_>) {
        self.queue.lose(scene);
        (self.answered, self.aborted) = (self.asked, false);
    }

    /// The end of a response was not seen; a client that does not pipeline asks again only when it is there.
    pub(super) fn complete_unseen(&mut self, scene: &mut Scene<'_>) {
        if self.queue.pipelines || !self.queue.front().is_some_and(|pending| pending.is_answered()) {
            return;
        }
        while !self.queue.is_empty() {
            self.end_front(scene);
        }
        (self.answered, self.aborted) = (self.asked, false);
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

/// What a server's message does to the request it answers. Is the rest of the group not executed?
fn take(pending: &mut Pending<Work>, answer: Answer) -> bool {
    let work = &mut pending.work;
    match answer {
        Answer::Rows(rows) => work.rows += rows,
        Answer::Step => work.step(),
        Answer::Parsed => {
            work.parses = None;
            work.step();
        }
        Answer::Fields => {
            work.fields = true;
            work.step();
        }
        Answer::Copying { out } => (work.copying, work.copied_out) = (!out, out),
        Answer::Complete(tag) => {
            work.step();
            complete(pending, tag);
        }
        Answer::Failed(code) => {
            work.copying = false;
            work.done = !work.simple;
            pending.failure = Some(Failure { code, sqlstate: None });
            return !pending.work.simple;
        }
        Answer::Encrypted
        | Answer::Refused
        | Answer::Aside
        | Answer::Replicating
        | Answer::Ready
        | Answer::Conforming(_) => {}
    }
    false
}

fn complete(pending: &mut Pending<Work>, tag: Tag) {
    let work = &mut pending.work;
    work.copying = false;
    match (tag.operation.as_str(), tag.rows) {
        ("SELECT" | "FETCH" | "SHOW" | "COPY", rows) if tag.operation != "COPY" || work.copied_out => {
            work.tagged = Some(work.tagged.unwrap_or(0).saturating_add(rows.unwrap_or(0)));
        }
        (_, Some(rows)) => pending.affected = Some(pending.affected.unwrap_or(0).saturating_add(rows)),
        _ => {}
    }
    pending.told.get_or_insert(tag.operation);
}

/// Rows that came back: counted, or as the tag says where they were not all seen.
fn count(pending: &mut Pending<Work>) {
    let work = &pending.work;
    pending.returned = match (work.blind || work.copied_out, work.tagged) {
        _ if !work.runs => None,
        (true, tagged) => tagged,
        (false, None) if !work.fields && work.rows == 0 => None,
        (false, _) => Some(work.rows),
    };
}

impl Work {
    /// One of the answers came.
    const fn step(&mut self) {
        self.due = self.due.saturating_sub(1);
        self.done = !self.simple && self.due == 0;
    }
}

impl Draft {
    fn new(extent: &Extent) -> Self {
        let extent = Extent { bytes: 0, missing: 0, ..*extent };
        Self { extent, ask: Ask::default(), due: 0, parses: None, binds: false, describes: false }
    }

    const fn extend(&mut self, extent: &Extent) {
        self.extent.bytes += extent.bytes;
        self.extent.missing += extent.missing;
        self.extent.last = extent.last;
    }

    /// It runs this statement.
    fn statement(&mut self, digest: Option<Arc<Digest>>) {
        self.ask.unknown = digest.is_none();
        self.ask.digest = digest;
    }
}

fn ask_for(statement: Statement) -> (Ask, Arc<Digest>) {
    let Statement { mut digest, truncated } = statement;
    let carrier = std::mem::take(&mut digest.carrier);
    let digest = Arc::new(digest);
    let tokens = digest.tokens;
    let ask = Ask { digest: Some(Arc::clone(&digest)), truncated, carrier, tokens, ..Ask::default() };
    (ask, digest)
}

/// Names longer than any that a program gives are not kept.
fn keep(in_: &mut Statements<Vec<u8>>, name: Vec<u8>, digest: Arc<Digest>, scene: &Scene<'_>) {
    if name.len() <= scene.settings.max_text {
        in_.keep(name, digest, scene.settings);
    }
}
