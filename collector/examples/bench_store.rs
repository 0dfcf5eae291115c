//! A sender, and somebody who asks: `cargo xtask bench store` lets it loose on a collector or on Jaeger, which run in a process
//! of their own. Spans like the agent's go in over OTLP/HTTP, each request acknowledged before the next; questions go to
//! Jaeger's legacy API, which both have, and with `own` to the collector's. Arguments: the number of spans, where OTLP is
//! received, where questions are answered, the process whose CPU time and memory count, its folder, `own` or `jaeger`.
//! `WIRESPAN_COLLECTOR_TOKEN` is sent along. Prints a line for each figure: what it is of, a tab, the figure. Memory is the
//! most that was ever resident (`VmHWM`), as the kernel counts it.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use wirespan_ingest::otlp::encode_protobuf;
use wirespan_store::{
    Attribute, Kind, Resource, Scope, Settings, Span, SpanId, Status, StatusCode, TraceId, Value,
};

/// Spans of one trace and of one request.
const TRACE: u64 = 6;
const BATCH: u64 = 512 * TRACE;
/// A hundred traces a second, the last of them now.
const APART: u64 = 10_000_000;
const SERVICES: u64 = 12;
/// How long one that is behind may take to catch up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Jaeger does not say when it is done: when it has done nothing for so long.
const QUIET: Duration = Duration::from_secs(1);

struct Target {
    otlp: SocketAddr,
    query: SocketAddr,
    process: u32,
    folder: PathBuf,
    own: bool,
    token: String,
    spans: u64,
    begin: u64,
}

fn main() -> Result<()> {
    let target = Target::from_arguments()?;
    target.fill()?;
    target.questions()?;
    figure("memory, most in all", &format!("{} MiB", target.peak()? >> 10));
    Ok(())
}

fn figure(name: &str, value: &str) {
    println!("{name}\t{value}");
}

impl Target {
    fn from_arguments() -> Result<Self> {
        let mut arguments = std::env::args().skip(1);
        let mut next = |what: &str| arguments.next().with_context(|| format!("say {what}"));
        let spans: u64 = next("how many spans")?.parse()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        Ok(Self {
            otlp: next("where OTLP is received")?.parse()?,
            query: next("where questions are answered")?.parse()?,
            process: next("which process")?.parse()?,
            folder: next("its folder")?.into(),
            own: next("whose APIs it has")? == "own",
            token: std::env::var("WIRESPAN_COLLECTOR_TOKEN").unwrap_or_default(),
            spans,
            begin: now - spans / TRACE * APART,
        })
    }

    /// Sends all, and waits until all is there.
    fn fill(&self) -> Result<()> {
        let before = self.cpu_seconds()?;
        let mut wall = Duration::ZERO;
        for first in (0..self.spans).step_by(BATCH as usize) {
            let body = encode_protobuf(&self.batch(first / TRACE, BATCH.min(self.spans - first) / TRACE));
            let began = Instant::now();
            let head = "POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf";
            http(self.otlp, head, &body)?;
            wall += began.elapsed();
        }
        let began = Instant::now();
        self.settle()?;
        let spent = self.cpu_seconds()? - before;
        figure("spans", &self.spans.to_string());
        figure("ingest, spans per CPU-second", &format!("{:.0}", self.spans as f64 / spent));
        let clock = (wall + began.elapsed()).as_secs_f64();
        figure("ingest, one sender, spans/s", &format!("{:.0}", self.spans as f64 / clock));
        let bytes = size(&self.folder);
        let each =
            if bytes == 0 { "–".to_owned() } else { format!("{:.1}", bytes as f64 / self.spans as f64) };
        figure("on disk, bytes per span", &each);
        figure("memory, most at ingest", &format!("{} MiB", self.peak()? >> 10));
        Ok(())
    }

