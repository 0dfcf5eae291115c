//! What the store costs, on spans like the agent's: `cargo xtask bench store`. Arguments: the number of spans, and the
//! directory (which is emptied). Prints a table.

use std::{
    fs,
    hint::black_box,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use wirespan_ingest::{
    Limits,
    otlp::{decode_protobuf, encode_protobuf},
};
use wirespan_store::{
    Attribute, EdgeQuery, Embedded, Field, Filter, Kind, Op, Operand, Owner, RedQuery, Resource, Scope,
    Search, Settings, Span, SpanId, Status, StatusCode, Store, TraceId, Value,
};

/// Spans of one trace and of one request.
const TRACE: u64 = 6;
const BATCH: u64 = 512 * TRACE;
/// The first start: 2026-01-01. A hundred traces a second follow.
const BEGIN: u64 = 1_767_225_600_000_000_000;
const APART: u64 = 10_000_000;
const SERVICES: u64 = 12;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let spans: u64 = arguments.next().context("say how many spans")?.parse()?;
    let directory = PathBuf::from(arguments.next().context("say in which directory")?);
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    let store = Embedded::open(Settings { bytes: None, age: None, ..Settings::new(directory.clone()) })?;
    fill(&store, spans)?;
    drop(store);
    let began = Instant::now();
    let store = Embedded::open(Settings { bytes: None, age: None, ..Settings::new(directory) })?;
    row("open", &took(began.elapsed()));
    questions(&store, spans)?;
    row("memory, most so far", &format!("{} MiB", peak()? >> 10));
    Ok(())
}

fn row(name: &str, value: &str) {
    println!("| {name} | {value} |");
}

