//! Comes in: when processes read requests and responses, and when they called and answered. Goes out: which of the things
//! read was the cause, by the time between, and how sure that is. Refuses: to tell where too much happens at once, and where
//! it has seen too little.
//!
//! The odds of a cause are how often one lies so far back because it is one; against it stand the others, and that the
//! cause is none of them and these are there by chance.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use wirespan_span::span::{Key, Nanos};

use crate::{
    delays::{Delays, LONGEST},
    remaining::Read,
};

/// Things read that one process is remembered for. Where more are within reach, time tells nothing.
const MAX_CAUSES: usize = 128;

/// Processes that are looked at.
const MAX_PROCESSES: usize = 256;

/// Effects that must have been seen.
const ENOUGH: f32 = 128.0;

/// Effects that must have been seen before it is said how far back causes lie.
const MANY: f32 = 512.0;

/// Nothing is surer: some things happen that this knows nothing of.
pub(crate) const SUREST: f32 = 0.99;

/// Share of effects that may always have a cause that is not seen.
const UNSEEN: f32 = 0.02;

/// How many times further back than most causes some lie.
pub(crate) const FEW: u64 = 2;

/// Something that a process read.
#[derive(Clone, Copy, Debug)]
struct Cause {
    time: Nanos,
    /// The request, or the call whose response it is.
    key: Key,
    response: bool,
    /// Of a response, when its call was made.
    since: Nanos,
    /// The request that it belongs to, where that is known.
    request: Option<Key>,
}

/// The likely cause of a call or an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reason {
    /// The call whose response it was; `None`: the request itself.
    pub(crate) call: Option<Key>,
    /// The request, where that is known.
    pub(crate) request: Option<Key>,
    /// How sure that is, 0 to 1.
    pub(crate) confidence: f32,
}

/// Effects of one kind, by what they may follow.
#[derive(Debug, Default)]
struct Effects {
    requests: Delays,
    responses: Delays,
}

#[derive(Debug, Default)]
struct Process {
    causes: VecDeque<Cause>,
    /// When the last one was forgotten for want of room.
    forgot: Option<Nanos>,
    calls: Effects,
    answers: Effects,
}

/// What processes read, and how soon they go on. Bounded.
#[derive(Debug, Default)]
pub(crate) struct Timing(FxHashMap<u32, Process>);

impl Timing {
    /// From now on, looks at this process.
    pub(crate) fn watch(&mut self, pid: u32) {
        if self.0.len() < MAX_PROCESSES {
            self.0.entry(pid).or_default();
        }
    }

    /// A process read a request.
    pub(crate) fn reads(&mut self, pid: u32, request: Key, time: Nanos) {
        let cause = Cause { time, key: request, response: false, since: time, request: Some(request) };
        self.caused(pid, cause);
    }

    /// It read the response to a call that it made at `since`, for this request where that is known.
    pub(crate) fn responded(&mut self, pid: u32, call: (Key, Nanos), time: Nanos, request: Option<Key>) {
        self.caused(pid, Cause { time, key: call.0, response: true, since: call.1, request });
    }

    /// It is known by now for which request this call was.
    pub(crate) fn known(&mut self, pid: u32, call: Key, request: Key) {
        let causes = self.0.get_mut(&pid).map(|process| &mut process.causes);
        if let Some(cause) = causes.and_then(|causes| causes.iter_mut().rfind(|cause| cause.key == call)) {
            cause.request = Some(request);
        }
    }

    /// A request was answered: it is no cause any more, nor is what was called for it.
    pub(crate) fn leave(&mut self, pid: u32, request: Key) {
        if let Some(process) = self.0.get_mut(&pid) {
            process.causes.retain(|cause| cause.request != Some(request));
        }
    }

    /// The process ended.
    pub(crate) fn forget(&mut self, pid: u32) {
        self.0.remove(&pid);
    }

    /// The process made a call. Why?
    pub(crate) fn calls(&mut self, pid: u32, time: Nanos) -> Option<Reason> {
        let process = self.0.get_mut(&pid)?;
        process.reach(time)?;
        process.calls.judge(process.causes.iter(), time)
    }

    /// The process answers a request that it read at `since`. Why now?
    pub(crate) fn answers(&mut self, pid: u32, request: Key, since: Nanos, time: Nanos) -> Option<Reason> {
        let process = self.0.get_mut(&pid)?;
        process.reach(time)?;
        let may = |cause: &&Cause| match cause.request {
            Some(of) => of == request,
            None => cause.since >= since,
        };
        process.answers.judge(process.causes.iter().filter(may), time)
    }

