//! What goes wrong on a host, done on purpose. After each: the traced programs got and gave the same bytes, the daemon goes
//! on, and what it could not see is counted. `WIRESPAN_TEST_LONG=1` does each for as long as it takes to be sure.

use std::{
    env,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Signal, getrlimit, setrlimit};
use wirespan_tests::{
    agent::{Agent, wirespan},
    load, metrics,
    program::Program,
    servers::{Nginx, free_address},
    span::{Kind, count},
    visitors::{Visitor, curl, request},
    wait,
};

const REQUESTS: u32 = 400;
const RATE: u32 = 4000;

/// So often in every run, or where time is no matter.
fn times(short: u32, long: u32) -> u32 {
    if env::var_os("WIRESPAN_TEST_LONG").is_some() { long } else { short }
}

/// A daemon that looks at this server's port, and its pages.
fn agent(server: SocketAddr) -> Result<(Agent, SocketAddr)> {
    let pages = free_address()?;
    let port = server.port().to_string();
    Ok((Agent::with(&["--metrics", &pages.to_string(), "--include-port", &port])?, pages))
}

/// The daemon still shows a request, at both ends.
fn goes_on(agent: &Agent, nginx: &Nginx, path: &str) -> Result<()> {
    ensure!(curl(&[&nginx.url(path)])? == "hello");
    agent.until_path(2, path)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn killed_again_and_again_under_load() -> Result<()> {
    let nginx = Nginx::start()?;
    for round in 0..times(5, 200) {
        let agent = Agent::start()?;
        thread::scope(|scope| {
            // `pace` looks at every answer.
            let visitors = scope.spawn(|| load::pace(nginx.address, "/hello/killed", REQUESTS, RATE));
            let first = agent.until(1, "a span under load", |span| span.path() == "/hello/killed");
            agent.kill()?;
            visitors
                .join()
                .ok()
                .context("the load panicked")?
                .and(first)
                .with_context(|| format!("round {round}"))
        })?;
    }
    let agent = Agent::start()?;
    goes_on(&agent, &nginx, "/hello/after-all-kills")
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_storm_of_resets() -> Result<()> {
    let nginx = Nginx::start()?;
    let (agent, pages) = agent(nginx.address)?;
    let resets = times(300, 20_000);
    for number in 0..resets {
        let mut visitor = Visitor::connect(nginx.address)?;
        visitor.send(&request("GET", "/hello/reset", nginx.address))?;
        if number % 2 == 0 {
            ensure!(visitor.answer()? == b"hello");
        }
        visitor.reset()?;
    }
    goes_on(&agent, &nginx, "/hello/after-resets")?;
    metrics::until(pages, &[("wirespan_losses_total{cause=\"parser_failed\"}", 0.0)])?;
    let spans = agent.stop()?;
    let whole = count(&spans, Kind::Client, "/hello/reset");
    ensure!(whole >= resets as usize / 2, "{whole} client spans of {resets} requests, half of them answered");
    Ok(())
}

/// A peer that begins a message and never ends it, and one that only listens.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn half_open_peers() -> Result<()> {
    let nginx = Nginx::start()?;
    let (agent, _) = agent(nginx.address)?;
    let mut halves = Vec::new();
    for number in 0..times(50, 400) {
        let mut visitor = Visitor::connect(nginx.address)?;
        if number % 2 == 0 {
            visitor.send(b"GET /hello/half HTTP/1.1\r\nHo")?;
        }
        halves.push(visitor);
    }
    goes_on(&agent, &nginx, "/hello/beside-half-open")?;
    for mut visitor in halves.into_iter().step_by(2) {
        visitor.send(b"st: late\r\n\r\n")?;
        ensure!(visitor.answer()? == b"hello", "the other half comes late, and is answered");
    }
    agent.until_path(2, "/hello/half")
}

/// Connections that do nothing cost little, and leave nothing behind.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn many_idle_connections() -> Result<()> {
    let nginx = Nginx::start()?;
    // A client's address has some 28,000 ports for each of them.
    let listen = |host| TcpListener::bind((Ipv4Addr::new(127, 0, 0, host), 0));
    let listeners = (1..=5).map(listen).collect::<io::Result<Vec<_>>>()?;
    let agent = Agent::start()?;
    let before = agent.at_rest()?;
    let mut pairs = Vec::new();
    // Each pair takes two of this process's descriptors.
    let room = descriptors()?.saturating_sub(200) / 2;
    for listener in listeners.iter().cycle().take(times(5000, 100_000).min(room) as usize) {
        pairs.push((TcpStream::connect(listener.local_addr()?)?, listener.accept()?.0));
    }
    goes_on(&agent, &nginx, "/hello/beside-idle")?;
    let more = agent.memory_kib()?.saturating_sub(before);
    let allowed = (16 << 10) + pairs.len() as u64;
    ensure!(more < allowed, "{more} KiB more for {} idle connections", pairs.len());
    drop(pairs);
    goes_on(&agent, &nginx, "/hello/after-idle")
}

