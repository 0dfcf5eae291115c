//! Comes in: a request that was just seen. Goes out: its place, by the rules in the crate's documentation.

use rustc_hash::FxHashMap;
use wirespan_span::span::{Key, Nanos, Socket, Start, Task, Transport};

use crate::{
    assembly::GroupId,
    evidence::{Evidence, Told},
    header::{self, Context},
    node::{Ancestor, Node},
    reasons::agreed,
    starts::Did,
    threads::Step,
    trace::{Link, Method, SpanId, TraceId},
    traces::{Traces, WakeOrder},
    wire::{End, Identity},
};

/// The request carries the context that this one came with; two requests with one context are told apart before.
const FORWARDED: f32 = 0.99;
/// The same addresses and sequence number, or the same two sockets.
const WIRE: f32 = 1.0;
/// Clocks of one host, read at different points of a call: an end that sticks out of its client's by less is cut
/// to it, one that begins earlier by more is no child.
pub(crate) const SKEW_NS: u64 = 1_000_000;

/// Causes looked back on. Nothing that calls itself through more programs of one host is known.
pub(crate) const MAX_DEPTH: usize = 256;

/// Open requests by process and the context that they came with.
pub(crate) type Forwarded = FxHashMap<(u32, TraceId, Option<SpanId>), Vec<Key>>;

impl Traces {
    /// Finds the place of a request that the program answers, which came to this socket.
    pub(crate) fn place_answer(&mut self, mut node: Box<Node>, task: Task, socket: &Socket) {
        let client = self.wires.partner(node.identity, End::Answers);
        node.group = match (client.and_then(|client| self.nodes.get(&client)), &node.context) {
            (Some(client), context) => {
                let (parent, group) = (wire(client), client.group);
                node.parent = Some(parent);
                self.named_by_child(group, context.as_ref())
            }
            (None, Some(context)) => {
                node.parent = Ancestor::remote(context);
                self.groups.named(context.trace_id)
            }
            (None, None) => self.groups.begin(self.ids.trace(node.identity, node.key)),
        };
        self.mark(task, node.start, Did::Request(node.key));
        let habit = self.habits.of(node.pid);
        habit.opens(task.into());
        // A thread that reads requests works for those.
        self.lineage.leave(task.into());
        let step = Step { request: Some(node.key), call: None, sure: true };
        if !self.threads.read(task, step, node.start) {
            self.counters.threads_full += 1;
        }
        self.tasks.reads(task, node.key);
        self.queues.join(node.key);
        self.echoes.reads(node.pid, &node.tokens, node.key);
        self.timing.reads(node.pid, node.key, node.start);
        if self.handovers.reads(node.pid, socket, (node.key, node.start)) {
            self.wake_orders.push(WakeOrder { pid: node.pid, told: true });
        }
        if self.threads.several(task) {
            habit.has_several();
        }
        if let Some(context) = &node.context {
            let name = (node.pid, context.trace_id, context.span_id);
            self.forwarded.entry(name).or_default().push(node.key);
        }
        self.hold(node);
    }