    /// Until the last trace is found, and nothing more is done with what came.
    fn settle(&self) -> Result<()> {
        let last = format!("/api/traces/{}", trace_id(self.spans / TRACE - 1));
        let until = Instant::now() + PATIENCE;
        while self.ask(&last).is_err() || !self.done()? {
            ensure!(Instant::now() < until, "it does not get done with the spans");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn done(&self) -> Result<bool> {
        if self.own {
            let status: serde_json::Value = serde_json::from_str(&self.ask("/api/v1/status")?)?;
            let unsealed = status["store"]["unsealed_spans"].as_u64().context("no count of spans")?;
            return Ok(unsealed < Settings::new(PathBuf::new()).block_spans as u64);
        }
        let before = self.cpu_seconds()?;
        thread::sleep(QUIET);
        Ok(self.cpu_seconds()? - before < 0.03)
    }

    fn questions(&self) -> Result<()> {
        let traces = self.spans / TRACE;
        let ids: Vec<_> = (0..500).map(|n| trace_id(n * 7919 % traces)).collect();
        self.median("trace by id", ids.len(), |n| format!("/api/traces/{}", ids[n % ids.len()]))?;
        let times = format!("start={}&end={}", self.begin / 1000, u64::MAX / 2000);
        let tags = |route: &str| format!("%7B%22http.route%22%3A%22{route}%22%7D");
        let search = |route: &str| {
            format!("/api/traces?service=service-7&tags={}&minDuration=9ms&limit=20&{times}", tags(route))
        };
        let some = search("/api/v1/items/%7Bid%7D/3");
        self.median("search by service, attribute and duration, 20 whole traces", 20, |_| some.clone())?;
        let none = search("/nowhere");
        self.median("search that finds nothing, over all", 5, |_| none.clone())?;
        if !self.own {
            let lookback = "/api/dependencies?lookback=3600000".to_owned();
            return self.median("service map of the last hour", 10, |_| lookback.clone());
        }
        let list = "/api/v1/traces?service=service-7&attribute=http.route=/api/v1/items/%7Bid%7D/3&min_duration=9ms&limit=50";
        self.median("the same, summaries of 50 traces", 20, |_| list.to_owned())?;
        self.median("RED of the last hour, by service", 10, |_| "/api/v1/red?since=1h".to_owned())?;
        self.median("service map of the last hour", 10, |_| "/api/v1/map?since=1h".to_owned())
    }

    fn median(&self, name: &str, times: usize, path: impl Fn(usize) -> String) -> Result<()> {
        let mut all = Vec::with_capacity(times);
        for n in 0..times {
            let path = path(n);
            let began = Instant::now();
            // That nothing is found is an answer, too.
            let _answer = self.ask(&path);
            all.push(began.elapsed());
        }
        all.sort();
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
        let most = all.last().copied().unwrap_or_default();
        figure(name, &format!("{} ms (most {})", ms(all[all.len() / 2]), ms(most)));
        Ok(())
    }

    /// The body of the answer.
    fn ask(&self, path: &str) -> Result<String> {
        http(self.query, &format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {}", self.token), &[])
    }

    /// User and system time of the process (`proc_pid_stat(5)`, fields 14 and 15, in hundredths of a second).
    fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process))?;
        let (_, fields) = stat.rsplit_once(')').context("no stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("a short stat")?.parse()?) };
        Ok((ticks(11)? + ticks(12)?) / 100.0)
    }

    /// The most memory of the process that was resident, in KiB.
    fn peak(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

/// One request on a connection of its own; the body of its answer. Anything but success is an error.
fn http(place: SocketAddr, head: &str, body: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(place)?;
    stream.set_nodelay(true)?;
    let length = body.len();
    write!(stream, "{head}\r\nHost: {place}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (status, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    ensure!(status.get(9..12) == Some("200"), "{head}: {}", status.lines().next().unwrap_or_default());
    Ok(body.to_owned())
}

/// Bytes of all files in a folder.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
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

impl Target {
    fn batch(&self, first: u64, traces: u64) -> Vec<Span> {
        let all = (first..first + traces).flat_map(|n| (0..TRACE).map(move |at| (n, at)));
        let mut spans: Vec<Span> = all.map(|(n, at)| span(self.begin, n, at)).collect();
        spans.sort_by(|a, b| a.resource.service.cmp(&b.resource.service));
        spans
    }
}

fn attribute(key: &str, value: impl Into<Value>) -> Attribute {
    Attribute { key: key.into(), value: value.into() }
}

fn span(begin: u64, n: u64, at: u64) -> Span {
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
        start: begin + n * APART + at * 100_000 + noise(n) % 50_000,
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
