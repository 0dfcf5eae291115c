//! Kafka as programs really speak it: a broker 4.1, librdkafka (kcat) and a Node program (kafkajs).
//! `WIRESPAN_KAFKA` names the folder of its jars; `tests/recordings/kafka.pcap.gz` is such a run.

use std::process::Command;

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    brokers::{Broker, Client, lines},
    program,
    span::{Kind, Span},
};

/// The trace that the clients name in their records.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn all(spans: &[Span], kind: Kind) -> Vec<String> {
    lines(spans, "kafka", kind)
}

fn is(span: &Span, kind: Kind, name: &str) -> bool {
    span.kind == kind && span.name == name
}

fn both_show(spans: &[Span], expected: &[&str]) -> Result<()> {
    ensure!(!format!("{spans:?}").contains("hush"), "a payload got out");
    for kind in [Kind::Client, Kind::Server] {
        let found = all(spans, kind);
        for expected in expected {
            ensure!(found.iter().any(|line| line == expected), "{kind:?}: no {expected} in {found:#?}");
        }
    }
    Ok(())
}

/// The broker sends records from its files without reading them: who fetches them alone knows what they are.
fn polled(spans: &[Span], expected: &str) -> Result<()> {
    let found = all(spans, Kind::Client);
    ensure!(found.iter().any(|line| line == expected), "no {expected} in {found:#?}");
    ensure!(
        all(spans, Kind::Server).iter().any(|line| line.starts_with("poll orders")),
        "no fetch was served"
    );
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn kafkajs_and_kafka_are_understood() -> Result<()> {
    let broker = Broker::kafka()?;
    let client = Client::start("kafka.cjs", &broker)?;
    // Its connections are older than the daemon, but for the consumer's.
    let agent = Agent::start()?;

    client.pass()?;
    agent.until(2, "both ends of the last call", |span| span.name == "LeaveGroup")?;

    let spans = agent.stop()?;
    both_show(
        &spans,
        &[
            "JoinGroup, group workers",
            "SyncGroup, group workers",
            "OffsetFetch orders, group workers",
            "commit orders, group workers",
            "LeaveGroup, group workers",
            "Metadata, error UNKNOWN_TOPIC_OR_PARTITION",
        ],
    )?;
    polled(&spans, "poll orders, records 5, links 4")?;
    let sent = all(&spans, Kind::Producer);
    let expected = ["send orders, records 1", "send orders, records 3, links 2", "send orders, records 1"];
    ensure!(sent == expected, "{sent:#?}");
    let served = all(&spans, Kind::Server);
    ensure!(served.iter().filter(|line| line.starts_with("send orders")).eq(&expected), "{served:#?}");
    let named = spans.iter().filter(|span| span.kind == Kind::Producer && span.trace == TRACE);
    ensure!(named.count() == 2, "the trace in a record is its producer's");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn librdkafka_and_kafka_are_understood() -> Result<()> {
    let broker = Broker::kafka()?;
    let agent = Agent::start()?;
    let kcat = |shell: &str| {
        let command = format!("{shell} -b {}", broker.address);
        program::run(Command::new("sh").args(["-c", &command]))
    };

    Client::start("kafka.cjs", &broker)?.pass()?;
    kcat(&format!("printf 'hush\\n' | kcat -P -t orders -H traceparent=00-{TRACE}-b7ad6b7169203331-01"))?;
    // Both in one request: librdkafka hands what waited for the topic's metadata to the partition one by one, and without a
    // linger its other thread may send the first before the second is there (4 of 150 runs).
    kcat("printf 'hush\\nhush\\n' | kcat -P -t orders -X acks=0 -X linger.ms=1000 -z gzip")?;
    kcat("kcat -C -t orders -o 5 -c 3 -q")?;
    agent.until(1, "the fetch", |span| {
        span.integer("messaging.batch.message_count") == Some(3) && span.name == "poll orders"
    })?;

    let spans = agent.stop()?;
    both_show(&spans, &["Metadata orders", "ApiVersions"])?;
    polled(&spans, "poll orders, records 3, links 1")?;
    let sent: Vec<_> = spans
        .iter()
        .filter(|span| is(span, Kind::Producer, "send orders"))
        .map(|span| span.service())
        .collect();
    ensure!(sent.iter().filter(|service| **service == "kcat").count() == 2, "{sent:#?}");
    Ok(())
}
