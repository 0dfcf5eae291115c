//! What wirespan says about itself agrees with what was done, and it can be steered while it runs.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use wirespan_tests::{
    agent::{Agent, wirespan, without_ours},
    load,
    metrics::{self, value},
    servers::{Nginx, free_address},
    span::Kind,
    visitors::curl,
    wait,
};

const REQUESTS: u32 = 800;
const RATE: u32 = 2000;

/// Events of all processes of an executable.
fn processes(page: &str, executable: &str) -> Result<f64> {
    let sample = format!("wirespan_process_events_total{{executable=\"{executable}\",pid=\"");
    let values = page.lines().filter_map(|line| line.strip_prefix(&sample)?.split_once("\"} "));
    values.map(|(_, events)| events.parse::<f64>().context("a number of events")).sum()
}

/// A daemon that looks at one port and says there what it counts.
fn agent(pages: SocketAddr, port: u16) -> Result<Agent> {
    Agent::with(&["--metrics", &pages.to_string(), "--include-port", &port.to_string()])
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn the_figures_are_those_of_the_load() -> Result<()> {
    let (nginx, pages) = (Nginx::start()?, free_address()?);
    let agent = agent(pages, nginx.address.port())?;
    let made = f64::from(REQUESTS);

    load::pace(nginx.address, "/hello/figures", REQUESTS, RATE)?;

    let both_ends = [("wirespan_exchanges_total", 2.0 * made), ("wirespan_spans_total", 2.0 * made)];
    let page = metrics::until(pages, &both_ends)?;
    for (sample, expected) in [
        ("wirespan_links_total{method=\"wire\"}", made),
        ("wirespan_links_total{method=\"none\"}", made),
        ("wirespan_losses_total{cause=\"ring_full\"}", 0.0),
        ("wirespan_missing_bytes_total{cause=\"lost\"}", 0.0),
        ("wirespan_capture_ratio", 1.0),
        ("wirespan_unrecognised_connections_total", 0.0),
    ] {
        ensure!(value(&page, sample)? == expected, "{sample} is not {expected} on\n{page}");
    }
    let served = processes(&page, "nginx")?;
    ensure!(
        served >= 2.0 * made,
        "nginx read and wrote {made} times each, but has {served} events on\n{page}"
    );
    for sample in ["wirespan_bytes_total", "process_resident_memory_bytes", "process_cpu_seconds_total"] {
        ensure!(value(&page, sample)? > 0.0, "{sample} is zero on\n{page}");
    }
    ensure!(agent.stop()?.len() == 2 * REQUESTS as usize);
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn health_and_doctor_tell_the_same() -> Result<()> {
    let (nginx, pages) = (Nginx::start()?, free_address()?);
    let agent = agent(pages, nginx.address.port())?;

    let health: Value = serde_json::from_str(&curl(&[&format!("http://{pages}/healthz")])?)?;
    ensure!(health["status"] == "ok" && health["pid"] == agent.id(), "{health}");
    let attached = health["attached"].as_array().context("nothing is attached")?;
    ensure!(attached.len() >= 5, "{health}");

    let (code, report) = doctor(wirespan().args(["doctor", "--metrics", &pages.to_string()]))?;
    let daemon = finding(&report, "daemon")?;
    let expected = format!("process {} ", agent.id());
    ensure!(daemon["text"].as_str().is_some_and(|text| text.starts_with(&expected)), "{daemon}");
    ensure!(finding(&report, "plan")?["level"] != "broken" && code < 2, "{report:#}");
    Ok(())
}

/// Runs doctor; its exit status, which must be that of its report, and the report.
fn doctor(command: &mut Command) -> Result<(i32, Value)> {
    let output = command.args(["--output", "json"]).output().context("run doctor")?;
    let code = output.status.code().context("doctor was killed")?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("doctor said: {}", String::from_utf8_lossy(&output.stderr)))?;
    let level = match code {
        0 => "ok",
        1 => "limit",
        _ => "broken",
    };
    ensure!(report["level"] == level, "exit status {code}, but {report:#}");
    Ok((code, report))
}

fn finding<'a>(report: &'a Value, topic: &str) -> Result<&'a Value> {
    let findings = report["findings"].as_array().context("no findings")?;
    findings
        .iter()
        .find(|finding| finding["topic"] == topic)
        .with_context(|| format!("no {topic} in {report:#}"))
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn doctor_misses_what_it_lacks() -> Result<()> {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(wirespan().get_program());
    without_ours(&mut command);
    let (code, report) = doctor(command.args(["doctor", "--metrics", "off"]))?;

    ensure!(code == 2 && finding(&report, "privileges")?["level"] == "broken", "{report:#}");
    let advice = finding(&report, "privileges")?["advice"].as_str().unwrap_or_default();
    ensure!(advice.contains("root"), "{advice}");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_taken_port_does_not_stop_it() -> Result<()> {
    let (nginx, taken) = (Nginx::start()?, TcpListener::bind("127.0.0.1:0")?);
    let agent = agent(taken.local_addr()?, nginx.address.port())?;

    curl(&[&nginx.url("/hello/taken")])?;
    agent.until_path(2, "/hello/taken")?;
    ensure!(agent.words().contains("capturing all the same"), "{}", agent.words());
    Ok(())
}

/// The capabilities of each of its threads.
fn capabilities(pid: u32) -> Result<Vec<u64>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?;
    tasks
        .map(|task| {
            let status = fs::read_to_string(task?.path().join("status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("CapPrm:")).context("no CapPrm")?;
            Ok(u64::from_str_radix(line.trim(), 16)?)
        })
        .collect()
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn once_attached_it_gives_privileges_away() -> Result<()> {
    // CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYS_NICE, CAP_BPF of linux/capability.h.
    const KEPT: u64 = 1 << 2 | 1 << 19 | 1 << 23 | 1 << 39;
    let (nginx, pages) = (Nginx::start()?, free_address()?);
    let agent = agent(pages, nginx.address.port())?;

    let kept = capabilities(agent.id())?;
    ensure!(kept.len() >= 2 && kept.iter().all(|kept| kept & !KEPT == 0), "{kept:x?}");

    curl(&[&nginx.url("/hello/fewer")])?;
    agent.until_path(2, "/hello/fewer")?;
    let spans = agent.stop()?;
    let server = spans.iter().find(|span| span.kind == Kind::Server).context("no server span")?;
    ensure!(server.service() == "nginx", "a process of another user has its name: {server:#?}");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn sighup_reads_filters_and_redaction_again() -> Result<()> {
    let (nginx, pages, folder) = (Nginx::start()?, free_address()?, tempfile::tempdir()?);
    let file = folder.path().join("wirespan.yaml");
    let port = nginx.address.port();
    let write = |more: &str| fs::write(&file, format!("filter:\n  include_ports: [{port}]\n{more}"));
    write("")?;
    let path = file.to_str().context("a path of text")?;
    let agent = Agent::with(&["--metrics", &pages.to_string(), "--config", path])?;
    curl(&[&nginx.url("/hello/before?shoe=44")])?;
    agent.until_path(2, "/hello/before")?;

    write("redaction:\n  query_keys: [shoe]\n")?;
    agent.signal(Signal::HUP)?;
    metrics::until(pages, &[("wirespan_reloads_total{result=\"used\"}", 1.0)])?;
    curl(&[&nginx.url("/hello/redacted?shoe=45")])?;
    agent.until_path(2, "/hello/redacted")?;

    write("redaction:\n  kuery_keys: [shoe]\n")?;
    agent.signal(Signal::HUP)?;
    metrics::until(pages, &[("wirespan_reloads_total{result=\"refused\"}", 1.0)])?;
    ensure!(agent.words().contains("wirespan.yaml:4") && agent.words().contains("redaction.query_keys"));
    curl(&[&nginx.url("/hello/kept?shoe=46")])?;
    agent.until_path(2, "/hello/kept")?;

    write("  exclude_executables: ['*/nginx']\n")?;
    agent.signal(Signal::HUP)?;
    metrics::until(pages, &[("wirespan_reloads_total{result=\"used\"}", 2.0)])?;
    curl(&[&nginx.url("/hello/client")])?;
    agent.until_path(1, "/hello/client")?;

    let spans = agent.stop()?;
    let shows = |secret: &str| spans.iter().any(|span| format!("{span:?}").contains(secret));
    ensure!(shows("shoe=44") && !shows("=45") && !shows("=46"), "{spans:#?}");
    let last: Vec<_> =
        spans.iter().filter(|span| span.path() == "/hello/client").map(|span| span.kind).collect();
    ensure!(last == [Kind::Client], "nginx is left out: {last:?}");
    Ok(())
}

/// systemd's side of `sd_notify(3)`: a datagram socket whose path is in the environment.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn systemd_hears_how_it_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path)?;
    socket.set_read_timeout(Some(wait::DEADLINE))?;
    let hear = || -> Result<String> {
        let mut word = [0; 512];
        let length = socket.recv(&mut word).context("no word to systemd")?;
        Ok(String::from_utf8_lossy(word.get(..length).unwrap_or_default()).into_owned())
    };
    let mut command = wirespan();
    command.args(["agent", "--output", "json", "--metrics", "off"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");

    let agent = Agent::run(&mut command)?;
    ensure!(hear()?.contains("READY=1"));
    ensure!(hear()?.contains("WATCHDOG=1") && hear()?.contains("WATCHDOG=1"));
    agent.signal(Signal::HUP)?;
    let reloading = std::iter::from_fn(|| Some(hear()))
        .find(|word| !matches!(word, Ok(word) if word.contains("WATCHDOG")));
    let reloading = reloading.context("it is silent")??;
    ensure!(reloading.contains("RELOADING=1") && reloading.contains("MONOTONIC_USEC="), "{reloading}");
    ensure!(hear()?.contains("READY=1"));
    agent.stop()?;
    let stopping = std::iter::from_fn(|| Some(hear()))
        .find(|word| !matches!(word, Ok(word) if word.contains("WATCHDOG")));
    ensure!(stopping.context("it is silent")??.contains("STOPPING=1"));
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn top_counts_by_service_and_route() -> Result<()> {
    let nginx = Nginx::start()?;
    let mut top = wirespan();
    top.args(["top", "--once", "--interval", "3", "--output", "json"]);
    top.args(["--include-port", &nginx.address.port().to_string()]);
    let mut top = top.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut words = BufReader::new(top.stderr.take().context("errors are piped")?);
    let mut word = String::new();
    words.read_line(&mut word)?;
    ensure!(word.contains("capturing"), "top said: {word}");

    load::pace(nginx.address, "/hello/top", REQUESTS, RATE)?;

    let mut text = String::new();
    top.stdout.take().context("the output is piped")?.read_to_string(&mut text)?;
    ensure!(top.wait()?.success());
    let report: Value = serde_json::from_str(&text).with_context(|| format!("top printed: {text}"))?;
    let routes = report["routes"].as_array().context("no routes")?;
    let served = routes.iter().find(|route| route["service"] == "nginx" && route["kind"] == "server");
    let served = served.with_context(|| format!("nginx is not in {report:#}"))?;
    ensure!(served["requests"] == REQUESTS && served["errors"] == 0, "{served:#}");
    let (p50, p99) = (served["p50_ms"].as_f64(), served["p99_ms"].as_f64());
    ensure!(p50 > Some(0.0) && p50 <= p99 && served["rate"].as_f64() > Some(0.0), "{served:#}");
    ensure!(report["own"]["memory_bytes"].as_u64() > Some(0), "{report:#}");
    Ok(())
}