    /// Finds the place of a request that the program makes.
    pub(crate) fn place_question(&mut self, mut node: Box<Node>, task: Task) {
        let own_server = self.wires.partner(node.identity, End::Asks);
        // A program that calls itself may have read the request by now, on the very thread.
        let (new, one_by_one) = (self.tasks.is_new(task), self.one_by_one(task));
        let told = self.told(task, node.start);
        let opened = self.connects.first_use(node.key.cookie);
        let evidence = self.evidence(opened, task, node.start, told);
        let evidence = evidence.filter(|evidence| Some(evidence.server) != own_server);
        let echo = self.echo(&node, evidence).filter(|echo| Some(echo.server) != own_server);
        let own = matches!(told, Told::Nobody | Told::Doubt);
        node.later = matches!(told, Told::Later);
        let tells_later = node.later || one_by_one;
        node.reason = self.reason(&node, opened).filter(|_| !own && !tells_later).map(Box::new);
        // A new connection's first request goes out when it stands: what was read by then does not matter.
        let asks = matches!(told, Told::Nothing) && opened.is_none() && !one_by_one;
        let suspects = if asks { self.may_be_for(task, node.start) } else { None };
        self.mark(task, node.start, Did::Wrote);
        let started = if asks && new { self.started_for(task) } else { None };
        let by_time = self.by_time(&node).filter(|evidence| Some(evidence.server) != own_server);
        let habit = self.habits.of(node.pid);
        // What a call is that builds on such a one says nothing about its kind.
        if !evidence.is_some_and(|evidence| evidence.guessed) {
            let known = [echo, evidence, by_time].into_iter().flatten().map(|evidence| evidence.confidence);
            habit.called(node.shape, known.fold(0.0, f32::max));
        }
        // What the task itself tells is no chance.
        let worth = if matches!(told, Told::Request(_)) { 1.0 } else { habit.worth(node.shape) };
        let evidence = echo.or(evidence.map(|evidence| agreed(evidence, by_time).of_worth(worth)));
        let by_time = by_time.map(|evidence| evidence.of_worth(habit.kind(node.shape)));
        let (evidence, said) = self.weighed((evidence, by_time), suspects.as_deref(), (&node, task));
        let (evidence, suspects, said) = self.by_start(started, (evidence, suspects, said), &node);
        node.server = evidence.map(|evidence| evidence.server);
        node.sure = evidence.is_some_and(|evidence| evidence.confidence >= self.settings.min_confidence);
        if let Some(evidence) = evidence.filter(|_| node.sure) {
            self.tasks.bind(task, evidence.server);
        }
        let sight = matches!(told, Told::Nothing).then(|| self.sight(opened, evidence, task)).flatten();
        node.sight = sight.map(Box::new);
        node.rivals = evidence.and_then(|evidence| evidence.rivals).map(Box::new);
        node.opener = opened.and_then(|opened| opened.request).map(|(server, _)| server);
        node.group = match node.context.clone() {
            Some(context) => self.place_by_header(&mut node, &context, evidence),
            None => self.place_by_evidence(&mut node, evidence),
        };
        let (key, group, sure) = (node.key, node.group, node.sure);
        node.own = own;
        let settled = node.parent.is_some() || own;
        self.awaits(&mut node);
        self.hold(node);
        // What a task does for itself is no work on a request.
        let server = evidence.filter(|_| !own).map(|evidence| evidence.server);
        // Nor is a job that comes of its own accord, whatever it seems to be for.
        let server = server.filter(|server| worth >= 1.0 || sure || self.queues.behind(*server));
        let suspects = suspects.filter(|suspects| worth >= 1.0 && !suspects.is_empty());
        self.suspect((key, new), task, (suspects, said), server.filter(|_| sure));
        self.called(task, key, server.map(|server| (server, sure)), group, settled);
        if let Some(server) = own_server {
            self.bind_late(key, server);
        }
    }

    /// A call is made: the request that it is surely for waits for its response.
    fn awaits(&mut self, call: &mut Node) {
        let Some(server) = call.server.filter(|_| !call.own).and_then(|server| self.nodes.get_mut(&server))
        else {
            return;
        };
        if server.awaits > 0 {
            self.habits.of(call.pid).has_fanned_out();
        }
        if call.sure {
            server.awaits += 1;
            server.asked = true;
            server.calls += 1;
            call.awaited = true;
            self.starts.called(server.key);
        }
    }

