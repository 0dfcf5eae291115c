//! DNS: dnsmasq and systemd-resolved as servers, dig, a Python program and Node's resolver (c-ares) as clients, over UDP and TCP.

use std::{env, process::Command};

use anyhow::{Context, Result, ensure};
use wirespan_tests::{
    agent::Agent,
    program,
    servers::{Service, node, program_file},
    span::{Kind, Span, told},
};

const RECORDS: &[&str] = &[
    "--local=/test/",
    "--host-record=host.test,10.2.2.2",
    "--cname=alias.test,host.test",
    "--txt-record=text.test,hello",
];

fn dig(server: &Service, arguments: &[&str]) -> Result<String> {
    let port = server.port();
    let common = ["@127.0.0.1", "-p", &port, "+short", "+tries=1", "+time=10"];
    program::run(Command::new("dig").args(common).args(arguments))
}

fn is_dns(span: &Span) -> bool {
    span.text("dns.question.name").is_some()
}

/// What is told of a question: the span's name, what was asked for, the code, and the error.
fn line(span: &Span) -> String {
    let text = |name| span.text(name).unwrap_or("-");
    let (name, code) = (text("dns.question.name"), text("wirespan.dns.response_code"));
    format!("{} {name} {code} {} {}", span.name, text("network.transport"), text("error.type"))
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn questions_of_dig_are_spans_of_both_sides() -> Result<()> {
    let (agent, server) = (Agent::start()?, Service::dnsmasq(RECORDS)?);

    ensure!(dig(&server, &["alias.test", "A"])?.ends_with("10.2.2.2\n"));
    dig(&server, &["none.test", "A"])?;
    dig(&server, &["+tcp", "text.test", "TXT"])?;
    agent.until(2, "both sides of the last question", |span| {
        span.text("dns.question.name") == Some("text.test")
    })?;

    let spans = agent.stop()?;
    let client = told(&spans, Kind::Client, is_dns, line);
    let expected = [
        "QUERY A alias.test NOERROR udp -",
        "QUERY A none.test NXDOMAIN udp host_not_found",
        "QUERY TXT text.test NOERROR tcp -",
    ];
    ensure!(client == expected, "{client:#?}");
    let server = told(&spans, Kind::Server, is_dns, line);
    let expected: Vec<_> = expected.iter().map(|line| line.replace("host_not_found", "-")).collect();
    ensure!(server == expected, "{server:#?}");
    Ok(())
}

/// All are asked at once, through one socket that is not connected.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn several_questions_in_flight_are_told_apart() -> Result<()> {
    let (agent, server) = (Agent::start()?, Service::dnsmasq(RECORDS)?);
    let names = ["host.test", "alias.test", "none.test"];

    wirespan_tests::servers::script("resolve.py", &[&[server.port().as_str()], &names[..]].concat())?;
    agent.until(6, "both sides of three questions", is_dns)?;

    let spans = agent.stop()?;
    for kind in [Kind::Client, Kind::Server] {
        let mut found = told(&spans, kind, is_dns, line);
        found.sort_unstable();
        let error = if kind == Kind::Client { "host_not_found" } else { "-" };
        let expected = [
            "QUERY A alias.test NOERROR udp -".to_owned(),
            "QUERY A host.test NOERROR udp -".to_owned(),
            format!("QUERY A none.test NXDOMAIN udp {error}"),
        ];
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    Ok(())
}

/// c-ares asks through sockets of its own that are connected.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn the_resolver_of_node_is_understood() -> Result<()> {
    let (agent, server) = (Agent::start()?, Service::dnsmasq(RECORDS)?);

    program::run(&mut node("dns.cjs", &[&server.port()]))?;
    agent.until(2, "both sides of the last question", |span| {
        span.text("dns.question.name") == Some("text.test")
    })?;

    let spans = agent.stop()?;
    for kind in [Kind::Client, Kind::Server] {
        let error = if kind == Kind::Client { "host_not_found" } else { "-" };
        let expected = [
            "QUERY A alias.test NOERROR udp -".to_owned(),
            format!("QUERY AAAA none.test NXDOMAIN udp {error}"),
            "QUERY TXT text.test NOERROR udp -".to_owned(),
        ];
        let found = told(&spans, kind, is_dns, line);
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    Ok(())
}

/// As dnsmasq or systemd-resolved stands between programs and the servers of the net: one question is asked twice.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_forwarder_answers_and_asks() -> Result<()> {
    let agent = Agent::start()?;
    let behind = Service::dnsmasq(RECORDS)?;
    let forwarder = Service::dnsmasq(&[&format!("--server=127.0.0.1#{}", behind.port())])?;

    ensure!(dig(&forwarder, &["host.test", "A"])? == "10.2.2.2\n");
    agent.until(4, "both sides of both questions", is_dns)?;

    let spans = agent.stop()?;
    for kind in [Kind::Client, Kind::Server] {
        let found = told(&spans, kind, is_dns, |span| format!("{} {}", span.service(), line(span)));
        let who = if kind == Kind::Client { ["dig", "dnsmasq"] } else { ["dnsmasq"; 2] };
        let mut found: Vec<_> = found.iter().map(String::as_str).collect();
        found.sort_unstable();
        let expected = who.map(|who| format!("{who} QUERY A host.test NOERROR udp -"));
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    Ok(())
}

/// systemd-resolved answers programs on an address of its own, and asks a server of the net.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn systemd_resolved_answers_and_asks() -> Result<()> {
    let resolved = env::var_os("WIRESPAN_RESOLVED").context("WIRESPAN_RESOLVED names no systemd-resolved")?;
    let agent = Agent::start()?;

    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--propagation", "private", "sh"]);
    let answers = program::run(command.arg(program_file("resolved.sh")).arg(resolved))?;
    ensure!(answers == "host.shop.example.\n10.2.2.2\n10.2.2.2\n", "{answers}");
    let is_asked = |span: &Span| span.text("dns.question.name") == Some("host.shop.example");
    agent.until(4, "both sides of both questions", is_asked)?;

    let spans = agent.stop()?;
    for kind in [Kind::Client, Kind::Server] {
        let wanted =
            |span: &Span| is_dns(span) && span.text("dns.question.name") != Some("ready.shop.example");
        let mut found = told(&spans, kind, wanted, |span| format!("{} {}", span.service(), line(span)));
        found.sort_unstable();
        // Where there is no such name it asks once more, in another way (DVE-2018-0001: servers that do not know EDNS).
        found.dedup();
        let (front, behind) =
            if kind == Kind::Client { ("dig", "systemd-resolved") } else { ("systemd-resolved", "dnsmasq") };
        let error = if kind == Kind::Client { "host_not_found" } else { "-" };
        let question = |who: &str, transport: &str| {
            [
                format!("{who} QUERY A alias.shop.example NOERROR udp -"),
                format!("{who} QUERY A host.shop.example NOERROR {transport} -"),
                format!("{who} QUERY A none.shop.example NXDOMAIN udp {error}"),
            ]
        };
        let mut expected = [question(front, "tcp"), question(behind, "udp")].concat();
        expected.sort_unstable();
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    Ok(())
}
