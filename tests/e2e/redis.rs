//! Redis: a real server, redis-cli and a Python client; every command a client's and a server's span.

use std::process::Command;

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    program,
    servers::{Service, free_address, node, script},
    span::{Kind, Span, told},
    wait,
};

fn redis_cli(redis: &Service, arguments: &[&str]) -> Result<String> {
    program::run(Command::new("redis-cli").args(["-p", &redis.port()]).args(arguments))
}

fn is_redis(span: &Span) -> bool {
    span.text("db.system.name") == Some("redis")
}

/// What is told of a command: its text, its database and its error.
fn line(span: &Span) -> String {
    let text = |name| span.text(name).unwrap_or("-");
    format!("{} [{}] {}", text("db.query.text"), text("db.namespace"), text("error.type"))
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn commands_of_redis_cli_are_spans_of_both_sides() -> Result<()> {
    let (agent, redis) = (Agent::start()?, Service::redis()?);

    redis_cli(&redis, &["SET", "user:1", "hush-hush"])?;
    redis_cli(&redis, &["GET", "user:1"])?;
    redis_cli(&redis, &["-n", "3", "LPUSH", "list", "one", "two"])?;
    redis_cli(&redis, &["-3", "HGETALL", "none"])?;
    // The error is the answer; redis-cli succeeds.
    redis_cli(&redis, &["LPUSH", "user:1", "x"])?;
    agent.until(2, "the failure", |span| is_redis(span) && span.text("error.type") == Some("WRONGTYPE"))?;

    let spans = agent.stop()?;
    let expected = [
        "SET user:1 ? [0] -",
        "GET user:1 [0] -",
        "SELECT 3 [0] -",
        "LPUSH list ? ? [3] -",
        "HELLO ? [0] -",
        "HGETALL none [0] -",
        "LPUSH user:1 ? [0] WRONGTYPE",
    ];
    for kind in [Kind::Client, Kind::Server] {
        let found = told(&spans, kind, is_redis, line);
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    ensure!(!format!("{spans:?}").contains("hush-hush"), "a value got out");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_python_client_pipelines_and_pays_for_large_values_by_length() -> Result<()> {
    let (agent, redis) = (Agent::start()?, Service::redis()?);
    let large = format!(
        "*3\\r\\n$3\\r\\nSET\\r\\n$5\\r\\nlarge\\r\\n$100000\\r\\n{}\\r\\n\tOK\\r\\n",
        "x".repeat(100_000)
    );
    let two =
        "*2\\r\\n$4\\r\\nINCR\\r\\n$1\\r\\nn\\r\\n*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\nn\\r\\n\t$1\\r\\n1\\r\\n";
    let thirty = format!("{}\t:31\\r\\n", "*2\\r\\n$4\\r\\nINCR\\r\\n$1\\r\\nn\\r\\n".repeat(30));
    let end = "*2\\r\\n$3\\r\\nGET\\r\\n$3\\r\\nend\\r\\n\t$-1\\r\\n";

    script("calls.py", &[&redis.port(), &large, two, &thirty, end])?;
    agent.until(2, "the last command", |span| span.text("db.query.text") == Some("GET end"))?;

    let spans = agent.stop()?;
    let name = |span: &Span| span.name.clone();
    let expected = ["SET", "INCR", "GET", "PIPELINE INCR", "GET"];
    for kind in [Kind::Client, Kind::Server] {
        let found = told(&spans, kind, is_redis, name);
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    let batches = told(&spans, Kind::Client, is_redis, |span| {
        span.integer("db.operation.batch.size").map_or_else(String::new, |size| size.to_string())
    });
    ensure!(batches == ["", "", "", "30", ""], "{batches:?}");
    Ok(())
}

/// Debian's Redis 7.0 does not know `CLIENT SETINFO` yet.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn ioredis_is_understood() -> Result<()> {
    let (agent, redis) = (Agent::start()?, Service::redis()?);

    program::run(&mut node("redis.cjs", &[&redis.port()]))?;
    agent.until(2, "the last command", |span| span.text("db.query.text") == Some("get fence"))?;

    let spans = agent.stop()?;
    let greetings = ["hello", "client SETINFO", "select", "info"];
    let wanted = |span: &Span| is_redis(span) && !greetings.contains(&span.name.as_str());
    // Longer than a pipeline whose commands are told one by one.
    let keys: Vec<_> = (0..20).map(|number| format!("get key:{number}")).collect();
    let expected = [
        "set user:1 ? [2] -",
        "get user:1 [2] -",
        "lpush user:1 ? [2] WRONGTYPE",
        "multi [2] -",
        "set stock ? [2] -",
        "incr stock [2] -",
        "exec [2] -",
        &format!("{} [2] -", keys.join("; ")),
        "get fence [2] -",
    ];
    for kind in [Kind::Client, Kind::Server] {
        let found = told(&spans, kind, wanted, line);
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    ensure!(!format!("{spans:?}").contains("hush"), "a value got out");
    Ok(())
}

/// What is waited for comes while the client waits, from another connection.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn subscriptions_and_blocking_commands_of_ioredis_are_understood() -> Result<()> {
    let (agent, redis) = (Agent::start()?, Service::redis()?);

    program::run(&mut node("redis_waits.cjs", &[&redis.port()]))?;
    agent.until(2, "the last command", |span| span.text("db.query.text") == Some("get fence"))?;

    let spans = agent.stop()?;
    let greetings = ["hello", "client SETINFO", "select", "info", "client SETNAME"];
    let wanted = |span: &Span| is_redis(span) && !greetings.contains(&span.name.as_str());
    let expected = [
        "subscribe news more [0] -",
        "publish news ? [0] -",
        "unsubscribe news more [0] -",
        "blpop queue ? [0] -",
        "rpush queue ? [0] -",
        "xread ? ? ? stream ? [0] -",
        "xadd stream ? ? ? [0] -",
        "get fence [0] -",
    ];
    for kind in [Kind::Client, Kind::Server] {
        let found = told(&spans, kind, wanted, line);
        ensure!(found == expected, "{kind:?}: {found:#?}");
        let waits = spans.iter().find(|span| span.kind == kind && span.name == "blpop");
        let ends = spans.iter().find(|span| span.kind == kind && span.name == "rpush");
        ensure!(waits.zip(ends).is_some_and(|(waits, ends)| waits.end > ends.start), "{kind:?}");
    }
    ensure!(!format!("{spans:?}").contains("hush"), "a value got out");
    Ok(())
}

/// A node of a cluster that has but half of the slots says who has the others.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn redirects_of_a_cluster_are_errors() -> Result<()> {
    let agent = Agent::start()?;
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let buses = [free_address()?.port(), free_address()?.port()];
    let one = Service::redis_cluster(folders[0].path(), buses[0])?;
    let other = Service::redis_cluster(folders[1].path(), buses[1])?;
    let (port, peer) = (one.port(), other.port());
    redis_cli(&one, &["CLUSTER", "ADDSLOTSRANGE", "0", "8191"])?;
    redis_cli(&other, &["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"])?;
    redis_cli(&one, &["CLUSTER", "MEET", "127.0.0.1", &peer, &buses[1].to_string()])?;
    let whole =
        |node| redis_cli(node, &["CLUSTER", "INFO"]).is_ok_and(|info| info.contains("cluster_state:ok"));
    wait::until("both to know all slots", || (whole(&one) && whole(&other)).then_some(()))?;

    // Slots 15495 and 3300.
    let moved = redis_cli(&one, &["SET", "a", "hush-hush"])?;
    ensure!(moved.contains(&format!("MOVED 15495 127.0.0.1:{peer}")), "{moved}");
    redis_cli(&one, &["-c", "GET", "a"])?;
    redis_cli(&one, &["SET", "b", "hush-hush"])?;
    agent.until(2, "the last command", |span| span.text("db.query.text") == Some("SET b ?"))?;

    let spans = agent.stop()?;
    let wanted = |span: &Span| is_redis(span) && ["SET", "GET"].contains(&span.name.as_str());
    let expected = [
        format!("{port} SET a ? [0] MOVED"),
        format!("{port} GET a [0] MOVED"),
        format!("{peer} GET a [0] -"),
        format!("{port} SET b ? [0] -"),
    ];
    for kind in [Kind::Client, Kind::Server] {
        let found = told(&spans, kind, wanted, |span| {
            format!("{} {}", span.integer("server.port").unwrap_or_default(), line(span))
        });
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    ensure!(!format!("{spans:?}").contains("hush-hush"), "a value got out");
    Ok(())
}

/// Sixteen commands at once get a span each, 32 are more than configured.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn pipelines_of_redis_benchmark_are_spans_of_commands_or_of_themselves() -> Result<()> {
    let (agent, redis) = (Agent::start()?, Service::redis()?);
    let benchmark = |number: &str, pipeline: &str| {
        let load = ["-c", "1", "-n", number, "-P", pipeline, "-t", "set", "-q"];
        program::run(Command::new("redis-benchmark").args(["-p", &redis.port()]).args(load))
    };

    benchmark("160", "16")?;
    benchmark("96", "32")?;
    redis_cli(&redis, &["GET", "fence"])?;
    agent.until(2, "the last command", |span| span.text("db.query.text") == Some("GET fence"))?;

    let spans = agent.stop()?;
    for kind in [Kind::Client, Kind::Server] {
        let named = |name: &str| {
            let is = |span: &Span| is_redis(span) && span.name == name;
            told(&spans, kind, is, |span| format!("{:?}", span.integer("db.operation.batch.size")))
        };
        ensure!(named("SET") == ["None"; 160], "{kind:?}: {} spans of commands", named("SET").len());
        ensure!(named("PIPELINE SET") == ["Some(32)"; 3], "{kind:?}: {:?}", named("PIPELINE SET"));
    }
    Ok(())
}