/// Raises the limit of open descriptors as far as it goes, and gives it.
fn descriptors() -> Result<u32> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("raise the limit of descriptors")?;
    Ok(limit.current.and_then(|limit| limit.try_into().ok()).unwrap_or(u32::MAX))
}

/// More connections at once than there is room for: those that were used longest ago are forgotten with the request that is
/// under way on them, which is shown as lost. And connections opened as fast as they can be.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn more_connections_than_it_can_follow() -> Result<()> {
    const ROOM: u32 = 64;
    let nginx = Nginx::start()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let pages = free_address()?;
    let ports = format!("{},{}", nginx.address.port(), listener.local_addr()?.port());
    let arguments = ["agent", "--output", "json", "--metrics", &pages.to_string(), "--include-port", &ports];
    let agent = Agent::run(wirespan().args(arguments).env("WIRESPAN_LIMITS_CONNECTIONS", ROOM.to_string()))?;
    let before = agent.at_rest()?;

    let held = times(300, 5000);
    held_at_once(&listener, held)?;
    agent.until_path(2 * held as usize, "/held")?;
    let forgotten = agent.spans()?.iter().filter(|span| span.text("wirespan.ending") == Some("lost")).count();
    ensure!(
        forgotten >= (2 * held - 2 * ROOM) as usize,
        "{forgotten} of {held} requests at two ends are lost"
    );
    let page = metrics::scrape(pages)?;
    let evicted = metrics::value(&page, "wirespan_connection_changes_total{change=\"evicted\"}")?;
    ensure!(
        evicted >= forgotten as f64,
        "{evicted} connections made room, {forgotten} requests were lost by it"
    );

    let each = times(500, 25_000);
    opened_without_a_pause(nginx.address, each)?;
    goes_on(&agent, &nginx, "/hello/after-the-flood")?;
    let more = agent.memory_kib()?.saturating_sub(before);
    ensure!(more < 16 << 10, "{more} KiB more after {} connections", 4 * each);
    let page = metrics::scrape(pages)?;
    let spans = agent.stop()?;
    let shown = count(&spans, Kind::Client, "/hello/flood") + count(&spans, Kind::Server, "/hello/flood");
    let lost = |cause| metrics::value(&page, &format!("wirespan_losses_total{{cause=\"{cause}\"}}"));
    let counted = lost("ring_full")? + lost("left_out")?;
    ensure!(shown == 8 * each as usize || counted > 0.0, "{shown} of {} shown, no loss counted", 8 * each);
    Ok(())
}

/// So many requests, each on a connection of its own, of which none is answered before all have been read.
fn held_at_once(listener: &TcpListener, connections: u32) -> Result<()> {
    let server = listener.local_addr()?;
    let bytes = request("GET", "/held", server);
    let mut pairs = Vec::new();
    for _ in 0..connections {
        let mut visitor = Visitor::connect(server)?;
        let (mut stream, _) = listener.accept()?;
        visitor.send(&bytes)?;
        let mut read = vec![0; bytes.len()];
        stream.read_exact(&mut read)?;
        ensure!(read == bytes);
        pairs.push((visitor, stream));
    }
    for (mut visitor, mut stream) in pairs {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld")?;
        ensure!(visitor.answer()? == b"held");
    }
    Ok(())
}

