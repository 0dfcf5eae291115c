//! Comes in: [`Activity`] in the order of time. Goes out: [`Trace`]s. Holds every span from its start until it is
//! given on.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;
use wirespan_span::span::{Activity, Cookie, Key, Nanos, Span, Start, Task};

use crate::{
    assembly::{GroupId, Groups},
    connects::{Connects, Opened},
    echoes::Echoes,
    habits::{Deed, Habits},
    handovers::Handovers,
    header,
    ids::Ids,
    lineage::Lineage,
    messages::Messages,
    node::{Ancestor, Node},
    order,
    placing::Forwarded,
    queues::Queues,
    room,
    settings::{Counters, Settings},
    starts::{Did, Starts},
    suspects::Suspects,
    tasks::Tasks,
    threads::{Sight, Situation, Step, ThreadKey, Threads},
    timing::Timing,
    trace::{Method, Trace, TracedSpan},
    wire::{End, Wires},
};

/// Threads that one request is remembered on, besides the one that read it.
const MAX_RESUMED: usize = 8;

/// A process whose threads seem to hand work to each other: its wake-ups would tell for whom. Or they turned out not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeOrder {
    /// The process.
    pub pid: u32,
    /// Are they to be told?
    pub told: bool,
}

/// Links spans and assembles traces. No clock: time is what the activities and [`Traces::sweep`] say.
#[derive(Debug)]
pub struct Traces {
    pub(crate) settings: Settings,
    pub(crate) counters: Counters,
    pub(crate) ids: Ids,
    /// Boxed: a table of what is large and moves often is slow.
    pub(crate) nodes: FxHashMap<Key, Box<Node>>,
    pub(crate) wires: Wires,
    pub(crate) threads: Threads,
    pub(crate) tasks: Tasks,
    pub(crate) queues: Queues,
    pub(crate) habits: Habits,
    pub(crate) connects: Connects,
    pub(crate) lineage: Lineage,
    pub(crate) messages: Messages,
    pub(crate) forwarded: Forwarded,
    pub(crate) handovers: Handovers,
    pub(crate) echoes: Echoes,
    pub(crate) timing: Timing,
    pub(crate) suspects: Suspects,
    pub(crate) starts: Starts,
    pub(crate) wake_orders: Vec<WakeOrder>,
    pub(crate) groups: Groups,
    /// The latest moment heard of.
    pub(crate) now: Nanos,
}

