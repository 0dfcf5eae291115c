//! `wirespan trace`: the spans of one command, or of one process, and of nothing else.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use wirespan_tests::{
    agent::{Agent, wirespan},
    program::Program,
    servers::{Nginx, Server},
    span::{Kind, Span, only},
    visitors::curl,
    wait,
};

fn read(file: &Path) -> Result<Vec<Span>> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    text.lines().map(Span::parse).collect()
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_commands_spans_and_no_others() -> Result<()> {
    let nginx = Nginx::start()?;
    let folder = tempfile::tempdir()?;
    let [file, started, go] = ["spans", "started", "go"].map(|name| folder.path().join(name));
    let (first, second) = (nginx.url("/hello/traced-1"), nginx.url("/hello/traced-2"));
    let script = format!(
        "curl -s {first}; : >{}; until [ -e {} ]; do sleep 0.01; done; curl -s {second}",
        started.display(),
        go.display()
    );

    let mut command = wirespan();
    command.args(["trace", "--output", "json", "-o"]).arg(&file).args(["--", "sh", "-c", &script]);
    let mut trace = Program::start(&mut command)?;
    wait::until("the traced command to start", || started.exists().then_some(()))?;
    curl(&[&nginx.url("/hello/untraced")])?;
    fs::write(&go, "")?;
    let status = trace.wait()?;

    ensure!(status.success(), "{status}");
    let spans = read(&file)?;
    for path in ["/hello/traced-1", "/hello/traced-2"] {
        ensure!(only(&spans, Kind::Client, path)?.service() == "curl");
    }
    ensure!(spans.len() == 2, "{spans:#?}");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn the_commands_status_is_passed_on() -> Result<()> {
    for code in [0, 7] {
        let mut trace =
            Program::start(wirespan().args(["trace", "--", "sh", "-c", &format!("exit {code}")]))?;
        let status = trace.wait()?;
        ensure!(status.code() == Some(code), "{status} instead of {code}");
    }
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn one_process_by_its_id() -> Result<()> {
    let (server, other) = (Server::start(&[])?, Server::start(&[])?);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("spans");
    let process = server.program.id().to_string();

    let mut command = wirespan();
    let trace = Agent::run(command.args(["trace", "--output", "json", "-p", &process, "-o"]).arg(&file))?;
    curl(&[&other.url("/hello/unseen")])?;
    curl(&[&server.url("/hello/seen")])?;
    wait::until("the span of the traced process", || {
        fs::read_to_string(&file).is_ok_and(|text| text.contains("/hello/seen")).then_some(())
    })?;
    trace.signal(Signal::INT)?;
    trace.wait()?;

    let spans = read(&file)?;
    ensure!(spans.len() == 1, "{spans:#?}");
    ensure!(only(&spans, Kind::Server, "/hello/seen")?.process() == Some(server.program.id().into()));
    Ok(())
}