    /// Remembers what the thread did. Where nobody knows for whom, an answer may tell: the one that the thread will give,
    /// where its process waits for what it calls, or the one right behind the response.
    fn called(&mut self, task: Task, call: Key, server: Option<(Key, bool)>, group: GroupId, settled: bool) {
        let habit = self.habits.of(task.pid);
        if !habit.answers() {
            return;
        }
        if !settled && habit.unplaced() {
            self.timing.watch(task.pid);
        }
        if server.is_none() && !settled && habit.strange() {
            self.wake_orders.push(WakeOrder { pid: task.pid, told: true });
        }
        let (request, surely) = server.map_or((None, true), |(server, sure)| (Some(server), sure));
        self.threads.calls(task, call, request, surely);
        if self.threads.only(task.into()).is_none() {
            let time = self.nodes.get(&call).map_or(self.now, |node| node.start);
            self.handovers.calls(task.into(), call, time);
        }
        self.lineage.calls(task.into(), call);
        if !settled && let Some(node) = self.nodes.get_mut(&call) {
            node.held = true;
            self.groups.hold(group);
            self.tasks.wonder(task, call);
            if !habit.holds_back() && habit.blocks() >= self.settings.min_confidence {
                self.threads.wonder(task, call);
            }
        }
    }

    fn place_by_header(&mut self, node: &mut Node, context: &Context, evidence: Option<Evidence>) -> GroupId {
        let sure = evidence.filter(|evidence| evidence.confidence >= self.settings.min_confidence);
        if let Some(server) = self.forwarder(node, context, sure) {
            (node.server, node.sure) = (Some(server.key), true);
            node.parent = Some(local(server, Method::Header, FORWARDED));
            return server.group;
        }
        node.parent = Ancestor::remote(context);
        if let Some(evidence) = evidence {
            self.relate(node, context, evidence);
        }
        self.groups.named(context.trace_id)
    }

    /// The request came from the program's own SDK, while the program answered another: within its trace the
    /// request is the parent if the SDK named none; in another trace it becomes a link.
    fn relate(&mut self, node: &mut Node, context: &Context, evidence: Evidence) {
        let Some(server) = self.nodes.get(&evidence.server) else { return };
        let same = self.groups.get(server.group).is_some_and(|group| group.id == context.trace_id);
        if !same {
            let (group, span_id) = (server.group, server.span_id);
            node.links.extend(self.link(group, span_id, evidence));
        } else if node.parent.is_none() && evidence.confidence >= self.settings.min_confidence {
            node.parent = Some(local(server, evidence.method, evidence.confidence));
        }
    }

    fn link(&mut self, group: GroupId, span_id: SpanId, evidence: Evidence) -> Option<Link> {
        let trace_id = self.groups.fixed_id(group)?;
        Some(Link { trace_id, span_id, method: evidence.method, confidence: evidence.confidence })
    }

    fn place_by_evidence(&mut self, node: &mut Node, evidence: Option<Evidence>) -> GroupId {
        let server = evidence.and_then(|evidence| Some((evidence, self.nodes.get(&evidence.server)?)));
        let Some((evidence, server)) = server else {
            return self.groups.begin(self.ids.trace(node.identity, node.key));
        };
        let (group, span_id, parent) =
            (server.group, server.span_id, local(server, evidence.method, evidence.confidence));
        let joined = self.groups.get(group).map_or(0, |group| group.joined);
        let full = joined >= self.settings.max_trace_spans;
        if evidence.confidence >= self.settings.min_confidence && !full {
            node.parent = Some(parent);
            return group;
        }
        *if full { &mut self.counters.split } else { &mut self.counters.unsure } += 1;
        node.links.extend(self.link(group, span_id, evidence));
        self.groups.begin(self.ids.trace(node.identity, node.key))
    }

    /// The one request of this process that came with the same context. Of several the one that the thread works
    /// on; where that is none of them, nobody knows.
    fn forwarder(&self, node: &Node, context: &Context, evidence: Option<Evidence>) -> Option<&Node> {
        let candidates = self.forwarded.get(&(node.pid, context.trace_id, context.span_id))?;
        let open = |key: &&Key| {
            self.nodes.get(key).is_some_and(|server| server.open() && server.start <= node.start)
        };
        let key = match evidence.filter(|evidence| candidates.contains(&evidence.server)) {
            Some(evidence) => evidence.server,
            None => {
                let mut open = candidates.iter().filter(open);
                open.next().filter(|_| open.next().is_none()).copied()?
            }
        };
        self.nodes.get(&key).map(Box::as_ref)
    }