impl Traces {
    /// Nothing held yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            ids: Ids::new(&settings),
            threads: Threads::new(settings.max_threads),
            tasks: Tasks::new(settings.max_threads),
            queues: Queues::default(),
            habits: Habits::new(settings.max_processes),
            connects: Connects::new(settings.max_connects),
            lineage: Lineage::new(settings.max_threads),
            handovers: Handovers::new(settings.max_threads),
            messages: Messages::new(settings.max_messages),
            settings,
            counters: Counters::default(),
            nodes: FxHashMap::default(),
            wires: Wires::default(),
            forwarded: Forwarded::default(),
            wake_orders: Vec::new(),
            echoes: Echoes::default(),
            timing: Timing::default(),
            suspects: Suspects::default(),
            starts: Starts::default(),
            groups: Groups::default(),
            now: Nanos::default(),
        }
    }

    /// Takes one word of the span stage. Traces that are due go to `out`.
    pub fn accept(&mut self, activity: Activity, out: &mut Vec<Trace>) {
        match activity {
            Activity::Started(start) => self.started(start, out),
            Activity::Resumed { key, time, task } => self.resumed(key, time, task),
            Activity::Answering { key, time, task } => self.answering(key, time, task),
            Activity::Finished(span) => self.finished(span, out),
            Activity::Withdrawn(key) => self.withdrawn(key),
        }
        self.spread();
        self.exhaust();
        self.give_due(out);
    }

    /// A thread called `connect` on this socket. Call it between the activities, at its place in time.
    pub fn connecting(&mut self, cookie: Cookie, task: Task, time: Nanos) {
        self.heard(time);
        let request = self.opens_for(task, time);
        let opened = Opened { time, request, sight: self.threads.look(task) };
        if !self.connects.open(cookie, opened) {
            self.counters.connects_full += 1;
        }
    }

    /// `maker` made a thread of its process. Call it between the activities, at its place in time.
    pub fn born(&mut self, tid: u32, maker: Task, time: Nanos) {
        self.heard(time);
        let work =
            self.by_task(maker, time, Deed::Call).map(|evidence| (evidence.server, evidence.confidence));
        let inherited = self.lineage.of(maker.into());
        let work = work.or(inherited).filter(|(server, _)| self.working(*server, maker.pid, time));
        if let Some((server, confidence)) = work
            && !self.lineage.born(ThreadKey::thread(maker.pid, tid), server, confidence)
        {
            self.counters.threads_full += 1;
        }
    }

    /// A thread ended: what it called, it called for what it was made for.
    pub fn died(&mut self, pid: u32, tid: u32, time: Nanos) {
        self.heard(time);
        self.handovers.leave(ThreadKey::thread(pid, tid));
        self.threads.died(ThreadKey::thread(pid, tid));
        let Some(heir) = self.lineage.leave(ThreadKey::thread(pid, tid)) else { return };
        if !heir.calls.is_empty() {
            self.habits.of(pid).inherited(true);
        }
        for call in heir.calls {
            self.place_late(call, heir.server, Method::Handoff, heir.confidence);
        }
    }

    /// Whose wake-ups [`Traces::woke`] wants to hear of from now on, and whose no longer.
    pub fn wake_orders(&mut self) -> impl Iterator<Item = WakeOrder> {
        self.wake_orders.drain(..)
    }

    /// It is `now`: gives out what has waited long enough. To be called a few times per grace period.
    pub fn sweep(&mut self, now: Nanos, out: &mut Vec<Trace>) {
        self.heard(now);
        self.connects.expire(Nanos(self.now.0.saturating_sub(self.settings.connect_ns)));
        self.messages.expire(Nanos(self.now.0.saturating_sub(self.settings.message_ns)));
        self.give_due(out);
        room::fit(&mut self.nodes);
        self.wires.fit();
        self.groups.fit();
    }

    /// Gives out all that is finished. What is open is forgotten, and nothing given out refers to it.
    pub fn flush(&mut self, out: &mut Vec<Trace>) {
        let open: Vec<_> = self.nodes.values().filter(|node| node.open()).map(|node| node.key).collect();
        self.counters.unfinished += open.len() as u64;
        for key in open {
            self.forget(key);
        }
        for group in self.groups.names() {
            self.give(group, out);
        }
    }

    /// What was done so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Spans held now, open and finished.
    #[must_use]
    pub fn held(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn heard(&mut self, time: Nanos) {
        self.now = self.now.max(time);
    }

    fn started(&mut self, start: Start, out: &mut Vec<Trace>) {
        self.heard(start.time);
        // The guess of a protocol was wrong and its withdrawal lost: the later guess counts.
        let known = self.nodes.contains_key(&start.key);
        if known {
            self.withdrawn(start.key);
        }
        if (known && self.nodes.contains_key(&start.key)) || !self.room(out) {
            self.counters.untracked += 1;
            return;
        }
        let node = self.node(&start);
        match node.end() {
            End::Answers => self.place_answer(node, start.task, &start.socket),
            End::Asks => self.place_question(node, start.task),
        }
    }

    /// Gives on what has waited longest where the table is full. `false` where all that is held is open.
    fn room(&mut self, out: &mut Vec<Trace>) -> bool {
        while self.nodes.len() >= self.settings.max_spans {
            let Some(group) = self.groups.due(self.now, 0, 0) else { return false };
            self.counters.hurried += 1;
            self.give(group, out);
        }
        true
    }

    fn resumed(&mut self, key: Key, time: Nanos, task: Task) {
        self.heard(time);
        self.mark(task, time, Did::Response(key));
        self.no_longer_awaited(key);
        self.suspects.responded(key);
        let Some(node) = self.nodes.get(&key) else { return };
        let server = node.server.filter(|server| self.working(*server, task.pid, time));
        let sure = server.is_some() && node.sure;
        self.timing.responded(node.pid, (key, node.start), time, server.filter(|_| sure));
        if let Some(calling) = self.threads.calling(task) {
            self.habits.of(task.pid).read_response(calling == key);
        }
        // What it does next may be the next one's in the queue.
        if self.handovers.responded(task.into(), key) {
            return;
        }
        if !self.threads.read(task, Step { request: server, call: Some(key), sure }, time) {
            self.counters.threads_full += 1;
        }
        if let Some(server) = server.and_then(|server| self.nodes.get_mut(&server))
            && server.thread != task.into()
            && !server.resumed_on.contains(&task.into())
        {
            // The thread of the longest ago is the first to have moved on.
            if server.resumed_on.len() >= MAX_RESUMED {
                let oldest = server.resumed_on.remove(0);
                self.threads.leave(oldest, server.key);
            }
            server.resumed_on.push(task.into());
        }
    }

    /// The response to a call came, or will not come.
    fn no_longer_awaited(&mut self, call: Key) {
        let Some(call) = self.nodes.get_mut(&call).filter(|call| call.awaited) else { return };
        call.awaited = false;
        if let Some(server) = call.server.and_then(|server| self.nodes.get_mut(&server)) {
            server.awaits = server.awaits.saturating_sub(1);
        }
    }

    /// An example with a known solution: the thread works on this request now. What it called for an unknown one may have
    /// been for this.
    fn answering(&mut self, key: Key, time: Nanos, task: Task) {
        self.heard(time);
        self.mark(task, time, Did::Wrote);
        if self.hands_out(task) {
            self.threads.has_answered(task);
        }
        if !self.working(key, task.pid, time) {
            return;
        }
        if let Some(by_reader) = self.tasks.has(task, key) {
            self.habits.of(task.pid).read_and_answered(by_reader);
        }
        let known = self.tasks.answers(task, key);
        let working = |bound: Key| bound == key || self.working(bound, task.pid, time);
        let bound = known.bound.filter(|(bound, _)| working(*bound));
        let habit = self.habits.of(task.pid);
        if let Some((bound, awaited)) = bound {
            habit.kept(awaited, bound == key);
        }
        known.again.into_iter().for_each(|again| habit.served(false, again));
        known.again_below.into_iter().for_each(|again| habit.served(true, again));
        // Of several answers that were held back it cannot be said which one the thread worked on.
        let batched = self.queues.answers(key, time);
        let habit = self.habits.of(task.pid);
        if batched {
            habit.has_held_back();
        }
        let unclear = habit.holds_back() && (batched || self.queues.behind(key));
        self.rules_out(key, task, (!unclear).then_some(time));
        if let Some(sight) = self.threads.look(task).filter(|_| !unclear) {
            self.learn(&sight, key, task.pid);
        }
        let call = self.threads.calling(task).and_then(|call| self.nodes.get(&call));
        let unanswered = call.filter(|call| call.open()).and_then(|call| call.server);
        let habit = self.habits.of(task.pid);
        if self.threads.batched(task, time) || unanswered == Some(key) {
            habit.works_ahead();
        }
        let (confidence, keeps) = (habit.blocks(), [false, true].map(|awaited| habit.keeps(awaited)));
        let waited = self.threads.answers(task, key, time);
        // Nor for which of them it had called.
        if !unclear {
            for (call, awaited) in known.calls {
                let keeps = keeps[usize::from(awaited)];
                if keeps >= self.settings.min_confidence {
                    self.told_later(call, key);
                }
                self.place_late(call, key, Method::Task, keeps);
            }
            for call in waited {
                self.place_late(call, key, Method::Task, confidence);
            }
        }
        // Nor when it would have been written without the others.
        if !unclear {
            self.answers_in_time(key, time);
        }
    }

    /// The answer that was to tell for whom a call was is that to this request.
    fn told_later(&mut self, call: Key, request: Key) {
        self.suspects.settle(call, request);
        if let Some(node) = self.nodes.get_mut(&call).filter(|node| node.parent.is_none()) {
            node.later = false;
            self.habits.of(node.pid).told_later(true);
        }
    }

    fn learn(&mut self, sight: &Sight, answered: Key, pid: u32) {
        let habit = self.habits.of(pid);
        let works_on =
            habit.follow(sight, Deed::Answer).filter(|(_, trust)| *trust >= self.settings.min_confidence);
        match works_on {
            Some((Step { call: Some(call), sure: false, .. }, trust)) => {
                let confidence = trust.min(habit.passes_on());
                self.place_chain(call, answered, confidence);
            }
            Some((Step { call: Some(call), request, .. }, _)) if sight.sole().is_some() => {
                habit.passed_on(request == Some(answered));
                if habit.passes_on() >= self.settings.min_confidence {
                    self.confirm(call, answered);
                }
            }
            _ => {}
        }
        // Answers to pipelined requests come in order, in whichever order the program works.
        if sight.situation != Situation::Pipelined {
            self.habits.of(pid).did(Deed::Answer, sight, answered);
        }
    }

    fn finished(&mut self, span: Box<Span>, out: &mut Vec<Trace>) {
        let end = span.boot.1;
        self.heard(end);
        self.sent(&span);
        let Some(node) = self.nodes.get_mut(&span.key).filter(|node| node.open()) else {
            return self.unannounced(span, out);
        };
        let (key, group, pid, opener) = (node.key, node.group, node.pid, node.opener);
        node.links.extend(span.links.iter().filter_map(|headers| header::link(headers)));
        node.span = Some(span);
        if let Some(opener) = opener {
            // A call is over before the request that it was made for is answered, or rarely not.
            let still_open = self.nodes.get(&opener).is_some_and(|server| server.open());
            self.habits.of(pid).handed(still_open);
        }
        self.no_longer_awaited(key);
        self.answered(key);
        if self.groups.finished(group, self.now) >= self.settings.max_trace_spans {
            self.give(group, out);
        }
    }

    /// A span whose start was not tracked goes on alone.
    fn unannounced(&mut self, span: Box<Span>, out: &mut Vec<Trace>) {
        self.counters.unannounced += 1;
        let identity = self.ids.unique(span.key);
        let (id, span_id) =
            (self.ids.trace(identity, span.key), self.ids.span(identity, span.key, End::of(span.role)));
        let links = span.links.iter().filter_map(|headers| header::link(headers)).collect();
        let (trace_state, trace_flags) = (String::new(), header::SAMPLED);
        let span = TracedSpan { span_id, parent: None, links, trace_state, trace_flags, span };
        self.put(Trace { id, spans: vec![span] }, out);
    }

    fn withdrawn(&mut self, key: Key) {
        if self.forget(key) {
            self.counters.withdrawn += 1;
        }
    }

    /// As if it had never been seen. Who named it as parent loses it, and falls back to its own context.
    fn forget(&mut self, key: Key) -> bool {
        if !self.nodes.get(&key).is_some_and(|node| node.open()) {
            return false;
        }
        self.answered(key);
        let Some(node) = self.nodes.remove(&key) else { return false };
        self.wires.release(node.identity, node.end(), key);
        self.groups.leave(node.group, key, true, self.now);
        let Some(group) = self.groups.get(node.group) else { return true };
        for member in &group.members {
            if let Some(child) = self.nodes.get_mut(member)
                && child.parent.is_some_and(|parent| parent.key == Some(key))
            {
                let own = child.context.as_ref().filter(|context| context.trace_id == group.id);
                child.parent = own.and_then(Ancestor::remote);
            }
        }
        true
    }

    /// The context of a request ends with its answer.
    fn answered(&mut self, key: Key) {
        let Some(node) = self.nodes.get_mut(&key).filter(|node| node.end() == End::Answers) else { return };
        // Connections of a process are closed when it has ended.
        if let Some(habit) = self.habits.known(node.pid) {
            habit.closes();
        }
        self.tasks.leave(key);
        self.queues.leave(key);
        self.handovers.answered(node.pid, key);
        self.echoes.leave(node.pid, &node.tokens, key);
        self.timing.leave(node.pid, key);
        self.starts.leave(key);
        let unknown = self.suspects.leave(key);
        self.threads.leave(node.thread, key);
        for thread in std::mem::take(&mut node.resumed_on) {
            self.threads.leave(thread, key);
        }
        if let Some(context) = &node.context {
            let name = (node.pid, context.trace_id, context.span_id);
            if let Some(open) = self.forwarded.get_mut(&name) {
                open.retain(|server| *server != key);
                if open.is_empty() {
                    self.forwarded.remove(&name);
                }
            }
        }
        self.release(unknown);
    }

    fn give_due(&mut self, out: &mut Vec<Trace>) {
        let (grace, wait) = (self.settings.grace_ns, self.settings.wait_ns);
        while let Some(group) = self.groups.due(self.now, grace, wait) {
            self.give(group, out);
        }
    }

    /// Gives on the finished spans of a trace.
    fn give(&mut self, name: GroupId, out: &mut Vec<Trace>) {
        let Some((id, members)) = self.groups.take(name) else { return };
        let (mut open, mut spans) = (Vec::new(), Vec::with_capacity(members.len()));
        for key in members {
            match self.nodes.entry(key) {
                Entry::Occupied(node) if node.get().open() => open.push(key),
                Entry::Occupied(node) => {
                    let node = node.remove();
                    self.wires.release(node.identity, node.end(), node.key);
                    if node.later
                        && let Some(habit) = self.habits.known(node.pid)
                    {
                        habit.told_later(false);
                    }
                    spans.extend(node.traced());
                }
                Entry::Vacant(_) => {}
            }
        }
        let still_open =
            open.iter().filter_map(|key| self.nodes.get(key)).map(|node| (node.span_id, node.start));
        let spans = order::parents_first(spans, still_open.collect());
        self.groups.keep(name, open);
        if !spans.is_empty() {
            self.put(Trace { id, spans }, out);
        }
    }

    fn put(&mut self, mut trace: Trace, out: &mut Vec<Trace>) {
        self.link_messages(&mut trace);
        self.counters.parts += 1;
        self.counters.spans += trace.spans.len() as u64;
        for span in &trace.spans {
            *match span.parent.map(|parent| parent.method) {
                None => &mut self.counters.roots,
                Some(Method::Header) => &mut self.counters.header,
                Some(Method::Wire) => &mut self.counters.wire,
                Some(Method::Task) => &mut self.counters.task,
                Some(Method::Handoff) => &mut self.counters.handoff,
                Some(Method::Echo) => &mut self.counters.echo,
                Some(Method::Timing) => &mut self.counters.timing,
            } += 1;
        }
        out.push(trace);
    }
}