    /// What may have led to a call at this time; `None` where that is not known.
    pub(crate) fn before_call(
        &mut self,
        pid: u32,
        time: Nanos,
        follows_responses: bool,
    ) -> Option<impl Iterator<Item = Read>> {
        self.before(pid, time, move |process| process.calls.reach(follows_responses))
    }

    /// The same of an answer.
    pub(crate) fn before_answer(&mut self, pid: u32, time: Nanos) -> Option<impl Iterator<Item = Read>> {
        self.before(pid, time, |process| process.answers.reach(true))
    }

    /// How far back the causes of calls lie, but for a few, ns.
    pub(crate) fn reach(&self, pid: u32, follows_responses: bool) -> Option<u64> {
        self.0.get(&pid)?.calls.reach(follows_responses)
    }

    fn before(
        &mut self,
        pid: u32,
        time: Nanos,
        reach: impl FnOnce(&Process) -> Option<u64>,
    ) -> Option<impl Iterator<Item = Read>> {
        let process = self.0.get_mut(&pid)?;
        process.reach(time)?;
        let reach = FEW * reach(process)?;
        let causes = process.causes.iter();
        let those = causes.filter(move |cause| cause.time <= time && time.since(cause.time) < reach);
        Some(those.map(|cause| (cause.request, cause.response.then_some(cause.key), cause.time)))
    }

    fn caused(&mut self, pid: u32, cause: Cause) {
        let Some(process) = self.0.get_mut(&pid) else { return };
        if process.causes.len() >= MAX_CAUSES
            && let Some(oldest) = process.causes.pop_front()
        {
            process.forgot = Some(oldest.time);
        }
        process.causes.push_back(cause);
    }
}

impl Process {
    /// Forgets what is too far back; `None` where not all that is within reach is known.
    fn reach(&mut self, now: Nanos) -> Option<()> {
        while self.causes.front().is_some_and(|cause| now.since(cause.time) >= LONGEST) {
            self.causes.pop_front();
        }
        self.forgot.is_none_or(|forgot| now.since(forgot) >= LONGEST).then_some(())
    }
}

impl Effects {
    /// One more effect, after one of these causes or none of them.
    fn judge<'a>(&mut self, causes: impl Iterator<Item = &'a Cause> + Clone, time: Nanos) -> Option<Reason> {
        let causes = causes.filter(|cause| cause.time <= time);
        let delays = |response| {
            let kind = causes.clone().filter(move |cause| cause.response == response);
            kind.map(|cause| time.since(cause.time))
        };
        self.requests.learn(delays(false));
        self.responses.learn(delays(true));
        if self.requests.effects() < ENOUGH {
            return None;
        }
        let (requests, responses) = (delays(false).next().is_some(), delays(true).next().is_some());
        let odds = |cause: &Cause| self.of(cause.response).causal(time.since(cause.time));
        let best = causes.clone().max_by(|a, b| odds(a).total_cmp(&odds(b)))?;
        // In a crowd one thing follows sooner upon the other: what came later is at least as likely.
        let rival = |cause: &Cause| odds(cause).max(if cause.time > best.time { odds(best) } else { 0.0 });
        let all: f32 = causes.map(rival).sum();
        let by_chance = self.none(requests, responses);
        let confidence = SUREST * odds(best) / (all + by_chance).max(f32::MIN_POSITIVE);
        Some(Reason { call: best.response.then_some(best.key), request: best.request, confidence })
    }

    /// How far back causes lie, responses among them or not, ns; `None` where too little was seen.
    fn reach(&self, of_responses: bool) -> Option<u64> {
        let responses = if of_responses { self.responses.reach() } else { 0 };
        let reach = self.requests.reach().max(responses);
        (self.requests.effects() >= MANY).then_some(reach)
    }

    /// The odds that the cause is none that is there.
    fn none(&self, requests: bool, responses: bool) -> f32 {
        let kinds = [(requests, &self.requests), (responses, &self.responses)];
        let there = || kinds.iter().filter(|(there, _)| *there).map(|(_, delays)| *delays);
        let explained: f32 = there().map(Delays::explained).sum();
        let chance: f32 = there().map(Delays::chance).sum();
        (1.0 - explained).max(UNSEEN) * chance
    }

    const fn of(&self, response: bool) -> &Delays {
        if response { &self.responses } else { &self.requests }
    }
}
