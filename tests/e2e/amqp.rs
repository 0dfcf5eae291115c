//! AMQP 0-9-1 as programs really speak it: RabbitMQ, a Python program (pika) and a Node one (amqplib).

use anyhow::{Context, Result, ensure};
use wirespan_tests::{
    agent::Agent,
    brokers::{Broker, Client, lines},
    span::{Kind, Span},
};

/// The trace that the clients name in their messages.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn all(spans: &[Span], kind: Kind) -> Vec<String> {
    lines(spans, "rabbitmq", kind)
}

fn hush(spans: &[Span]) -> Result<()> {
    ensure!(!format!("{spans:?}").contains("hush"), "a payload got out");
    Ok(())
}

/// What `programs/amqp.py` publishes, and what it is handed, once it is let through.
const PUBLISHED: &[&str] = &[
    "publish shop:orders.new",
    "publish shop:nowhere, error NO_ROUTE",
    "publish shop:orders.{id}",
    "publish shop:orders.new",
    "publish orders",
];
const DELIVERED: &[&str] = &[
    "deliver shop:orders.{id}:orders",
    "deliver shop:orders.new:orders, error reject, links 1",
    "deliver orders",
];
const CALLED: &[&str] = &[
    "exchange.declare shop",
    "queue.declare orders",
    "queue.bind orders",
    "confirm.select",
    "get shop:orders.new:orders, links 1",
    "ack",
    "qos",
    "consume orders",
    "cancel",
    "get orders",
    "queue.declare missing, error NOT_FOUND",
    "consume orders",
    "queue.delete orders",
];

fn pika_shows(spans: &[Span]) -> Result<()> {
    hush(spans)?;
    let (published, delivered) = (all(spans, Kind::Producer), all(spans, Kind::Consumer));
    ensure!(published == PUBLISHED, "{published:#?}");
    ensure!(delivered == DELIVERED, "{delivered:#?}");
    let called = all(spans, Kind::Client);
    for expected in CALLED.iter().chain(DELIVERED) {
        ensure!(called.iter().any(|line| line == expected), "no {expected} in {called:#?}");
    }
    let served = all(spans, Kind::Server);
    for expected in CALLED.iter().chain(PUBLISHED) {
        ensure!(served.iter().any(|line| line == expected), "no {expected} in {served:#?}");
    }
    Ok(())
}

/// The broker's end of a message hangs below the program's, and the other way round where the broker begins.
fn ends_meet(spans: &[Span], below: Kind, above: Kind, number: usize) -> Result<()> {
    let met = spans.iter().filter(|span| span.kind == below).filter(|span| {
        spans.iter().any(|other| other.kind == above && span.parent.as_ref() == Some(&other.id))
    });
    let met = met.count();
    ensure!(met >= number, "{met} spans of {below:?} below {above:?}");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn pika_and_rabbitmq_are_understood() -> Result<()> {
    let broker = Broker::rabbitmq()?;
    let agent = Agent::start()?;

    Client::start("amqp.py", &broker)?.pass()?;
    agent.until(2, "both ends of the last call", |span| span.name == "queue.delete orders")?;

    let spans = agent.stop()?;
    pika_shows(&spans)?;
    ends_meet(&spans, Kind::Server, Kind::Producer, PUBLISHED.len())?;
    ends_meet(&spans, Kind::Consumer, Kind::Client, DELIVERED.len())?;
    let linked = spans.iter().filter(|span| span.kind == Kind::Consumer && !span.links.is_empty());
    ensure!(linked.clone().count() == 1 && linked.clone().all(|span| span.links == [TRACE]));
    let named = spans.iter().filter(|span| span.kind == Kind::Producer && span.trace == TRACE);
    ensure!(named.count() == 2, "the trace in a message is its producer's");
    Ok(())
}

/// The connection and its channel are older than the daemon.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn an_older_connection_and_amqplib_are_understood() -> Result<()> {
    let broker = Broker::rabbitmq()?;
    let client = Client::start("amqp.py", &broker)?;
    let agent = Agent::start()?;

    client.pass()?;
    agent.until(2, "both ends of the last call", |span| span.name == "queue.delete orders")?;
    pika_shows(&agent.spans()?)?;
    Client::start("amqp.cjs", &broker)?.pass()?;
    agent.until(2, "both ends of the last call", |span| span.name == "queue.purge")?;

    let spans = agent.stop()?;
    hush(&spans)?;
    let published = all(&spans, Kind::Producer);
    ensure!(published[PUBLISHED.len()..] == ["publish shop:new"; 3], "{published:#?}");
    let delivered = all(&spans, Kind::Consumer);
    ensure!(delivered[DELIVERED.len()..] == ["deliver shop:new, links 1"; 2], "{delivered:#?}");
    Ok(())
}

/// What `programs/amqp_errors.py` is told.
const REFUSED: &[&str] = &[
    "exchange.declare amq.direct, error PRECONDITION_FAILED",
    "qos, error CHANNEL_ERROR",
    "connect, error NOT_ALLOWED",
];

/// A message is linked to the span that sent it, by its id alone.
fn linked_by_id(spans: &[Span]) -> Result<()> {
    let id = |span: &Span| span.text("messaging.message.id").map(str::to_owned);
    let handed = spans.iter().filter(|span| {
        span.kind == Kind::Consumer || span.kind == Kind::Client && span.name.starts_with("get named")
    });
    let mut number = 0;
    for span in handed.filter(|span| id(span).is_some()) {
        let sender = spans.iter().find(|other| other.kind == Kind::Producer && id(other) == id(span));
        let sender = sender.with_context(|| format!("nobody sent what came with {span:#?}"))?;
        ensure!(span.links == [sender.trace.clone()] && span.trace != sender.trace, "{sender:#?} {span:#?}");
        number += 1;
    }
    ensure!(number == 2, "{number} spans of messages that were handed on");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn refusals_are_told_and_messages_are_linked_by_their_ids() -> Result<()> {
    let broker = Broker::rabbitmq()?;
    let agent = Agent::start()?;

    Client::start("amqp_errors.py", &broker)?.pass()?;
    agent.until(2, "both ends of what was refused", |span| span.text("error.type") == Some("NOT_ALLOWED"))?;
    Client::start("amqp_ids.py", &broker)?.pass()?;
    agent.until(1, "the message that was pushed", |span| span.kind == Kind::Consumer)?;

    let spans = agent.stop()?;
    hush(&spans)?;
    for kind in [Kind::Client, Kind::Server] {
        let told = all(&spans, kind);
        for expected in REFUSED {
            ensure!(told.iter().any(|line| line == expected), "no {expected} in {told:#?}");
        }
    }
    let published = all(&spans, Kind::Producer);
    let missing = "publish missing:orders.new";
    ensure!(published[..2] == [missing, &format!("{missing}, error NOT_FOUND")], "{published:#?}");
    ensure!(all(&spans, Kind::Consumer).contains(&"channel.close, error NOT_FOUND".to_owned()));
    linked_by_id(&spans)
}
