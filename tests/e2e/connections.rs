//! Every form of connection: IPv6, UNIX sockets, sockets shared by fork, io_uring.

use std::{
    net::{TcpListener, TcpStream},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use wirespan_tests::{
    agent::Agent,
    metrics, program,
    servers::{Nginx, Server, free_address},
    span::{Kind, Span, count, of_kind, only},
    visitors::{Visitor, curl, request},
    wait,
};

/// The server's span of `path` is the child of the client's.
fn linked(spans: &[Span], path: &str) -> Result<()> {
    let (client, server) = (only(spans, Kind::Client, path)?, only(spans, Kind::Server, path)?);
    ensure!(
        server.parent.as_ref() == Some(&client.id) && server.is_within(client),
        "{client:#?} {server:#?}"
    );
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn ipv6() -> Result<()> {
    let (agent, server) = (Agent::start()?, Server::start(&["--ipv6"])?);

    ensure!(curl(&[&server.url("/hello/six")])? == "hello");
    agent.until_path(2, "/hello/six")?;

    let spans = agent.stop()?;
    linked(&spans, "/hello/six")?;
    let client = only(&spans, Kind::Client, "/hello/six")?;
    ensure!(client.text("network.peer.address") == Some("::1"), "{client:#?}");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn unix_socket() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("socket");
    let path = path.to_str().context("the folder's name is not text")?;
    let (agent, _server) = (Agent::start()?, Server::start(&["--unix", path])?);

    ensure!(curl(&["--unix-socket", path, "http://localhost/hello/unix"])? == "hello");
    agent.until_path(2, "/hello/unix")?;

    linked(&agent.stop()?, "/hello/unix")
}

/// Four processes accept from one listening socket; each request is the work of the one that answered it.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_listening_socket_shared_by_fork() -> Result<()> {
    let (agent, server) = (Agent::start()?, Server::start(&["--prefork", "4"])?);

    for number in 0..20 {
        curl(&[&server.url(&format!("/hello/forked-{number}"))])?;
    }
    agent.until(40, "both spans of 20 requests", |span| span.path().starts_with("/hello/forked-"))?;

    let spans = agent.stop()?;
    (0..20).try_for_each(|number| linked(&spans, &format!("/hello/forked-{number}")))?;
    let parent = u64::from(server.program.id());
    let servers = of_kind(&spans, Kind::Server);
    let by_the_parent = servers.iter().filter(|span| span.process() == Some(parent)).count();
    ensure!(by_the_parent == 0, "{by_the_parent} spans belong to the parent, which accepts nothing");
    Ok(())
}

/// The client's bytes pass no system call of the socket family: its requests tell where they are.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn io_uring() -> Result<()> {
    let (agent, nginx) = (Agent::start()?, Nginx::start()?);
    let address = nginx.address.to_string();

    let answer =
        program::run(Command::new(env!("CARGO_BIN_EXE_io_uring_get")).args([&address, "/hello/uring"]))?;
    ensure!(answer.ends_with("hello"), "{answer}");
    agent.until_path(2, "/hello/uring")?;

    linked(&agent.stop()?, "/hello/uring")
}

/// Where they cannot be read, the daemon says so: no silent blindness.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn io_uring_is_not_passed_over_in_silence() -> Result<()> {
    let (agent, nginx) = (Agent::with(&["--plan", "syscall"])?, Nginx::start()?);
    let address = nginx.address.to_string();

    program::run(Command::new(env!("CARGO_BIN_EXE_io_uring_get")).args([&address, "/hello/unread"]))?;
    agent
        .until(1, "the server's span", |span| span.kind == Kind::Server && span.path() == "/hello/unread")?;
    wait::until("a word about io_uring", || agent.words().contains("io_uring").then_some(()))?;

    let spans = agent.stop()?;
    only(&spans, Kind::Server, "/hello/unread")?;
    ensure!(count(&spans, Kind::Client, "/hello/unread") == 0);
    Ok(())
}

/// Whoever asks waits for the answer before the next question: so must the spans.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn requests_under_way_while_it_starts_get_no_others_answers() -> Result<()> {
    let (server, over) = (Nginx::start()?, AtomicBool::new(false));
    let spans = thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let mut visitor = Visitor::connect(server.address)?;
            while !over.load(Ordering::Relaxed) {
                visitor.send(&request("GET", "/hello/amid", server.address))?;
                visitor.answer()?;
                // A pace, so that nginx keeps the connection (for a thousand requests) to the end.
                thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        });
        let spans = Agent::start().and_then(|agent| {
            agent.until_path(100, "/hello/amid")?;
            agent.stop()
        });
        over.store(true, Ordering::Relaxed);
        traffic.join().map_err(|_| anyhow!("the traffic's thread panicked"))?.and(spans)
    })?;

    for kind in [Kind::Client, Kind::Server] {
        let mut told = of_kind(&spans, kind);
        told.retain(|span| span.path() == "/hello/amid");
        told.sort_by_key(|span| span.start);
        ensure!(told.len() > 20, "{} spans", told.len());
        for pair in told.windows(2) {
            ensure!(pair[0].end <= pair[1].start, "{:#?} and {:#?}", pair[0], pair[1]);
        }
    }
    Ok(())
}

/// Probes that connect and go: the daemon hears of both ends of each, and of both that they are over.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn connections_on_which_nothing_was_said_are_forgotten_when_they_end() -> Result<()> {
    const PROBES: u32 = 50;
    let (listener, pages) = (TcpListener::bind("127.0.0.1:0")?, free_address()?);
    let address = listener.local_addr()?;
    let port = address.port().to_string();
    let agent = Agent::with(&["--metrics", &pages.to_string(), "--include-port", &port])?;

    for _ in 0..PROBES {
        let probe = TcpStream::connect(address)?;
        let (accepted, _) = listener.accept()?;
        drop((probe, accepted));
    }

    let opened = ("wirespan_connection_changes_total{change=\"opened\"}", 2.0 * f64::from(PROBES));
    metrics::until(pages, &[opened, ("wirespan_connections", 0.0)])?;
    ensure!(agent.stop()?.is_empty(), "a span of nothing");
    Ok(())
}
