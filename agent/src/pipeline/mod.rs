//! The road of the data, wired: events in, traces out. One thread, no waiting; all I/O is the look-up of processes.
//! The same road for the live kernel and for whatever else gives events.

mod failure;
mod own;
mod sampling;
#[cfg(test)]
mod tests;
mod tracked;
mod unrecognised;
mod verdicts;

use std::sync::Arc;

use rustc_hash::FxHashSet;
use wirespan_connection::{
    connection::{Connection, Fate},
    connections::Connections,
};
use wirespan_proto::event::{Change, Cookie, Data, Direction, Event, Life, Nanos, Policy};
use wirespan_protocol::exchange::{Ending, Output};
use wirespan_span::{
    Clock, Spans,
    resource::Resource,
    span::{Activity, Role},
};
use wirespan_trace::{Traces, trace::Trace};

use self::{own::Own, sampling::Sampling, tracked::Tracked, unrecognised::Unrecognised, verdicts::Verdicts};
use crate::{filter::Filter, process::Processes};

pub use self::unrecognised::{Group, Total};

/// What the pipeline wants the kernel to do.
pub trait Orders {
    /// From now on, copy so much of this connection.
    fn policy(&mut self, cookie: Cookie, policy: Policy);
    /// From now on, look at this process, or leave it alone.
    fn verdict(&mut self, pid: u32, capture: bool);
    /// From now on, tell of the births and ends of this process's threads.
    fn follow(&mut self, pid: u32);
    /// From now on, tell of its wake-ups, too, or no longer.
    fn wakes(&mut self, pid: u32, told: bool);
}

/// How every stage is set up.
pub struct Settings {
    /// The connection stage.
    pub connections: wirespan_connection::limits::Limits,
    /// The protocol stage.
    pub protocol: wirespan_protocol::settings::Settings,
    /// The span stage.
    pub spans: Spans,
    /// The trace stage.
    pub traces: wirespan_trace::settings::Settings,
    /// Which processes.
    pub filter: Filter,
    /// Our own process, never shown; 0 where events are not of this host.
    pub own_pid: u32,
}

/// Counters of every stage, at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// The connection stage.
    pub connections: wirespan_connection::counters::Counters,
    /// The trace stage.
    pub traces: wirespan_trace::settings::Counters,
    /// Exchanges finished.
    pub exchanges: u64,
    /// Connections given up because a parser failed on them.
    pub panics: u64,
    /// Connections of protocols that were not recognised.
    pub unrecognised: Total,
    /// Times that a connection was left out, because there was no time for it.
    pub left_out: u64,
    /// Share of connections that is shown now, 0 to 1.
    pub share: f64,
}

/// Processes whose threads are followed; there are as many places in the kernel's table.
const MAX_FOLLOWED: usize = 4096;

/// What the stages hold, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Connections that are followed.
    pub connections: usize,
    /// Captured bytes that wait for the rest of their message.
    pub stream_bytes: usize,
    /// Spans that are open, or wait for the rest of their trace.
    pub spans: usize,
}

/// All stages.
pub struct Pipeline {
    connections: Connections<Tracked>,
    road: Road,
}

/// The stages behind the connections, and what they share.
struct Road {
    protocol: wirespan_protocol::settings::Settings,
    spans: Spans,
    traces: Traces,
    processes: Processes,
    verdicts: Verdicts,
    own: Own,
    own_pid: u32,
    /// Processes that answer requests: their threads are followed.
    followed: FxHashSet<u32>,
    clock: Clock,
    unrecognised: Unrecognised,
    sampling: Sampling,
    exchanges: u64,
    panics: u64,
    outputs: Vec<Output>,
    done: Vec<Trace>,
}

impl Pipeline {
    /// Ready for the first event.
    #[must_use]
    pub fn new(settings: Settings, processes: Processes) -> Self {
        Self {
            connections: Connections::new(settings.connections),
            road: Road {
                protocol: settings.protocol,
                spans: settings.spans,
                traces: Traces::new(settings.traces),
                processes,
                verdicts: Verdicts::new(settings.filter),
                own: Own::default(),
                own_pid: settings.own_pid,
                followed: FxHashSet::default(),
                clock: Clock::default(),
                unrecognised: Unrecognised::default(),
                sampling: Sampling::default(),
                exchanges: 0,
                panics: 0,
                outputs: Vec::new(),
                done: Vec::new(),
            },
        }
    }

    /// Takes one event. `clock` tells the time of day of the spans that it ends. False: its bytes are those of a
    /// process that the filters leave out.
    pub fn event(&mut self, event: &Event<'_>, clock: Clock, orders: &mut impl Orders) -> bool {
        let Self { connections, road } = self;
        road.clock = clock;
        let passes = road.before(event, orders);
        if passes {
            connections.accept(event, |connection| road.visit(connection, orders));
        }
        passes || !matches!(event, Event::Data(_))
    }