    /// The vetoes: same process, not answered, not before its cause.
    pub(crate) fn working(&self, server: Key, pid: u32, time: Nanos) -> bool {
        self.nodes
            .get(&server)
            .is_some_and(|server| server.open() && server.pid == pid && server.start <= time)
    }

    /// Lies the server's start within the client's time, as far as both are known? UNIX sockets that are older than
    /// the daemon count differently at their ends, and may name two exchanges alike. What TCP numbers is one and the same,
    /// however late it is read: a busy host may read long after a client gave up, or waited for no answer.
    fn fits(&mut self, identity: u128, start: &Start) -> bool {
        if start.socket.transport == Transport::Tcp {
            return true;
        }
        let end = End::of(start.role);
        let partner = self.wires.partner(identity, end).and_then(|key| self.nodes.get(&key));
        let fits = partner.is_none_or(|partner| {
            let (client, server) = match end {
                End::Asks => (start.time, partner.start),
                End::Answers => (partner.start, start.time),
            };
            let over = partner.span.as_ref().filter(|_| end == End::Answers).map(|span| span.boot.1);
            client.since(server) < SKEW_NS && over.is_none_or(|over| server.since(over) < SKEW_NS)
        });
        self.counters.vetoed += u64::from(!fits);
        fits
    }

    /// The server's start was seen before its client's: ring buffers of different processors. It is held still, so
    /// its place can be mended.
    fn bind_late(&mut self, client: Key, server: Key) {
        let Some(mut node) = self.nodes.remove(&server) else { return };
        let parent = self.nodes.get(&client).map(|client| (wire(client), client.group));
        if let Some((parent, group)) = parent
            && !self.descends(client, server)
        {
            if self.groups.compatible(group, node.group) {
                node.parent = Some(parent);
                let (group, moved) = self.groups.merge(group, node.group);
                node.group = group;
                self.moved(&moved, group);
            } else {
                self.counters.vetoed += 1;
            }
        }
        self.nodes.insert(server, node);
    }

    /// A program that calls itself: is `ancestor` among the causes of `key`?
    pub(crate) fn descends(&self, key: Key, ancestor: Key) -> bool {
        let up = |key: &Key| self.nodes.get(key)?.parent?.key;
        std::iter::successors(Some(key), up).take(MAX_DEPTH).any(|key| key == ancestor)
    }

    /// Where the client's head was cut, only its server read the context: the trace gets its name from there.
    fn named_by_child(&mut self, group: GroupId, context: Option<&Context>) -> GroupId {
        let Some(context) = context else { return group };
        if self.groups.get(group).is_none_or(|group| group.fixed) {
            return group;
        }
        let named = self.groups.named(context.trace_id);
        let (group, moved) = self.groups.merge(named, group);
        self.moved(&moved, group);
        group
    }

    pub(crate) fn moved(&mut self, members: &[Key], group: GroupId) {
        for key in members {
            if let Some(node) = self.nodes.get_mut(key) {
                node.group = group;
            }
        }
    }

    fn hold(&mut self, node: Box<Node>) {
        self.groups.join(node.group, node.key);
        self.nodes.insert(node.key, node);
    }

    /// Ids and context of a request; nothing of its place.
    pub(crate) fn node(&mut self, start: &Start) -> Box<Node> {
        let end = End::of(start.role);
        let named = Identity::of(start.key, end, &start.socket).map(|name| self.ids.identity(&name));
        let free = named.filter(|id| self.fits(*id, start) && self.wires.take(*id, end, start.key));
        let identity = free.unwrap_or_else(|| self.ids.unique(start.key));
        let span_id = self.ids.span(identity, start.key, end);
        Box::new(Node::new(start, span_id, identity, header::context(&start.carrier)))
    }
}

const fn wire(client: &Node) -> Ancestor {
    local(client, Method::Wire, WIRE)
}

pub(crate) const fn local(parent: &Node, method: Method, confidence: f32) -> Ancestor {
    Ancestor { key: Some(parent.key), span_id: parent.span_id, method, confidence }
}
