//! Activities in, trees out; one file per kind of evidence. A script has one activity a line, times in µs:
//!
//! `TIME ask|serve NAME CONNECTION[:OFFSET] PID.TID[@RESTS] [trace=T/S] [shape=N] [token=N]`, `TIME resume|answer NAME PID.TID[@RESTS]`,
//! `TIME connect CONNECTION PID.TID`, `TIME born TID PID.TID`, `TIME woke TID PID.TID FUTEX`, `TIME died PID.TID`, `TIME withdraw NAME`, `TIME sweep`,
//! `TIME end NAME [message=ID] [link=T/S]`. `publish`, `deliver` and `get` are as `ask`, of messages.
//! After the TID, `#7` is a logical task, `#9<7` one that 7 started, `#9~7` one that 7 waits for (0: nobody), where tasks have addresses for
//! names; after all that, `+10` is the next task's number.
//! Connection `u1` is a UNIX socket, all others are TCP. A span begins at its `ask` or `serve`.

mod any_order;
mod assembly;
mod contexts;
mod echo;
mod ends;
mod header;
mod lineage;
mod logical;
mod messages;
mod others;
mod pools;
mod reactor;
mod remaining;
mod started;
mod task;
mod timing;
mod trades;
mod turns;
mod waiters;
mod wire;

use std::{collections::HashMap, fmt::Write, net::SocketAddr, sync::Arc};

use wirespan_span::span::{
    Activity, Address, Attributes, Cookie, Key, LogicalTask, Nanos, Number, Role, Socket, Span, Start,
    Status, Task, Tokens, Transport, UnixNanos, Value,
};

use crate::{
    Traces,
    settings::{Counters, Settings},
    trace::{SpanId, Trace, TraceId, TracedSpan},
    traces::WakeOrder,
};

struct World {
    traces: Traces,
    out: Vec<Trace>,
    started: HashMap<String, (Key, Role, Nanos)>,
}

impl World {
    fn new(settings: Settings) -> Self {
        Self { traces: Traces::new(settings), out: Vec::new(), started: HashMap::new() }
    }

    fn run(&mut self, script: &str) -> &mut Self {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.step(&line.split_whitespace().collect::<Vec<_>>());
        }
        self
    }

    fn step(&mut self, words: &[&str]) {
        let time = Nanos(words[0].parse::<u64>().expect("a time") * 1000);
        let activity = match words[1] {
            "ask" => self.start(Role::Client, time, words),
            "get" => self.start(Role::Client, time, words),
            "serve" => self.start(Role::Server, time, words),
            "publish" => self.start(Role::Producer, time, words),
            "deliver" => self.start(Role::Consumer, time, words),
            "answer" => Activity::Answering { key: self.started[words[2]].0, time, task: task(words[3]) },
            "resume" => Activity::Resumed { key: self.started[words[2]].0, time, task: task(words[3]) },
            "withdraw" => Activity::Withdrawn(self.started[words[2]].0),
            "end" => self.end(words[2], time, &words[3..]),
            "connect" => return self.traces.connecting(Cookie(number(words[2]) * 2), task(words[3]), time),
            "born" => {
                let tid = words[2].parse().expect("a thread id");
                return self.traces.born(tid, task(words[3]), time);
            }
            "died" => return self.traces.died(task(words[2]).pid, task(words[2]).tid, time),
            "woke" => {
                let (tid, futex) = (words[2].parse().expect("a thread id"), number(words[4]));
                return self.traces.woke(task(words[3]), tid, futex, time);
            }
            "sweep" => return self.traces.sweep(time, &mut self.out),
            other => panic!("no such activity: {other}"),
        };
        self.traces.accept(activity, &mut self.out);
    }

    fn start(&mut self, role: Role, time: Nanos, words: &[&str]) -> Activity {
        let (connection, offset) = words[3].split_once(':').unwrap_or((words[3], "0"));
        let socket = socket(role, connection);
        let key = Key { cookie: socket.cookie, offset: offset.parse().expect("an offset"), sub: 0 };
        self.started.insert(words[2].to_owned(), (key, role, time));
        let shape = words[5..].iter().find_map(|word| word.strip_prefix("shape=")).map_or(0, number);
        let carrier = words[5..]
            .iter()
            .filter(|word| word.starts_with("trace="))
            .map(|word| ("traceparent".into(), traceparent(word)))
            .collect();
        let tokens = words[5..].iter().find_map(|word| word.strip_prefix("token=")).map_or(0, number);
        let tokens = Tokens::new([tokens, 0]);
        Activity::Started(Start { key, role, socket, time, task: task(words[4]), carrier, shape, tokens })
    }

    fn end(&self, name: &str, end: Nanos, words: &[&str]) -> Activity {
        let (key, role, start) = self.started[name];
        let message = words.iter().find_map(|word| word.strip_prefix("message="));
        let link = words.iter().find(|word| word.starts_with("link="));
        Activity::Finished(Box::new(Span {
            key,
            role,
            name: name.into(),
            start: UnixNanos(start.0),
            end: UnixNanos(end.0),
            boot: (start, end),
            attributes: message.map(|id| attributes(role, id)).unwrap_or_default(),
            links: link.map(|link| vec![("traceparent".into(), traceparent(link))]).into_iter().collect(),
            status: Status::Unset,
            event: None,
            resource: Arc::default(),
        }))
    }

    fn counters(&self) -> Counters {
        *self.traces.counters()
    }

    /// All spans given out, by name, with the id of their trace.
    fn spans(&self) -> HashMap<&str, (TraceId, &TracedSpan)> {
        let all = self.out.iter().flat_map(|trace| trace.spans.iter().map(|span| (trace.id, span)));
        all.map(|(id, span)| (span.span.name.as_str(), (id, span))).collect()
    }

    /// All traces as indented trees, those given out first before the others.
    fn trees(&self) -> String {
        let mut shown = String::new();
        let mut seen = Vec::new();
        for id in self.out.iter().map(|trace| trace.id) {
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            let parts = self.out.iter().filter(|trace| trace.id == id);
            let spans: Vec<_> = parts.flat_map(|trace| &trace.spans).collect();
            let known = |id: SpanId| spans.iter().any(|span| span.span_id == id);
            for root in spans.iter().filter(|span| span.parent.is_none_or(|parent| !known(parent.span_id))) {
                tree(root, &spans, 0, &mut shown);
            }
        }
        shown
    }
}