    /// Does what the time asks for. To be called every few milliseconds while events come, and at least every 100 ms.
    pub fn sweep(&mut self, now: Nanos, clock: Clock, orders: &mut impl Orders) {
        let Self { connections, road } = self;
        road.clock = clock;
        connections.sweep(now, |connection| {
            road.guarded(connection, |road, connection| road.tick(connection, now));
            // Most are at rest, and a sweep comes every few milliseconds.
            if !connection.is_at_rest() || !road.outputs.is_empty() {
                road.visit(connection, orders);
            } else if !connection.state.ours {
                road.shows(connection, orders);
            }
        });
        road.traces.sweep(now, &mut road.done);
        for order in road.traces.wake_orders() {
            orders.wakes(order.pid, order.told);
        }
    }

    /// Ends: gives out everything that is finished, whatever it waits for, and counts what is still open and was not
    /// recognised.
    pub fn flush(&mut self) {
        let Self { connections, road } = self;
        road.traces.flush(&mut road.done);
        connections.each(|connection| {
            let state = &connection.state;
            if !(state.recognised() || state.ours || state.left_out || connection.is_over()) {
                road.count(connection);
            }
        });
    }

    /// How many traces [`take`](Self::take) would give.
    #[must_use]
    pub const fn done(&self) -> usize {
        self.road.done.len()
    }

    /// The traces finished since the last call.
    pub fn take(&mut self) -> Vec<Trace> {
        std::mem::take(&mut self.road.done)
    }

    /// The processes that spans are of.
    pub const fn processes(&mut self) -> &mut Processes {
        &mut self.road.processes
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            connections: *self.connections.counters(),
            traces: *self.road.traces.counters(),
            exchanges: self.road.exchanges,
            panics: self.road.panics,
            unrecognised: self.road.unrecognised.total(),
            left_out: self.road.sampling.left_out(),
            share: self.road.sampling.share(),
        }
    }

    /// From now on, show this share of connections, 0 to 1, each of them whole.
    pub const fn show(&mut self, share: f64) {
        self.road.sampling.set(share);
        self.road.spans.show(share);
    }

    /// What is held now.
    #[must_use]
    pub fn held(&self) -> Held {
        Held {
            connections: self.connections.len(),
            stream_bytes: self.connections.held_bytes(),
            spans: self.road.traces.held(),
        }
    }

    /// From now on, these processes and this redaction. Spans that are finished stay as they are.
    pub fn reload(&mut self, filter: Filter, spans: Spans, orders: &mut impl Orders) {
        self.road.verdicts.replace(filter, orders);
        self.road.spans = spans;
        self.road.spans.show(self.road.sampling.share());
    }

    /// Connections of unrecognised protocols, by peer, the largest first.
    #[must_use]
    pub fn unrecognised(&self) -> Vec<Group> {
        self.road.unrecognised.groups()
    }
}

impl Road {
    /// What concerns processes and ourselves. False: the connection stage shall not see it.
    fn before(&mut self, event: &Event<'_>, orders: &mut impl Orders) -> bool {
        match event {
            Event::Data(data) => self.wanted(data, orders),
            Event::Life(life) => self.life(life),
            Event::Exec(exec) => {
                self.processes.exec(exec);
                self.verdicts.forget(exec.pid, orders);
                self.traces.ended(exec.pid);
                false
            }
            Event::Fork(fork) => {
                self.processes.fork(fork);
                false
            }
            Event::Exit(exit) => {
                self.processes.exit(exit);
                self.verdicts.forget(exit.pid, orders);
                self.followed.remove(&exit.pid);
                self.traces.ended(exit.pid);
                false
            }
            Event::Birth(birth) => {
                self.traces.born(birth.tid, birth.by, birth.time);
                false
            }
            Event::Death(death) => {
                self.traces.died(death.pid, death.tid, death.time);
                false
            }
            Event::Wake(wake) => {
                self.traces.woke(wake.by, wake.tid, wake.address, wake.time);
                false
            }
        }
    }

    fn wanted(&mut self, data: &Data<'_>, orders: &mut impl Orders) -> bool {
        self.verdicts.captures(data.task.pid, data.cgroup, &mut self.processes, orders)
    }

    fn life(&mut self, life: &Life) -> bool {
        if self.own_pid != 0 && life.task.pid == self.own_pid {
            self.own.learn(life);
            return false;
        }
        if life.change == Change::Connecting {
            self.traces.connecting(life.socket.cookie, life.task, life.time);
        }
        true
    }

    /// Lets the later stages read what a connection has.
    fn visit(&mut self, connection: &mut Connection<Tracked>, orders: &mut impl Orders) {
        if !connection.state.looked {
            connection.state.looked = true;
            connection.state.ours = self.own.is_other_end(&connection.facts.socket);
        }
        if connection.state.ours {
            // The other end of our own exports: showing it would make more of them.
            self.order(connection, Policy::Ignore, orders);
            tracked::skip(connection);
            return;
        }
        if !self.shows(connection, orders) {
            tracked::skip(connection);
            return;
        }
        self.guarded(connection, Self::parse);
        let policy = connection.state.session.policy();
        self.order(connection, policy, orders);
        self.pass_on(orders);
    }

