//! Comes in: a call that is made. Goes out: the request that its program answered then, and how that is known. Refuses: a
//! request that was answered before, or that another process reads.

use wirespan_span::span::{Key, Nanos, Task};

use crate::{
    connects::Opened,
    habits::{Deed, UNSURE},
    node::Node,
    tasks::Work,
    threads::{Sight, Situation, Step},
    trace::Method,
    traces::Traces,
};

/// The first call of a task that was started while its starter worked on one request, or soon after it. Of 10,700 such calls of
/// goroutines none was another request's; a worker of a pool that grows may make one.
const STARTED: f32 = 0.99;
/// A name that one request alone had, and its call. Of 4,674 such calls of seven runtimes none was another's.
const ECHO: f32 = 0.98;

/// Where of the calls that wait for an answer fewer are placed by one, threads are asked: they place nine of ten.
const TELLING: f32 = 0.8;

/// What a thread had just read, of all that it had not done with, when it called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Word {
    /// One request.
    Request,
    /// The response to one call.
    Response,
    /// Several things, or nothing.
    #[default]
    Other,
}

impl Word {
    pub(crate) const COUNT: usize = 3;
}

/// The request that a program was answering, as evidence has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    pub(crate) server: Key,
    pub(crate) method: Method,
    pub(crate) confidence: f32,
    /// Does it build on a call of which nobody knows for whom it was?
    pub(crate) guessed: bool,
    /// Had its thread done all that it had read, so that it may have taken this over from another?
    pub(crate) again: bool,
    /// What its thread's word builds on.
    pub(crate) word: Word,
    /// For whom the connection was opened, and on whom its thread works, where these are two.
    pub(crate) rivals: Option<(Key, Key)>,
}

impl Evidence {
    pub(crate) const fn new(server: Key, method: Method, confidence: f32) -> Self {
        Self { server, method, confidence, guessed: false, again: false, word: Word::Other, rivals: None }
    }

    pub(crate) fn of_worth(self, worth: f32) -> Self {
        Self { confidence: self.confidence * worth, ..self }
    }
}

/// What a logical task tells of the call that it makes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    /// Its cause.
    Request(Evidence),
    /// That it has none.
    Nobody,
    /// That it has none, probably.
    Doubt,
    /// Nothing before it, or who waits for it, answers.
    Later,
    /// Nothing: its thread may.
    Nothing,
}

impl Traces {
    /// What a rare name in the call tells. The program took it from the request: that says more than what it usually does.
    pub(crate) fn echo(&self, node: &Node, evidence: Option<Evidence>) -> Option<Evidence> {
        let named = self.echoes.of(node.pid, &node.tokens)?;
        let agreed = evidence.filter(|evidence| evidence.server == named && evidence.confidence >= ECHO);
        let echo = agreed.unwrap_or_else(|| Evidence::new(named, Method::Echo, ECHO));
        self.working(named, node.pid, node.start).then_some(echo)
    }

    /// How things stood when a call was decided on: a new connection's first request goes out later, when it stands.
    pub(crate) fn sight(
        &mut self,
        opened: Option<Opened>,
        evidence: Option<Evidence>,
        task: Task,
    ) -> Option<(Deed, Sight)> {
        let habit = self.habits.of(task.pid);
        let rivals = evidence.is_some_and(|evidence| evidence.rivals.is_some());
        match opened {
            Some(_) if rivals && habit.opens_for_itself() < self.settings.min_confidence => None,
            Some(opened) if habit.several() => opened.sight.map(|sight| (Deed::Open, sight)),
            _ => self.threads.look(task).map(|sight| (Deed::Call, sight)),
        }
    }

    /// The request that the thread works on, or that the connection was opened for.
    pub(crate) fn evidence(
        &mut self,
        opened: Option<Opened>,
        task: Task,
        time: Nanos,
        told: Told,
    ) -> Option<Evidence> {
        match told {
            Told::Request(evidence) => return Some(evidence),
            Told::Nobody => {
                self.counters.vetoed += u64::from(self.by_task(task, time, Deed::Call).is_some());
                return None;
            }
            Told::Doubt => {
                let evidence = self.by_task(task, time, Deed::Call);
                return evidence
                    .map(|evidence| Evidence { confidence: evidence.confidence * UNSURE, ..evidence });
            }
            Told::Later => return None,
            Told::Nothing => {}
        }
        let by_thread = self.by_task(task, time, Deed::Call);
        let by_thread = by_thread.map(|evidence| self.unless_exhausted(evidence));
        let by_work = by_thread.or_else(|| self.by_handover(task, time));
        let serial = !self.habits.of(task.pid).several();
        match opened.map(|opened| opened.request) {
            _ if serial && by_work.is_some() => by_work,
            // Opened outside of any request, used on a thread with many: a pool at work, for nobody knows whom.
            Some(None) => {
                self.counters.vetoed += u64::from(by_work.is_some());
                None
            }
            // The first request goes out when the connection stands, whatever the thread has read by then.
            Some(Some((server, confidence))) if self.working(server, task.pid, time) => {
                Some(self.first_use((server, confidence), by_work, task.pid))
            }
            Some(Some(_)) | None => by_work.or_else(|| self.by_lineage(task, time)),
        }
    }

