//! Comes in: who read what, and whether the thread slept since. Goes out: the requests that a thread may be working on. An entry is a claim: the caller checks that the request is still open.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};
use wirespan_span::span::{Key, Nanos, Task};

use crate::{
    habits::{Deed, Rule},
    remaining::Read,
};

/// Things read and not done with that a thread is remembered for; the oldest goes first.
const MAX_STEPS: usize = 64;

/// Calls of one thread that wait for the answer that tells for whom they were made.
const MAX_UNPLACED: usize = 32;

/// A thread, within its process; the conversation, in a packet capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ThreadKey {
    pub(crate) pid: u32,
    key: u64,
}

impl ThreadKey {
    /// A thread by its id.
    pub(crate) const fn thread(pid: u32, tid: u32) -> Self {
        Self { pid, key: tid as u64 }
    }
}

impl From<Task> for ThreadKey {
    fn from(task: Task) -> Self {
        let key = if task.logical().is_some() { task.tid.into() } else { task.key };
        Self { pid: task.pid, key }
    }
}

/// Something that was read: a request, or the response to a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// The request itself, or that for which the call was made; `None` where it was made for none, or nobody knows.
    pub(crate) request: Option<Key>,
    /// The call, where it is a response.
    pub(crate) call: Option<Key>,
    /// Is it known for whom the call was made?
    pub(crate) sure: bool,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    step: Step,
    time: Nanos,
    /// How often the thread had slept by then.
    rests: u32,
    /// Was work on it seen since: a call, an answer?
    acted: bool,
    /// It is the response to a call that was probably for a request that is answered, or whose other response was read since. The
    /// thread has most likely done with it.
    over: bool,
}

#[derive(Debug, Default)]
struct Thread {
    steps: VecDeque<Taken>,
    /// How often it had slept when it made a call and it could only be guessed for whom: on what it worked is not sure since.
    guessed: Option<u32>,
    /// The call that the thread made last, if it did nothing since.
    calling: Option<Key>,
    /// When it answered last.
    answered: Option<Nanos>,
    /// Calls made since the thread's last answer, for a request that is not known.
    unplaced: Vec<Key>,
}

/// How things stand when a thread does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    /// It read one thing since it slept, and no work on that was seen.
    Only,
    /// It read one thing since it slept, and work on that was seen: what it does next may be for that again, or it took it
    /// over from another thread.
    Again,
    /// It calls, and what it read last, since it slept, is a response. Only told from the others where that matters.
    Returned,
    /// It read several since it slept, and work on all but the last was seen.
    Chained,
    /// It read several since it slept.
    Several,
    /// It read several since it slept, a response before a request, and work on neither was seen.
    Mixed,
    /// All that it read since it slept came on one connection at once.
    Pipelined,
    /// It slept since it read anything. One thing is open.
    Rested,
    /// The same, with several open.
    RestedSeveral,
}

impl Situation {
    pub(crate) const COUNT: usize = 9;
}

/// What a thread may be working on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) situation: Situation,
    pub(crate) latest: Step,
    pub(crate) oldest: Step,
    /// `None` where work on all of them was seen.
    pub(crate) next: Option<Step>,
    /// In [`Situation::Mixed`] the first request that waits.
    pub(crate) request: Option<Step>,
}

impl Sight {
    /// What was read last, where little else can have been worked on.
    pub(crate) fn sole(&self) -> Option<Step> {
        matches!(self.situation, Situation::Only | Situation::Chained).then_some(self.latest)
    }

    /// Did the thread sleep since it read anything?
    pub(crate) const fn rested(&self) -> bool {
        matches!(self.situation, Situation::Rested | Situation::RestedSeveral)
    }

    /// How things stand for what it does: whatever was read before a response, that may be answered.
    pub(crate) fn situation(&self, deed: Deed) -> Situation {
        match (self.situation, deed) {
            (Situation::Mixed, Deed::Answer) => Situation::Several,
            (situation, _) => situation,
        }
    }

    /// On which of them the thread works, as a rule has it.
    pub(crate) fn pick(&self, rule: Rule, deed: Deed) -> Option<Step> {
        match rule {
            Rule::Request => self.request.filter(|_| deed != Deed::Answer),
            Rule::Latest => Some(self.latest),
            Rule::Oldest => Some(self.oldest),
            Rule::Next => self.next,
        }
    }
}