    /// Is there time for this connection? One is left out, and taken in again, where no exchange on it is open.
    fn shows(&mut self, connection: &mut Connection<Tracked>, orders: &mut impl Orders) -> bool {
        let admitted = self.sampling.admits(&connection.facts.socket);
        let state = &connection.state;
        if !state.left_out && (admitted || state.open > 0) {
            return true;
        }
        if state.left_out && (admitted || connection.is_over()) {
            connection.state.left_out = false;
            connection.begin_anew();
            self.order(connection, Policy::Undecided, orders);
            return !connection.is_over();
        }
        if !state.left_out {
            self.sampling.leave_out();
            connection.state =
                Tracked { looked: true, left_out: true, policy: state.policy, ..Tracked::default() };
            self.order(connection, Policy::Ignore, orders);
        }
        false
    }

    /// Lets a parser work. Should it fail, its connection is no longer followed; all others are.
    fn guarded(
        &mut self,
        connection: &mut Connection<Tracked>,
        step: impl FnOnce(&mut Self, &mut Connection<Tracked>),
    ) {
        let silent = self.panics > 0;
        if failure::panics(silent, || step(self, connection)) {
            self.abandon(connection);
        }
    }

    fn parse(&mut self, connection: &mut Connection<Tracked>) {
        let over = ending(connection);
        let (facts, state, received, sent) = connection.split();
        state.session.advance(&self.protocol, facts, received, sent, &mut self.outputs);
        let known = state.session.protocol().is_some();
        if let Some((ending, time)) = over {
            state.session.finish(&self.protocol, facts, ending, time, &mut self.outputs);
        }
        let (mut opened, mut ended) = (0, 0);
        for output in &self.outputs {
            match output {
                Output::Opened(_) => opened += 1,
                Output::Closed(_) => {
                    ended += 1;
                    state.answered = true;
                }
                Output::Withdrawn(_) => ended += 1,
                Output::Resumed(_) | Output::Answering(_) => {}
            }
        }
        state.open = (state.open + opened).saturating_sub(ended);
        if over.is_some() && !known && !state.recognised() {
            self.count(connection);
        }
    }

    fn tick(&mut self, connection: &mut Connection<Tracked>, now: Nanos) {
        let (facts, state, ..) = connection.split();
        state.session.tick(&self.protocol, facts, now, &mut self.outputs);
    }

    fn abandon(&mut self, connection: &mut Connection<Tracked>) {
        self.panics += 1;
        connection.state = Tracked { looked: true, ours: true, ..Tracked::default() };
        if self.panics == 1 {
            eprintln!(
                "wirespan: a parser failed on a connection, which is no longer followed; please report the \
                 message above. Further ones are only counted."
            );
        }
    }

    fn order(&self, connection: &mut Connection<Tracked>, policy: Policy, orders: &mut impl Orders) {
        if connection.state.policy != policy {
            connection.state.policy = policy;
            orders.policy(connection.facts.socket.cookie, policy);
        }
    }

    fn count(&mut self, connection: &mut Connection<Tracked>) {
        let seen = connection.half(Direction::Received).seen() + connection.half(Direction::Sent).seen();
        let (bytes, until) = match connection.fate() {
            Fate::Closed(closed) => (seen.max(closed.sent + closed.received), closed.time),
            _ => (seen, connection.used()),
        };
        let facts = &connection.facts;
        self.unrecognised.count(facts, bytes, until.since(facts.opened));
    }

    fn pass_on(&mut self, orders: &mut impl Orders) {
        for output in self.outputs.drain(..) {
            self.exchanges += u64::from(matches!(output, Output::Closed(_)));
            let activity = self.spans.accept(output, self.clock, &mut Look(&mut self.processes));
            if let Activity::Started(start) = &activity
                && matches!(start.role, Role::Server | Role::Consumer)
                && self.followed.len() < MAX_FOLLOWED
                && self.followed.insert(start.task.pid)
            {
                orders.follow(start.task.pid);
            }
            self.traces.accept(activity, &mut self.done);
        }
    }
}

/// How a connection that is over ended, and when.
fn ending(connection: &Connection<Tracked>) -> Option<(Ending, Nanos)> {
    match connection.fate() {
        Fate::Open | Fate::Closing(_) => None,
        Fate::Closed(closed) if closed.error == 0 => Some((Ending::Closed, closed.time)),
        Fate::Closed(closed) => Some((Ending::Broken(closed.error), closed.time)),
        Fate::Forgotten => Some((Ending::Lost, connection.used())),
    }
}

/// Lets the span stage ask for processes.
struct Look<'a>(&'a mut Processes);

impl wirespan_span::Processes for Look<'_> {
    fn resource(&mut self, pid: u32, cgroup: u64) -> Arc<Resource> {
        self.0.resource(pid, cgroup)
    }
}