    /// For whom the first request of a connection is, where its thread is known to work on another request by then: a pool
    /// that opens a connection may use one that has come back instead, and give the new one to the next who asks.
    fn first_use(&mut self, opened_for: (Key, f32), by_work: Option<Evidence>, pid: u32) -> Evidence {
        let ((opener, confidence), min) = (opened_for, self.settings.min_confidence);
        let confidence = confidence.min(self.habits.of(pid).hands());
        let sure = |evidence: &Evidence| evidence.confidence >= min && !evidence.guessed;
        let Some(user) = by_work.filter(|user| sure(user) && user.server != opener) else {
            return Evidence::new(opener, Method::Handoff, confidence);
        };
        let opens_for_itself = self.habits.of(pid).opens_for_itself();
        let evidence = if opens_for_itself >= min {
            Evidence::new(opener, Method::Handoff, confidence.min(opens_for_itself))
        } else if 1.0 - opens_for_itself >= min {
            Evidence { confidence: user.confidence.min(1.0 - opens_for_itself), ..user }
        } else {
            Evidence::new(opener, Method::Handoff, confidence * UNSURE)
        };
        Evidence { rivals: Some((opener, user.server)), ..evidence }
    }

    /// The request that the thread was made for.
    fn by_lineage(&mut self, task: Task, time: Nanos) -> Option<Evidence> {
        let (server, confidence) = self.lineage.of(task.into())?;
        let habit = self.habits.of(task.pid);
        let confidence = confidence * habit.inherits();
        if self.working(server, task.pid, time) {
            return Some(Evidence::new(server, Method::Handoff, confidence));
        }
        // It outlived that request and works on.
        self.habits.of(task.pid).inherited(false);
        self.lineage.leave(task.into());
        None
    }

    /// The request that the thread works on, as the habits of its process tell.
    pub(crate) fn by_task(&mut self, task: Task, time: Nanos, deed: Deed) -> Option<Evidence> {
        let sight = self.threads.look(task)?;
        let habit = self.habits.of(task.pid);
        let (step, mut confidence) = habit.judge(&sight, deed)?;
        let guessed = !step.sure || habit.unproven(&sight, deed);
        let again = habit.again(&sight, deed);
        let word = match sight.sole().filter(|_| sight.situation == Situation::Only) {
            Some(Step { call: None, .. }) => Word::Request,
            Some(_) => Word::Response,
            None => Word::Other,
        };
        let holds_back = habit.holds_back();
        let server = step.request.filter(|server| self.working(*server, task.pid, time))?;
        if holds_back && self.queues.behind(server) {
            confidence *= UNSURE;
        }
        Some(Evidence { guessed, again, word, ..Evidence::new(server, Method::Task, confidence) })
    }

    /// For whom a task opens a connection.
    pub(crate) fn opens_for(&mut self, task: Task, time: Nanos) -> Option<(Key, f32)> {
        let evidence = match self.by_logical_task(task, time) {
            Told::Request(evidence) => Some(evidence),
            Told::Nobody | Told::Doubt | Told::Later => None,
            Told::Nothing => {
                let by_connection = self.by_connection(task, time);
                let by_thread = self.by_task(task, time, Deed::Open);
                let stays = by_connection.or_else(|| self.stays(task, time, by_thread));
                stays.or(by_thread).or_else(|| self.by_handover(task, time))
            }
        };
        evidence.map(|evidence| (evidence.server, evidence.confidence))
    }