fn tree(span: &TracedSpan, all: &[&TracedSpan], depth: usize, out: &mut String) {
    let (indent, name) = ("  ".repeat(depth), &span.span.name);
    let how = span.parent.map(|parent| {
        let remote = if parent.remote { " remote" } else { "" };
        format!(" {}{remote} {:.2}", parent.method.name(), parent.confidence)
    });
    let links = if span.links.is_empty() { "" } else { " linked" };
    writeln!(out, "{indent}{name}{}{links}", how.unwrap_or_default()).expect("a String takes all");
    for child in all.iter().filter(|child| child.parent.is_some_and(|parent| parent.span_id == span.span_id))
    {
        tree(child, all, depth + 1, out);
    }
}

fn number(connection: &str) -> u64 {
    connection.trim_start_matches('u').parse().expect("a connection")
}

/// The client's end of connection n has cookie 2n, the server's 2n + 1.
fn socket(role: Role, connection: &str) -> Socket {
    let n = number(connection);
    let server = matches!(role, Role::Server | Role::Consumer);
    let own = n * 2 + u64::from(server);
    let unix = connection.starts_with('u');
    let inet = |address: [u8; 4], port| Address::Inet(SocketAddr::from((address, port)));
    let client_port = u16::try_from(n).expect("a small number");
    let (local, peer) = match (unix, server) {
        (true, _) => (Address::Unix(own), Address::Unix(own ^ 1)),
        (false, false) => (inet([10, 0, 0, 1], client_port), inet([10, 0, 0, 2], 80)),
        (false, true) => (inet([10, 0, 0, 2], 80), inet([10, 0, 0, 1], client_port)),
    };
    let transport = if unix { Transport::Unix } else { Transport::Tcp };
    Socket { cookie: Cookie(own), netns: 1, transport, local, peer }
}

fn task(text: &str) -> Task {
    let (text, next) = text.split_once('+').map_or((text, None), |(text, next)| (text, Some(next)));
    let next = next.map(|next| Number::of(next.parse().expect("a number")));
    let (text, rests) = text.split_once('@').unwrap_or((text, "0"));
    let (pid, tid) = text.split_once('.').expect("PID.TID");
    let (tid, logical) = tid.split_once('#').map_or((tid, None), |(tid, logical)| (tid, Some(logical)));
    let (tid, rests) = (tid.parse().expect("a thread id"), rests.parse().expect("a number"));
    let key = logical.map_or(u64::from(tid), logical_key);
    Task { pid: pid.parse().expect("a process id"), tid, key, rests, next }
}

/// `7`, `9<7` or `9~7`.
fn logical_key(text: &str) -> u64 {
    if let Some((id, waiter)) = text.split_once('~') {
        let [id, waiter] = [id, waiter].map(|task| number(task) * 16);
        return LogicalTask::awaited(id, waiter).key();
    }
    let (id, starter) = text.split_once('<').unwrap_or((text, "0"));
    LogicalTask::new(id.parse().expect("a task"), starter.parse().expect("a task")).key()
}

/// What the span of a message says of it.
fn attributes(role: Role, id: &str) -> Attributes {
    let operation = if role == Role::Client { "receive" } else { "send" };
    let mut attributes = Attributes::default();
    for (name, text) in [
        ("messaging.system", "rabbitmq"),
        ("messaging.operation.type", operation),
        ("messaging.message.id", id),
    ] {
        attributes.push(name, Value::Text(text.into()));
    }
    attributes
}

/// `trace=T/S` or `link=T/S` as W3C writes it.
fn traceparent(word: &str) -> String {
    let (_, context) = word.split_once('=').expect("a name");
    let (trace, span) = context.split_once('/').expect("T/S");
    format!("00-{trace:0>32}-{span:0>16}-01")
}

fn settings() -> Settings {
    Settings::new([1; 16], [2; 16])
}

/// Runs the script, waits until all is due, and compares the trees.
#[track_caller]
fn check(script: &str, trees: &str) -> World {
    let mut world = World::new(settings());
    world.run(script).run("9000000 sweep");
    let lines = |text: &str| {
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(lines(&world.trees()), lines(trees));
    world
}