fn took(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn fill(store: &Embedded, spans: u64) -> Result<()> {
    let limits = Limits::default();
    let (mut wall, mut cpu) = (Duration::ZERO, 0.0);
    for first in (0..spans).step_by(BATCH as usize) {
        let body = encode_protobuf(&batch(first / TRACE, BATCH.min(spans - first) / TRACE));
        let (began, before) = (Instant::now(), cpu_seconds()?);
        let decoded = decode_protobuf(&body, &limits)?.spans;
        store.append(decoded)?;
        wall += began.elapsed();
        cpu += cpu_seconds()? - before;
    }
    let (began, before) = (Instant::now(), cpu_seconds()?);
    while store.figure()?.unsealed >= 65_536 {
        std::thread::yield_now();
    }
    let waited = cpu_seconds()? - before;
    let figure = store.figure()?;
    let sealed = figure.spans - figure.unsealed;
    row("spans", &figure.spans.to_string());
    row(
        "ingest, one sender, spans/s",
        &format!("{:.0}", spans as f64 / (wall + began.elapsed()).as_secs_f64()),
    );
    row("ingest from OTLP protobuf, spans per CPU-second", &format!("{:.0}", spans as f64 / (cpu + waited)));
    row(
        "bytes per sealed span, catalogue and log included",
        &format!("{:.1}", figure.bytes as f64 / sealed as f64),
    );
    Ok(())
}

fn questions(store: &Embedded, spans: u64) -> Result<()> {
    let traces = spans / TRACE;
    let ids: Vec<TraceId> = (0..200).map(|n| trace_id(n * 7919 % traces)).collect();
    median("trace by id", ids.len(), |n| Ok(store.trace(ids[n % ids.len()])?.len()))?;
    let service = Filter::Compare(Field::Service, Op::Eq, Operand::Text("service-7".into()));
    let long = Filter::Compare(Field::Duration, Op::Ge, Operand::Int(9_000_000));
    let route = |value: &str| {
        let field = Field::Attribute(Owner::Span, "http.route".into());
        Filter::Compare(field, Op::Eq, Operand::Text(value.into()))
    };
    let some = Filter::And(vec![service.clone(), route("/api/v1/items/{id}/3"), long]);
    median("search, service + attribute + duration, newest 20", 20, |_| {
        Ok(store.search(&Search::new(some.clone(), 20))?.hits.len())
    })?;
    let none = Filter::And(vec![service, route("/nowhere")]);
    median("search that finds nothing, all time", 3, |_| {
        Ok(store.search(&Search::new(none.clone(), 20))?.hits.len())
    })?;
    let end = BEGIN + traces * APART;
    let red = RedQuery {
        service: None,
        operation: None,
        kinds: vec![Kind::Server],
        start: end.saturating_sub(3_600_000_000_000),
        end,
        step: 60_000_000_000,
        by_operation: false,
    };
    median("RED of the last hour, by service and minute", 10, |_| Ok(store.red(&red)?.len()))?;
    let query = EdgeQuery { start: red.start, end };
    median("service map of the last hour", 10, |_| Ok(store.edges(query)?.len()))
}

fn median(name: &str, times: usize, ask: impl Fn(usize) -> Result<usize>) -> Result<()> {
    let mut all = Vec::with_capacity(times);
    for n in 0..times {
        let began = Instant::now();
        black_box(ask(n)?);
        all.push(began.elapsed());
    }
    all.sort();
    let most = all.last().copied().unwrap_or_default();
    row(name, &format!("{}, most {}", took(all[all.len() / 2]), took(most)));
    Ok(())
}

/// User and system time of this process (`proc_pid_stat(5)`, fields 14 and 15, in hundredths of a second).
fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("no stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("a short stat")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// The most memory that was resident, in KiB.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// SplitMix64: ids and durations that do not compress.
fn noise(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn trace_id(n: u64) -> TraceId {
    TraceId(((u128::from(noise(2 * n)) << 64) | u128::from(noise(2 * n + 1))).to_be_bytes())
}

fn batch(first: u64, traces: u64) -> Vec<Span> {
    let mut spans: Vec<Span> =
        (first..first + traces).flat_map(|n| (0..TRACE).map(move |at| span(n, at))).collect();
    spans.sort_by(|a, b| a.resource.service.cmp(&b.resource.service));
    spans
}

fn attribute(key: &str, value: impl Into<Value>) -> Attribute {
    Attribute { key: key.into(), value: value.into() }
}

fn span(n: u64, at: u64) -> Span {
    let id = |at: u64| SpanId((noise(n * 31 + at) | 1).to_be_bytes());
    let service = (n + at.div_ceil(2)) % SERVICES;
    let server = at.is_multiple_of(2);
    let failed = noise(n + at).is_multiple_of(50);
    let route = format!("/api/v1/items/{{id}}/{}", noise(n ^ at) % 8);
    Span {
        trace: trace_id(n),
        id: id(at),
        parent: (at > 0).then(|| id(at - 1)),
        name: if server { format!("GET {route}").into() } else { "GET".into() },
        kind: if server { Kind::Server } else { Kind::Client },
        start: BEGIN + n * APART + at * 100_000 + noise(n) % 50_000,
        duration: 1_000_000 + noise(n * 7 + at) % 9_000_000,
        status: Status {
            code: if failed { StatusCode::Error } else { StatusCode::Unset },
            message: "".into(),
        },
        attributes: vec![
            attribute("client.address", &*format!("10.0.0.{}", n % 20)),
            attribute("http.request.method", "GET"),
            attribute("http.response.status_code", if failed { 500 } else { 200 }),
            attribute("http.route", route.as_str()),
            attribute("network.peer.address", &*format!("10.0.1.{}", at)),
            attribute("network.peer.port", (30_000 + noise(n * 3 + at) % 20_000) as i64),
            attribute("network.protocol.version", "1.1"),
            attribute("server.address", &*format!("service-{service}")),
            attribute("server.port", 8080),
            attribute("url.path", &*format!("/api/v1/items/{}", noise(n) % 10_000)),
            attribute("url.scheme", "http"),
            attribute("wirespan.link.method", "wire"),
        ],
        resource: Resource::new(vec![
            attribute("container.id", &*format!("{:016x}", noise(service))),
            attribute("host.name", "node-1"),
            attribute("os.type", "linux"),
            attribute("process.executable.name", &*format!("service-{service}")),
            attribute("process.pid", (1000 + service) as i64),
            attribute("service.instance.id", &*format!("{:016x}", noise(service + 100))),
            attribute("service.name", &*format!("service-{service}")),
        ])
        .into(),
        scope: Scope { name: "wirespan".into(), version: "0.1.0".into(), attributes: Vec::new() }.into(),
        ..Span::default()
    }
}