/// What each thread may work on.
#[derive(Debug)]
pub(crate) struct Threads {
    threads: FxHashMap<ThreadKey, Thread>,
    /// Threads that answer what another one may have read.
    answering: FxHashSet<ThreadKey>,
    max: usize,
}

impl Threads {
    pub(crate) fn new(max: usize) -> Self {
        Self { threads: FxHashMap::default(), answering: FxHashSet::default(), max }
    }

    /// A task read something. `false` where there was no room to remember it.
    pub(crate) fn read(&mut self, task: Task, step: Step, time: Nanos) -> bool {
        if step.request.is_none() && !self.threads.contains_key(&task.into()) {
            return true;
        }
        let Some(thread) = self.room(task) else { return false };
        let stays = |taken: &Taken| match step.request {
            _ if taken.over => taken.rests == task.rests,
            // Of responses to calls that nobody knows the cause of the answers may tell.
            None => taken.step.request.is_some() || taken.rests == task.rests,
            Some(_) => true,
        };
        thread.steps.retain(stays);
        if let Some(request) = step.request {
            thread.done(request);
        }
        if thread.steps.len() >= MAX_STEPS {
            let over = thread.steps.iter().position(|taken| taken.over);
            thread.steps.remove(over.unwrap_or_default());
        }
        thread.steps.push_back(Taken { step, time, rests: task.rests, acted: false, over: false });
        true
    }

    /// What the task may be working on; `None` where it has read nothing that is open.
    pub(crate) fn look(&self, task: Task) -> Option<Sight> {
        let Thread { steps, guessed, .. } = self.threads.get(&task.into())?;
        let guessed = *guessed == Some(task.rests);
        let left = || steps.iter().filter(|taken| !taken.over);
        let rested = !left().any(|taken| taken.rests == task.rests);
        let among = || left().filter(|taken| rested || taken.rests == task.rests);
        let (first, last) = (among().next()?, among().next_back()?);
        let mut waiting = among().filter(|taken| !taken.acted).map(|taken| taken.step);
        let next = waiting.next();
        let response = next.filter(|next| next.call.is_some());
        let request = response.and_then(|_| waiting.find(|step| step.call.is_none()));
        let situation = match (rested, among().nth(1).is_some()) {
            (false, false) if last.acted => Situation::Again,
            (false, false) => Situation::Only,
            (true, false) => Situation::Rested,
            _ if among().all(|taken| pipelined(first.step, taken.step)) => Situation::Pipelined,
            (false, true) if !guessed && chained(among()) => Situation::Chained,
            (false, true) if request.is_some() => Situation::Mixed,
            (false, true) => Situation::Several,
            (true, true) => Situation::RestedSeveral,
        };
        let request = request.filter(|_| situation == Situation::Mixed);
        let oldest = match situation {
            Situation::Pipelined => among().min_by_key(|taken| taken.step.request.map(|key| key.offset))?,
            _ => first,
        };
        Some(Sight { situation, latest: last.step, oldest: oldest.step, next, request })
    }

    /// What the task's thread read since it slept: for which request, where that is known, the call if it is a response, and when.
    pub(crate) fn turn(&self, task: Task) -> impl Iterator<Item = Read> {
        let steps = self.threads.get(&task.into()).into_iter().flat_map(|thread| &thread.steps);
        let read = steps.filter(move |taken| taken.rests == task.rests);
        read.map(|Taken { step, time, .. }| (step.request.filter(|_| step.sure), step.call, *time))
    }

    /// The one request that this thread was seen to work on and that was not answered.
    pub(crate) fn only(&self, thread: ThreadKey) -> Option<Key> {
        let steps = self.threads.get(&thread)?.steps.iter().filter(|taken| !taken.over);
        let mut requests = steps.filter_map(|taken| taken.step.request);
        let first = requests.next()?;
        requests.all(|request| request == first).then_some(first)
    }

    /// Has the thread of this task read several requests that are open? What it read for others does not count: that may be wrong.
    pub(crate) fn several(&self, task: Task) -> bool {
        let steps = self.threads.get(&task.into()).map(|thread| &thread.steps);
        steps.is_some_and(|steps| {
            let steps = steps.iter().filter(|taken| !taken.over).map(|taken| taken.step);
            let mut open = steps.filter(|step| step.request.is_some() && step.call.is_none());
            open.next().is_some_and(|first| open.any(|step| !pipelined(first, step)))
        })
    }