    /// What the task that makes a call tells of it.
    pub(crate) fn told(&mut self, task: Task, time: Nanos) -> Told {
        let told = self.by_logical_task(task, time);
        if !matches!(told, Told::Nothing) {
            return told;
        }
        if let Some(evidence) = self.by_connection(task, time) {
            return Told::Request(evidence);
        }
        let by_thread = self.by_task(task, time, Deed::Call);
        if self.answer_tells(task, by_thread) {
            // It will tell as well whether that was right.
            let sure = by_thread.filter(|evidence| evidence.confidence >= self.settings.min_confidence);
            sure.into_iter().for_each(|evidence| self.tasks.bind(task, evidence.server));
            return Told::Later;
        }
        if let Some(evidence) = self.stays(task, time, by_thread) {
            return Told::Request(evidence);
        }
        let believed = self.tasks.writes_for_others(task, by_thread.is_some());
        if believed { Told::Nothing } else { Told::Doubt }
    }

    /// Does the process of this task, which calls or answers, hand each request that it reads to a thread that has no other?
    pub(crate) fn hands_out(&mut self, task: Task) -> bool {
        let habit = self.habits.of(task.pid);
        if habit.hands_out() && self.threads.several(task) {
            habit.has_served_several();
        }
        habit.hands_out()
    }

    /// Is it a thread to which requests are handed out, and that waits for what it calls? Its answer will tell for whom that was.
    pub(crate) fn one_by_one(&mut self, task: Task) -> bool {
        self.hands_out(task)
            && self.threads.answers_requests(task)
            && self.habits.of(task.pid).blocks() >= self.settings.min_confidence
    }

    /// What the goroutine or async task tells, in a process whose tasks work on what they read.
    fn by_logical_task(&mut self, task: Task, time: Nanos) -> Told {
        let work = self.tasks.calls(task);
        let trust = self.habits.of(task.pid).works_itself();
        if trust < self.settings.min_confidence {
            return Told::Nothing;
        }
        let (server, confidence) = match work {
            Work::On(server) => (server, trust),
            Work::StartedIn(server) => (server, trust.min(STARTED)),
            Work::Idle => return Told::Nobody,
            Work::Unknown => return Told::Nothing,
        };
        if !self.working(server, task.pid, time) {
            return Told::Nothing;
        }
        Told::Request(Evidence::new(server, Method::Task, confidence))
    }

    /// Will the answer of the task, or of who waits for it, tell more than what its thread had read? Of several requests of one
    /// connection a thread reads all at once.
    fn answer_tells(&mut self, task: Task, by_thread: Option<Evidence>) -> bool {
        let Some(awaited) = task.logical().map(|task| task.waiter().is_some()) else { return false };
        let habit = self.habits.of(task.pid);
        let keeps = habit.keeps(awaited) >= self.settings.min_confidence && habit.tells_later() >= TELLING;
        keeps && (awaited || by_thread.is_some_and(|evidence| self.queues.behind(evidence.server)))
    }

    /// The oldest open request of the connection that the logical task serves, in a process whose tasks do so, one request after the
    /// other.
    fn by_connection(&mut self, task: Task, time: Nanos) -> Option<Evidence> {
        let (own, above) = self.tasks.connections(task);
        let habit = self.habits.of(task.pid);
        if habit.holds_back() {
            return None;
        }
        let both = [(above, habit.serves(true)), (own, habit.serves(false))];
        both.into_iter().find_map(|(connection, confidence)| {
            let server = self.queues.first(connection?)?;
            let believed = confidence >= self.settings.min_confidence && self.working(server, task.pid, time);
            believed.then_some(Evidence::new(server, Method::Task, confidence))
        })
    }

    /// The request that the logical task was seen to work on, in a process whose tasks stay with one until they answer it.
    /// Where its thread says otherwise, one of the two is wrong.
    fn stays(&mut self, task: Task, time: Nanos, by_thread: Option<Evidence>) -> Option<Evidence> {
        let bound = self.tasks.bound(task).find(|bound| self.working(bound.request, task.pid, time))?;
        let server = bound.request;
        let sure = by_thread.filter(|evidence| evidence.confidence >= self.settings.min_confidence);
        let awaited = task.logical().is_some_and(|task| task.waiter().is_some());
        let habit = self.habits.of(task.pid);
        if sure.is_some_and(|evidence| evidence.server != server) {
            habit.kept(awaited, false);
            self.tasks.doubt(task);
        }
        let confidence = habit.keeps(awaited);
        let agrees = by_thread.is_none_or(|evidence| evidence.server == server);
        let stays = confidence >= self.settings.min_confidence && bound.stays(agrees);
        stays.then_some(Evidence::new(server, Method::Task, confidence))
    }
}
