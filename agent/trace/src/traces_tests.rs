//! Activities in, trees out. A script has one activity a line, times in µs:
//!
//! `TIME ask|serve NAME CONNECTION[:OFFSET] PID.TID [trace=T/S]`, `TIME resume NAME PID.TID`,
//! `TIME connect CONNECTION PID.TID`, `TIME end NAME`, `TIME withdraw NAME`, `TIME sweep`.
//! Connection `u1` is a UNIX socket, all others are TCP. A span begins at its `ask` or `serve`.

use std::{collections::HashMap, fmt::Write, net::SocketAddr, sync::Arc};

use wirespan_span::span::{Address, Role, Socket, Status, Transport, UnixNanos};

use super::*;
use crate::trace::{SpanId, TraceId};

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
            "serve" => self.start(Role::Server, time, words),
            "resume" => Activity::Resumed { key: self.started[words[2]].0, time, task: task(words[3]) },
            "withdraw" => Activity::Withdrawn(self.started[words[2]].0),
            "end" => self.end(words[2], time),
            "connect" => return self.traces.connecting(Cookie(number(words[2]) * 2), task(words[3]), time),
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
        let carrier = words[5..].iter().map(|word| ("traceparent".into(), traceparent(word))).collect();
        Activity::Started(Start { key, role, socket, time, task: task(words[4]), carrier })
    }

    fn end(&self, name: &str, end: Nanos) -> Activity {
        let (key, role, start) = self.started[name];
        Activity::Finished(Box::new(Span {
            key,
            role,
            name: name.to_owned(),
            start: UnixNanos(start.0),
            end: UnixNanos(end.0),
            boot: (start, end),
            attributes: vec![],
            status: Status::Unset,
            events: vec![],
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
    let server = role == Role::Server;
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
    let (pid, tid) = text.split_once('.').expect("PID.TID");
    let tid = tid.parse().expect("a thread id");
    Task { pid: pid.parse().expect("a process id"), tid, key: tid.into() }
}

/// `trace=T/S` as W3C writes it.
fn traceparent(word: &str) -> String {
    let (trace, span) = word.trim_start_matches("trace=").split_once('/').expect("trace=T/S");
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

#[test]
fn a_chain_of_programs_with_a_thread_per_request() {
    check(
        "0 ask curl 1 10.1
         5 serve nginx 1 20.1
         8 ask upstream 2 20.1
         9 serve python 2 30.3
         20 end python
         21 resume upstream 20.1
         22 end upstream
         25 end nginx
         30 end curl",
        "curl
  nginx wire 1.00
    upstream task 0.99
      python wire 1.00",
    );
}

#[test]
fn the_server_may_be_seen_before_its_client() {
    let world = check(
        "5 serve nginx 1 20.1
         8 ask upstream 2 20.1
         0 ask curl 1 10.1
         20 end upstream
         25 end nginx
         30 end curl",
        "curl
  nginx wire 1.00
    upstream task 0.99",
    );
    assert_eq!(world.out.len(), 1, "one part");
}

#[test]
fn the_server_may_even_end_before_its_client_is_seen() {
    check("5 serve nginx 1 20.1\n 25 end nginx\n 0 ask curl 1 10.1\n 30 end curl", "curl\n  nginx wire 1.00");
}

#[test]
fn a_server_that_begins_long_before_its_client_is_not_its_server() {
    let script = "0 serve b 1 20.1\n 2000 ask a 1 10.1\n 3000 end b\n 4000 end a";
    let world = check(script, "b\na");
    assert_eq!(world.counters().vetoed, 1);
}

#[test]
fn unix_sockets_of_older_connections_count_differently() {
    check("0 ask a u1:0 10.1\n 100 end a\n 5000 serve b u1:0 20.1\n 5100 end b", "a\nb");
    check("0 ask a u1:0 10.1\n 1 serve b u1:0 20.1\n 10 end b\n 11 end a", "a\n  b wire 1.00");
}

#[test]
fn a_context_ends_with_its_answer() {
    check(
        "0 serve page 1 20.1
         5 ask inside 2 20.1
         8 end inside
         10 end page
         11 ask outside 3 20.1
         20 end outside",
        "page
  inside task 0.99
outside",
    );
}

#[test]
fn a_worker_of_a_pool_takes_up_the_next_request() {
    check(
        "0 serve first 1:0 20.1
         10 end first
         11 serve second 1:100 20.1
         12 ask call 2 20.1
         20 end call
         30 end second",
        "first
second
  call task 0.99",
    );
}

#[test]
fn other_threads_and_processes_are_not_adopted() {
    check(
        "0 serve page 1 20.1
         5 ask background 2 20.9
         6 ask other 3 21.1
         8 end background
         9 end other
         10 end page",
        "background
other
page",
    );
}

#[test]
fn a_loop_works_on_what_it_read_last_and_a_response_brings_the_request_back() {
    check(
        "0 serve a 1 20.1
         1 ask a1 11 20.1
         2 serve b 2 20.1
         3 ask b1 12 20.1
         10 resume a1 20.1
         11 end a1
         12 ask a2 11:50 20.1
         20 resume b1 20.1
         21 end b1
         22 ask b2 12:50 20.1
         30 end a2
         31 end b2
         32 end a
         33 end b",
        "a
  a1 task 0.99
  a2 task 0.90
b
  b1 task 0.90
  b2 task 0.90",
    );
}

#[test]
fn what_follows_the_response_to_a_background_call_is_background() {
    check(
        "0 ask poll 9 20.1
         1 serve a 1 20.1
         2 resume poll 20.1
         3 ask next 9:50 20.1
         4 end poll
         5 end next
         9 end a",
        "poll
next
a",
    );
}

#[test]
fn pipelined_requests_are_worked_on_in_order() {
    check(
        "0 serve a 1:0 20.1
         0 serve b 1:50 20.1
         1 ask a1 2:0 20.1
         5 end a1
         6 end a
         7 ask b1 2:50 20.1
         8 end b1
         9 end b",
        "a
  a1 task 0.99
b
  b1 task 0.99",
    );
}

#[test]
fn the_first_request_of_a_connection_belongs_to_whom_it_was_opened_for() {
    check(
        "0 serve a 1 20.1
         1 connect 11 20.1
         2 serve b 2 20.1
         3 ask a1 11 20.1
         4 ask b1 11:50 20.1
         5 end a1
         6 end b1
         8 end a
         9 end b",
        "a
  a1 handoff 0.90
b
  b1 task 0.90",
    );
}

#[test]
fn another_thread_may_use_what_a_request_opened() {
    check(
        "0 serve a 1 20.1
         1 connect 11 20.1
         3 ask a1 11 20.2
         5 end a1
         8 end a",
        "a
  a1 handoff 0.90",
    );
}

#[test]
fn a_thread_with_one_request_is_stronger_than_who_connected() {
    check(
        "0 serve a 1 20.1
         1 connect 11 20.1
         2 serve b 2 20.2
         3 ask b1 11 20.2
         4 end b1
         5 end b
         6 end a",
        "b
  b1 task 0.99
a",
    );
}

#[test]
fn a_connection_of_the_background_is_nobodys() {
    let world = check(
        "0 connect 11 20.1
         1 serve a 1 20.1
         2 serve b 2 20.1
         3 ask ping 11 20.1
         4 end ping
         5 end a
         6 end b",
        "ping
a
b",
    );
    assert_eq!(world.counters().vetoed, 1);
}

#[test]
fn an_answered_opener_hands_nothing_over() {
    check(
        "0 serve a 1 20.1
         1 connect 11 20.1
         2 end a
         3 ask late 11 20.2
         4 end late",
        "a
late",
    );
}

#[test]
fn a_context_in_the_bytes_is_the_parent() {
    let world = check(
        "0 serve a 1 20.1 trace=a1/b1
         1 ask c 2 30.1 trace=a1/b2
         2 end a
         3 end c",
        "a header remote 1.00
c header remote 1.00",
    );
    let spans = world.spans();
    assert_eq!(spans["a"].0, spans["c"].0);
    assert_eq!(spans["a"].0.0[15], 0xa1);
    assert_eq!(spans["a"].1.parent.map(|parent| parent.span_id.0[7]), Some(0xb1));
}

#[test]
fn duplicate_headers_are_no_context() {
    check("0 serve a 1 20.1 trace=a1/b1 trace=a1/b1\n 2 end a", "a");
}

#[test]
fn our_client_lies_between_the_sdk_and_our_server() {
    check(
        "0 ask c 1 10.1 trace=a1/b1
         1 serve s 1 20.1 trace=a1/b1
         8 end s
         9 end c",
        "c header remote 1.00
  s wire 1.00",
    );
    check(
        "1 serve s 1 20.1 trace=a1/b1
         0 ask c 1 10.1 trace=a1/b1
         8 end s
         9 end c",
        "c header remote 1.00
  s wire 1.00",
    );
}

#[test]
fn only_the_server_read_the_context() {
    let world = check(
        "0 ask c 1 10.1
         1 serve s 1 20.1 trace=a1/b1
         8 end s
         9 end c",
        "c
  s wire 1.00",
    );
    assert_eq!(world.spans()["c"].0.0[15], 0xa1);
}

#[test]
fn a_proxy_hands_the_context_on() {
    check(
        "0 serve a 1 20.1 trace=a1/b1
         1 serve b 2 20.1 trace=a2/b2
         2 ask a1 11 20.1 trace=a1/b1
         3 ask b1 12 20.1 trace=a2/b2
         5 end a1
         6 end b1
         8 end a
         9 end b",
        "a header remote 1.00
  a1 header 0.99
b header remote 1.00
  b1 header 0.99",
    );
}

#[test]
fn of_two_requests_with_one_context_the_threads_own_is_the_parent_or_none() {
    check(
        "0 serve a 1 20.1 trace=a1/b1
         1 serve b 2 20.2 trace=a1/b1
         2 ask b1 11 20.2 trace=a1/b1
         3 ask who 12 20.3 trace=a1/b1
         5 end b1
         6 end who
         8 end a
         9 end b",
        "a header remote 1.00
b header remote 1.00
  b1 header 0.99
who header remote 1.00",
    );
}

#[test]
fn the_header_of_an_sdk_wins_over_the_thread() {
    let world = check(
        "0 serve a 1 20.1 trace=a1/b1
         1 ask own 11 20.1 trace=a1/b2
         2 ask foreign 12 20.1 trace=a9/b9
         5 end own
         6 end foreign
         8 end a",
        "foreign header remote 1.00 linked
a header remote 1.00
own header remote 1.00",
    );
    let spans = world.spans();
    let link = spans["foreign"].1.links[0];
    assert_eq!((link.trace_id, link.span_id), (spans["a"].0, spans["a"].1.span_id));
}

#[test]
fn a_response_to_an_sdks_call_brings_its_request_back() {
    check(
        "0 serve a 1 20.1
         1 ask call 11 20.1 trace=a9/b9
         2 serve b 2 20.1
         3 resume call 20.1
         4 ask next 12 20.1
         5 end call
         6 end next
         8 end a
         9 end b",
        "call header remote 1.00 linked
a
  next task 0.90
b",
    );
}

#[test]
fn retries_have_ids_of_their_own() {
    let world = check(
        "0 serve a 1 20.1
         1 ask try 11:0 20.1
         2 end try
         3 ask retry 11:60 20.1
         4 end retry
         5 ask again 12:0 20.1
         6 end again
         9 end a",
        "a
  try task 0.99
  retry task 0.99
  again task 0.99",
    );
    let ids: std::collections::HashSet<_> = world.spans().values().map(|(_, span)| span.span_id).collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn the_same_name_twice_at_once_gets_two_ids() {
    let mut world = World::new(settings());
    world.run("0 ask a 1 20.1");
    // The same connection in another network namespace: what a stray packet copy or a proxy may show.
    let Activity::Started(mut start) =
        world.start(Role::Client, Nanos(1000), &["1", "ask", "b", "1", "30.1"])
    else {
        panic!("a start");
    };
    start.key.cookie = Cookie(99);
    world.started.insert("b".to_owned(), (start.key, Role::Client, start.time));
    let World { traces, out, .. } = &mut world;
    traces.accept(Activity::Started(start), out);
    world.run("2 end a\n 3 end b\n 9000000 sweep");
    let spans = world.spans();
    assert_ne!(spans["a"].1.span_id, spans["b"].1.span_id);
    assert_ne!(spans["a"].0, spans["b"].0);
}

#[test]
fn ids_agree_wherever_the_connection_is_seen() {
    let given = |seed, script: &str| {
        let mut world = World::new(Settings::new([7; 16], [seed; 16]));
        world.run(script).run("9000000 sweep");
        world.out.remove(0)
    };
    let client = given(1, "0 ask a 1:5 10.1\n 9 end a");
    let server = given(2, "0 serve a 1:4294967301 20.1\n 9 end a");
    assert_eq!(client.id, server.id);
    assert_ne!(client.spans[0].span_id, server.spans[0].span_id);
    let unix = |seed| given(seed, "0 ask a u1 10.1\n 9 end a").id;
    assert_ne!(unix(1), unix(2), "cookies mean nothing on another host");
}

#[test]
fn nothing_refers_to_what_was_withdrawn() {
    check(
        "0 ask guess 1 10.1
         1 serve s 1 20.1
         2 ask call 2 20.1
         3 withdraw guess
         5 end call
         8 end s",
        "s
  call task 0.99",
    );
    check(
        "0 serve guess 1 20.1
         1 ask call 2 20.1
         2 withdraw guess
         3 ask next 3 20.1
         5 end call
         8 end next",
        "call\nnext",
    );
    check(
        "0 ask guess 1 10.1 trace=a1/b1
         1 serve s 1 20.1 trace=a1/b1
         3 withdraw guess
         8 end s",
        "s header remote 1.00",
    );
}

#[test]
fn a_reused_context_does_not_gather_the_world() {
    let mut world = World::new(Settings { max_trace_spans: 100, ..settings() });
    world.run("0 serve a 1 20.1");
    for call in 1..=1000 {
        world.run(&format!("{call} ask c{call} 2:{call} 20.1\n {call} end c{call}"));
    }
    world.run("2000 end a\n 9000000 sweep");
    let whole = world.spans()["a"].0;
    let in_it =
        world.out.iter().filter(|trace| trace.id == whole).map(|trace| trace.spans.len()).sum::<usize>();
    assert_eq!((in_it, world.counters().split), (100, 901));
    let (_, last) = world.spans()["c1000"];
    assert_eq!(last.links[0].trace_id, whole);
    assert_eq!(world.counters().spans, 1001);
}

#[test]
fn what_ends_late_comes_in_another_part() {
    let world = check(
        "0 serve a 1 20.1
         1 ask call 2 20.1
         2 end call
         2000001 sweep
         2000002 sweep
         3000000 ask late 3 20.1
         3000001 end late
         3000002 end a",
        "a
  call task 0.99
  late task 0.99",
    );
    let parts: Vec<_> = world.out.iter().map(|trace| trace.spans.len()).collect();
    assert_eq!(parts, [1, 2]);
}

#[test]
fn a_trace_waits_for_stragglers_and_no_longer() {
    let mut world = World::new(settings());
    world.run("0 serve a 1 20.1\n 10 end a\n 20009 sweep");
    assert!(world.out.is_empty());
    world.run("20010 sweep");
    assert_eq!((world.out.len(), world.traces.held()), (1, 0));
}

#[test]
fn parents_come_before_children() {
    let world = check(
        "0 ask curl 1 10.1
         0 serve nginx 1 20.1
         0 ask upstream 2 20.1
         0 serve python 2 30.3
         9 end python
         9 end upstream
         9 end nginx
         9 end curl",
        "curl
  nginx wire 1.00
    upstream task 0.99
      python wire 1.00",
    );
    let order: Vec<_> = world.out[0].spans.iter().map(|span| span.span.name.as_str()).collect();
    assert_eq!(order, ["curl", "nginx", "upstream", "python"]);
}

#[test]
fn a_client_encloses_its_server() {
    let world = check("2 ask a u1 10.1\n 0 serve b u1 20.1\n 9 end a\n 12 end b", "a\n  b wire 1.00");
    let (_, server) = world.spans()["b"];
    assert_eq!(server.span.boot, (Nanos(2000), Nanos(9000)));
    assert_eq!((server.span.start, server.span.end), (UnixNanos(2000), UnixNanos(9000)));
    let world = check("0 ask a 1 10.1\n 1 serve b 1 20.1\n 9 end a\n 5000 end b", "a\n  b wire 1.00");
    assert_eq!(world.spans()["b"].1.span.boot.1, Nanos(5_000_000), "the client gave up; the server did not");
}

#[test]
fn a_program_that_calls_itself_makes_no_circle() {
    check(
        "0 serve page u1 20.1
         1 ask self u2 20.1
         2 serve inner u2 20.1
         3 end inner
         4 end self
         5 end page",
        "page
  self task 0.99
    inner wire 1.00",
    );
    check("0 serve inner u2 20.1\n 0 ask self u2 20.1\n 3 end inner\n 4 end self", "self\n  inner wire 1.00");
}

#[test]
fn a_full_table_gives_early_and_turns_away_nothing_finished() {
    let mut world = World::new(Settings { max_spans: 2, ..settings() });
    world.run("0 ask a 1 10.1\n 1 end a\n 2 ask b 2 10.1\n 3 ask c 3 10.1");
    assert_eq!((world.out.len(), world.counters().hurried), (1, 1));
    world.run("4 ask d 4 10.1\n 5 end d\n 6 end c\n 7 end b\n 9000000 sweep");
    assert_eq!((world.counters().untracked, world.counters().unannounced, world.counters().spans), (1, 1, 4));
}

#[test]
fn full_tables_of_evidence_are_counted() {
    let mut world = World::new(Settings { max_threads: 1, max_connects: 1, ..settings() });
    world.run("0 serve a 1 20.1\n 1 serve b 2 20.2\n 2 connect 3 20.1\n 3 connect 4 20.1\n 4 ask c 3 20.9");
    assert_eq!((world.counters().threads_full, world.counters().connects_full), (1, 1));
    world.run("5 end c\n 6 end b\n 7 end a\n 9000000 sweep");
    assert_eq!(world.counters().roots, 3);
}

#[test]
fn a_flush_gives_what_is_finished_and_refers_to_nothing_open() {
    let mut world = World::new(settings());
    world.run("0 serve open 1 20.1\n 1 ask call 2 20.1\n 2 end call");
    let World { traces, out, .. } = &mut world;
    traces.flush(out);
    assert_eq!(world.trees(), "call\n");
    assert_eq!((world.counters().unfinished, world.traces.held()), (1, 0));
}

mod any_order {
    use proptest::prelude::*;

    use super::*;

    /// One activity on a few connections, threads and names, in any order.
    fn activity() -> impl Strategy<Value = String> {
        let (n, tid, context) = (0_u8..6, 1_u8..4, proptest::option::of((1_u8..3, 1_u8..4)));
        (0_u8..8, n, tid, 0_u8..3, context).prop_map(|(verb, n, tid, offset, context)| {
            let context = context.map(|(trace, span)| format!("trace={trace}/{span}")).unwrap_or_default();
            match verb {
                0..=1 => format!("ask a{n}.{offset} {n}:{offset} 20.{tid} {context}"),
                2..=3 => format!("serve s{n}.{offset} {n}:{offset} 20.{tid} {context}"),
                4 => format!("end a{n}.{offset}"),
                5 => format!("end s{n}.{offset}"),
                6 => format!("resume a{n}.{offset} 20.{tid}"),
                _ => format!("withdraw s{n}.{offset}"),
            }
        })
    }

    proptest! {
        #[test]
        fn every_span_comes_out_once_in_a_tree(script in proptest::collection::vec(activity(), 0..80)) {
            let mut world = World::new(Settings { max_spans: 12, max_trace_spans: 5, ..settings() });
            let (mut time, mut ended) = (0, 0);
            for line in script {
                let words: Vec<_> = line.split_whitespace().collect();
                if !matches!(words[0], "ask" | "serve") && !world.started.contains_key(words[1]) {
                    continue;
                }
                time += 300;
                ended += u64::from(words[0] == "end");
                world.run(&format!("{time} {line}"));
            }
            let World { traces, out, .. } = &mut world;
            traces.flush(out);
            prop_assert_eq!(world.counters().spans, ended);
            prop_assert_eq!(world.traces.held(), 0);
            for trace in &world.out {
                for (index, span) in trace.spans.iter().enumerate() {
                    prop_assert!(span.span.boot.0 <= span.span.boot.1);
                    let parent = span.parent.map(|parent| parent.span_id);
                    let later = trace.spans.iter().skip(index).any(|other| Some(other.span_id) == parent);
                    prop_assert!(!later, "a parent comes before its children, and nothing is its own cause");
                }
            }
        }
    }
}