    /// The task made a call, for `request` as far as is known, and whether that is more than a guess.
    pub(crate) fn calls(&mut self, task: Task, call: Key, request: Option<Key>, surely: bool) {
        let Some(thread) = self.room(task) else { return };
        thread.calling = Some(call);
        thread.acted(request);
        if !surely {
            thread.guessed = Some(task.rests);
        }
    }

    /// For whom the task made this call will show when it answers.
    pub(crate) fn wonder(&mut self, task: Task, call: Key) {
        if let Some(thread) = self.room(task).filter(|thread| thread.unplaced.len() < MAX_UNPLACED) {
            thread.unplaced.push(call);
        }
    }

    /// The task answers a request, and turns to the one that came behind it on the same connection. Gives the calls that waited for this.
    pub(crate) fn answers(&mut self, task: Task, request: Key, time: Nanos) -> Vec<Key> {
        let Some(thread) = self.threads.get_mut(&task.into()) else { return Vec::new() };
        (thread.calling, thread.answered) = (None, Some(time));
        thread.acted(Some(request));
        thread.go_on(request, task.rests);
        std::mem::take(&mut thread.unplaced)
    }

    /// The task answers requests, though another one may have read them.
    pub(crate) fn has_answered(&mut self, task: Task) {
        if self.answering.len() >= self.max {
            self.answering.clear();
        }
        self.answering.insert(task.into());
    }

    /// Was it seen to?
    pub(crate) fn answers_requests(&self, task: Task) -> bool {
        self.answering.contains(&task.into())
    }

    /// The thread ended.
    pub(crate) fn died(&mut self, thread: ThreadKey) {
        self.answering.remove(&thread);
    }

    /// The call that the task made last, if it did nothing since.
    pub(crate) fn calling(&self, task: Task) -> Option<Key> {
        self.threads.get(&task.into())?.calling
    }

    /// Did this task write another answer in the same call?
    pub(crate) fn batched(&self, task: Task, time: Nanos) -> bool {
        self.threads.get(&task.into()).is_some_and(|thread| thread.answered == Some(time))
    }

    /// The thread no longer works on the request.
    pub(crate) fn leave(&mut self, key: ThreadKey, request: Key) {
        let Some(thread) = self.threads.get_mut(&key) else { return };
        thread.done(request);
        let nothing = |taken: &Taken| taken.over || taken.step.request.is_none();
        if thread.steps.iter().all(nothing) && thread.unplaced.is_empty() {
            self.threads.remove(&key);
        }
    }

    fn room(&mut self, task: Task) -> Option<&mut Thread> {
        if self.threads.len() >= self.max && !self.threads.contains_key(&task.into()) {
            // Threads that end are not heard of; those that hold a request are in use.
            let open = |taken: &Taken| !taken.over && taken.step.request.is_some();
            self.threads.retain(|_, thread| thread.steps.iter().any(open));
            if self.threads.len() >= self.max {
                return None;
            }
        }
        Some(self.threads.entry(task.into()).or_default())
    }
}

impl Thread {
    fn go_on(&mut self, answered: Key, rests: u32) {
        let behind = |taken: &Taken| {
            taken.step.call.is_none()
                && taken
                    .step
                    .request
                    .is_some_and(|next| queued(answered, next) && next.offset > answered.offset)
        };
        if let Some(next) = self.steps.iter().position(behind).and_then(|at| self.steps.remove(at)) {
            self.done(answered);
            self.steps.push_back(Taken { rests, acted: false, ..next });
        }
    }

    /// The thread has done with what it read for the request. What it only seemed to have read for that may have been for another.
    fn done(&mut self, request: Key) {
        for taken in self.steps.iter_mut().filter(|taken| taken.step.request == Some(request)) {
            taken.over = true;
        }
        self.steps.retain(|taken| !taken.over || taken.step.call.is_some() && !taken.step.sure);
    }

    fn acted(&mut self, request: Option<Key>) {
        if let Some(taken) = self.steps.iter_mut().find(|taken| !taken.over && taken.step.request == request)
        {
            taken.acted = true;
        }
    }
}

/// Was work seen on all but the last?
fn chained<'a>(mut steps: impl DoubleEndedIterator<Item = &'a Taken>) -> bool {
    steps.next_back().is_some_and(|last| !last.acted) && steps.all(|step| step.acted)
}

fn pipelined(first: Step, second: Step) -> bool {
    first.request.zip(second.request).is_some_and(|(first, second)| queued(first, second))
}

/// Did both come on one connection that answers in order?
fn queued(first: Key, second: Key) -> bool {
    first.cookie == second.cookie && first.sub == 0 && second.sub == 0
}