/// Connections with a request each, so many from each of four threads.
fn opened_without_a_pause(server: SocketAddr, each: u32) -> Result<()> {
    let bytes = request("GET", "/hello/flood", server);
    let visits = || -> Result<()> {
        for _ in 0..each {
            let mut visitor = Visitor::connect(server)?;
            visitor.send(&bytes)?;
            ensure!(visitor.answer()? == b"hello");
            // A port that waits (TIME_WAIT) would be missing soon.
            visitor.reset()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(visits));
        threads.into_iter().try_for_each(|thread| thread.join().ok().context("the load panicked")?)
    })
}

/// A client that is killed with its request half sent, or before it has read its answer.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn processes_that_die_in_the_middle() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let nginx = Nginx::start()?;
    let agent = Agent::start()?;
    for _ in 0..times(10, 500) {
        let url = format!("http://{address}/hello/dies");
        let client = Program::start(Command::new("curl").args(["--silent", "--noproxy", "*", &url]))?;
        let (mut stream, _) = listener.accept()?;
        let mut request = [0; 16];
        stream.read_exact(&mut request)?;
        ensure!(request.starts_with(b"GET /hello/dies "));
        client.signal(Signal::KILL)?;
        drop(client);
        // What the dead process sent is still there, whole, and then the end.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest)?;
        ensure!(rest.ends_with(b"\r\n\r\n"));
    }
    goes_on(&agent, &nginx, "/hello/after-deaths")
}

/// A reader that stands still loses what does not fit into the rings, and says how much.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_stopped_reader_counts_its_losses() -> Result<()> {
    const LOAD: u32 = 16_000;
    let nginx = Nginx::start()?;
    let (agent, pages) = agent(nginx.address)?;

    agent.signal(Signal::STOP)?;
    let answered = load::pace(nginx.address, "/hello/stopped", LOAD, 1_000_000);
    agent.signal(Signal::CONT)?;
    answered.context("the traced programs do not notice")?;

    let lost = wait::until("the losses on the page", || {
        let page = metrics::scrape(pages).ok()?;
        let lost = metrics::value(&page, "wirespan_losses_total{cause=\"ring_full\"}").ok()?;
        (lost > 0.0).then_some(lost)
    })?;
    goes_on(&agent, &nginx, "/hello/continued")?;
    let spans = agent.stop()?;
    let shown = count(&spans, Kind::Client, "/hello/stopped") + count(&spans, Kind::Server, "/hello/stopped");
    ensure!(shown < 2 * LOAD as usize, "{lost} records were lost, and yet all is shown");
    ensure!(shown > 0, "what the rings held is shown");
    Ok(())
}

/// What a collector may do to whoever sends to it.
#[derive(Clone, Copy, Debug)]
enum Collector {
    /// Nobody listens.
    Dead,
    /// Takes the connection and never answers.
    Slow,
    /// Breaks every connection off.
    Refuses,
    /// Answers with what is no HTTP.
    Lies,
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn collectors_that_are_dead_or_slow_or_refuse_or_lie() -> Result<()> {
    [Collector::Dead, Collector::Slow, Collector::Refuses, Collector::Lies]
        .into_iter()
        .try_for_each(|collector| with(collector).with_context(|| format!("a collector: {collector:?}")))
}

fn with(collector: Collector) -> Result<()> {
    let nginx = Nginx::start()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    if matches!(collector, Collector::Dead) {
        drop(listener);
    } else {
        // Ends with the test's process.
        thread::spawn(move || receive(&listener, collector));
    }
    let agent = Agent::with(&["--otlp", &endpoint, "--otlp-protocol", "http/protobuf"])?;
    for number in 0..times(3, 300) {
        goes_on(&agent, &nginx, &format!("/hello/collector-{number}"))?;
    }
    agent.kill()
}

fn receive(listener: &TcpListener, collector: Collector) {
    let mut kept = Vec::new();
    for mut stream in listener.incoming().flatten() {
        match collector {
            Collector::Slow => kept.push(stream),
            Collector::Lies => {
                let _gone = stream.write_all(b"\x16\x03\x01 200 OK, surely\r\n\r\n");
            }
            Collector::Dead | Collector::Refuses => drop(stream),
        }
    }
}
