//! Kafka on a connection: calls in, exchanges out. The conversations are those of librdkafka (kcat), kafkajs and Kafka's own
//! client with a broker 4.1.

mod messaging;

use messaging::{attribute, carriers, from, lines, play, shows, without};
use wirespan_protocol::{
    event::Direction,
    exchange::{Ending, Role},
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Bench, STEP, received, recorded, sent, talk},
};

const KAFKAJS: &str = include_str!("captures/kafka/kafkajs-produce.txt");
const JAVA_METADATA: &str = include_str!("captures/kafka/java-metadata.txt");
const JAVA_PRODUCE: &str = include_str!("captures/kafka/java-produce.txt");
const JAVA_FETCH: &str = include_str!("captures/kafka/java-fetch.txt");

const LABELS: &[(&str, &str)] = &[
    ("version", "wirespan.kafka.api_version"),
    ("partition", "messaging.destination.partition.id"),
    ("group", "messaging.consumer.group.name"),
    ("acks", "wirespan.kafka.acks"),
    ("records", "messaging.batch.message_count"),
    ("offset", "messaging.kafka.offset"),
];

#[test]
fn librdkafka_is_followed() {
    shows(
        include_str!("captures/kafka/kcat-produce.txt"),
        LABELS,
        &[
            "ApiVersions, version 3",
            "Metadata orders, version 4",
            "send orders, version 7, partition 0, acks -1, records 1, offset 5",
        ],
    );
    shows(
        include_str!("captures/kafka/kcat-consume.txt"),
        LABELS,
        &[
            "ApiVersions, version 3",
            "Metadata orders, version 4",
            "Metadata orders, version 4",
            "ListOffsets orders, version 2, partition 0",
            "poll orders, version 11, partition 0, records 8, links 5",
            "poll orders, version 11, partition 0, records 0",
            "poll orders, version 11, partition 0, records 0",
        ],
    );
}

/// Nobody answers `acks=0`; records that are compressed are counted.
#[test]
fn fire_and_forget_is_over_when_it_is_sent() {
    let expected = [
        "ApiVersions, version 3",
        "Metadata orders, version 4",
        "send orders, version 7, partition 0, acks 0, records 2",
    ];
    shows(include_str!("captures/kafka/kcat-silent.txt"), LABELS, &expected);
}

#[test]
fn kafkajs_is_followed() {
    shows(
        include_str!("captures/kafka/kafkajs-admin.txt"),
        LABELS,
        &[
            "ApiVersions, version 2",
            "Metadata __consumer_offsets, version 6, partition 0",
            "CreateTopics orders, version 3",
            "Metadata orders, version 6",
        ],
    );
    shows(
        KAFKAJS,
        LABELS,
        &[
            "ApiVersions, version 2",
            "Metadata orders, version 6",
            "send orders, version 7, partition 0, acks -1, records 1, offset 0",
            "send orders, version 7, partition 0, acks -1, records 3, links 2",
            "send orders, version 7, partition 0, acks 0, records 1",
            "Metadata, version 6, error UNKNOWN_TOPIC_OR_PARTITION",
            "Metadata, version 6, error UNKNOWN_TOPIC_OR_PARTITION",
        ],
    );
    shows(
        include_str!("captures/kafka/kafkajs-group.txt"),
        LABELS,
        &[
            "ApiVersions, version 2",
            "Metadata orders, version 6",
            "FindCoordinator, version 2",
            "JoinGroup, version 5, group workers",
            "JoinGroup, version 5, group workers",
            "Metadata orders, version 6",
            "SyncGroup, version 3, group workers",
            "OffsetFetch orders, version 4, partition 0, group workers",
            "ListOffsets orders, version 3, partition 0",
            "commit orders, version 5, partition 0, group workers",
            "commit orders, version 5, partition 0, group workers",
            "LeaveGroup, version 3, group workers",
        ],
    );
    let fetched = ["poll orders, version 11, partition 0, records 5, links 4"];
    shows(include_str!("captures/kafka/kafkajs-fetch.txt"), LABELS, &fetched);
}

/// One transaction that is committed, with an offset of a group, and one that is aborted.
#[test]
fn transactions_are_followed() {
    shows(
        include_str!("captures/kafka/kafkajs-transactions.txt"),
        LABELS,
        &[
            "ApiVersions, version 2",
            "Metadata orders, version 6, partition 0",
            "InitProducerId, version 1, error COORDINATOR_LOAD_IN_PROGRESS",
            "InitProducerId, version 1",
            "FindCoordinator, version 2, error COORDINATOR_NOT_AVAILABLE",
            "FindCoordinator, version 2",
            "InitProducerId, version 1",
            "Metadata orders, version 6",
            "FindCoordinator, version 2",
            "AddPartitionsToTxn orders, version 1, partition 0",
            "send orders, version 7, partition 0, acks -1, records 1, offset 0",
            "FindCoordinator, version 2",
            "AddOffsetsToTxn, version 1, group workers",
            "FindCoordinator, version 2, error COORDINATOR_NOT_AVAILABLE",
            "FindCoordinator, version 2",
            "commit orders, version 1, partition 0, group workers",
            "FindCoordinator, version 2",
            "EndTxn, version 1",
            "FindCoordinator, version 2",
            "AddPartitionsToTxn orders, version 1, partition 0, error CONCURRENT_TRANSACTIONS",
            "Metadata orders, version 6",
            "FindCoordinator, version 2",
            "AddPartitionsToTxn orders, version 1, partition 0",
            "send orders, version 7, partition 0, acks -1, records 1, offset 2",
            "FindCoordinator, version 2",
            "EndTxn, version 1",
        ],
    );
}

/// The newest versions: flexible ones, and topics by their ids, of which this connection does not know the names.
#[test]
fn flexible_versions_and_topic_ids_of_kafkas_own_client_are_followed() {
    shows(
        JAVA_METADATA,
        LABELS,
        &[
            "ApiVersions, version 4",
            "Metadata orders, version 13",
            "InitProducerId, version 5, error COORDINATOR_LOAD_IN_PROGRESS",
        ],
    );
    shows(
        JAVA_PRODUCE,
        LABELS,
        &[
            "ApiVersions, version 4",
            "InitProducerId, version 5",
            "send, version 13, partition 0, acks -1, records 2",
        ],
    );
    shows(
        JAVA_FETCH,
        LABELS,
        &[
            "ApiVersions, version 4",
            "ListOffsets orders, version 10, partition 0",
            "poll, version 18, partition 0, records 7, links 4",
            "poll, version 18, partition 0, records 0",
            "poll, version 18, records 0",
            "poll, version 18, records 0",
        ],
    );
    shows(
        include_str!("captures/kafka/java-group.txt"),
        LABELS,
        &[
            "ApiVersions, version 4",
            "ConsumerGroupHeartbeat orders, version 1, group g",
            "ConsumerGroupHeartbeat, version 1, partition 0, group g",
            "OffsetFetch orders, version 9, partition 0, group g",
            "commit orders, version 9, partition 0, group g",
            "ConsumerGroupHeartbeat, version 1, group g",
            "commit orders, version 9, partition 0, group g",
            "ConsumerGroupHeartbeat, version 1, group g",
        ],
    );
}

/// A client asks one broker for names and sends ids to another.
#[test]
fn names_of_topics_are_learned_from_any_connection() {
    let asked = play(&recorded(JAVA_METADATA, Side::Client), Side::Client);
    for text in [JAVA_PRODUCE, JAVA_FETCH] {
        let mut bench = Bench::new(REGISTRY, Side::Client);
        bench.settings.topics = asked.settings.topics.clone();
        bench.play(&recorded(text, Side::Client));
        let named = |name: &str| {
            let found = bench.exchanges().find(|exchange| exchange.method == name);
            found.and_then(|exchange| attribute(exchange, "messaging.destination.name"))
        };
        assert_eq!(named("send").or_else(|| named("poll")).as_deref(), Some("orders"));
    }
}

#[test]
fn producers_are_producers_and_brokers_are_servers() {
    let roles = |side| {
        let bench = play(&recorded(KAFKAJS, side), side);
        let role =
            |name: &str| bench.exchanges().find(|exchange| exchange.method == name).map(|found| found.role);
        ["send", "Metadata"].map(|name| role(name).expect("there is one"))
    };
    assert_eq!(roles(Side::Client), [Role::Producer, Role::Client]);
    assert_eq!(roles(Side::Server), [Role::Server, Role::Server]);
}

/// The context of a single record is the cause of its send; those of several are links.
#[test]
fn contexts_in_records_are_causes_and_links() {
    let bench = play(&recorded(KAFKAJS, Side::Client), Side::Client);
    let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(carriers(&bench), [trace, trace]);
    let links = bench.exchanges().flat_map(|exchange| &exchange.links).flatten();
    let links: Vec<_> = links.map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(links, [trace, trace]);
}

#[test]
fn attributes_follow_the_conventions() {
    let bench = play(&recorded(KAFKAJS, Side::Server), Side::Server);
    let send = bench.exchanges().find(|exchange| exchange.method == "send").expect("a send");
    for (name, value) in [
        ("messaging.system", "kafka"),
        ("messaging.operation.name", "send"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.name", "orders"),
        ("messaging.destination.partition.id", "0"),
        ("messaging.client.id", "shop"),
        ("messaging.batch.message_count", "1"),
        ("server.address", "10.0.0.2"),
    ] {
        assert_eq!(attribute(send, name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn a_connection_older_than_the_daemon_is_followed() {
    let calls = recorded(KAFKAJS, Side::Client);
    let all = lines(&calls, Side::Client, &[]);
    for side in [Side::Client, Side::Unknown] {
        // An answer comes first, whose request nobody saw.
        let place = calls.iter().position(|call| call.direction == Direction::Received).expect("an answer");
        assert_eq!(lines(&calls[place..], side, &[]), all[1..], "{side:?}");
        assert_eq!(lines(from(&calls, b"orders"), side, &[]), all[1..], "{side:?}");
    }
}

#[test]
fn a_lost_call_costs_what_was_in_it() {
    for text in [KAFKAJS, JAVA_FETCH] {
        let calls = recorded(text, Side::Client);
        let all = lines(&calls, Side::Client, &[]).len();
        for direction in [Direction::Sent, Direction::Received] {
            let number = calls.iter().filter(|call| call.direction == direction).count();
            for which in 1..number {
                let told = lines(&without(&calls, direction, which), Side::Client, &[]);
                let made_up = |line: &&String| line.contains("timeout") || line.contains("closed");
                assert_eq!(told.iter().find(made_up), None, "{direction:?} {which}");
                assert!(told.len() + 1 >= all, "{direction:?} {which}: {told:#?}");
            }
        }
    }
}

/// `Produce` version 3 of one topic and partition; `length` bytes of records follow.
fn produce(correlation: u32, topics: u32, length: u32) -> Vec<u8> {
    let mut body = b"\0\0\0\x03".to_vec();
    body.extend(correlation.to_be_bytes());
    body.extend(b"\0\x03app\xff\xff\xff\xff\0\0\0\x64");
    body.extend(topics.to_be_bytes());
    body.extend(b"\0\x06orders\0\0\0\x01\0\0\0\x07");
    body.extend(length.to_be_bytes());
    let size = u32::try_from(body.len()).expect("short") + length;
    [&size.to_be_bytes()[..], &body].concat()
}

/// The answer: partition 7, no error, at offset 9.
fn produced(correlation: u32) -> Vec<u8> {
    let mut body = correlation.to_be_bytes().to_vec();
    body.extend(b"\0\0\0\x01\0\x06orders\0\0\0\x01\0\0\0\x07\0\0\0\0\0\0\0\0\0\x09\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0");
    [&u32::try_from(body.len()).expect("short").to_be_bytes()[..], &body].concat()
}

/// Records cost their length: the kernel copies none of them, and what follows is read all the same.
#[test]
fn large_batches_are_passed_over() {
    let head = produce(1, 1, 500_000);
    let bytes = head.len() as u64 + 500_000;
    let calls = vec![
        sent(head).gap(Gap::NotCopied, 500_000),
        received(produced(1)),
        sent(produce(2, 1, 0)),
        received(produced(2)),
    ];
    let bench = play(&talk(calls), Side::Client);
    let sizes: Vec<_> = bench.exchanges().map(|exchange| exchange.request.bytes).collect();
    assert_eq!(sizes, [bytes, bytes - 500_000]);
    let told: Vec<_> = bench
        .exchanges()
        .map(|exchange| (exchange.request.truncated, attribute(exchange, "messaging.batch.message_count")))
        .collect();
    assert_eq!(told, [(false, None), (false, Some("0".to_owned()))]);
}

#[test]
fn a_cut_head_is_told_and_marked() {
    let calls = vec![sent(produce(1, 2, 9000)).gap(Gap::NotCopied, 9000), received(produced(1))];
    let bench = play(&talk(calls), Side::Client);
    let exchange = bench.exchanges().next().expect("it is told");
    assert_eq!(attribute(exchange, "messaging.destination.name").as_deref(), Some("orders"));
    assert!(exchange.request.truncated);
}

/// Answers find their requests in any order.
#[test]
fn answers_are_paired_by_their_numbers() {
    let asks = (1..=3).flat_map(|number| produce(number, 1, 0)).collect::<Vec<_>>();
    let mut calls = vec![sent(asks)];
    calls.extend([3, 1, 2].map(|number| received(produced(number))));
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(calls)).finish(Ending::Closed, 9 * STEP);
    testing::every_opening_ends_once(&bench.out);
    assert_eq!(bench.exchanges().map(|exchange| exchange.key.sub).collect::<Vec<_>>(), [3, 1, 2]);
    assert!(bench.exchanges().all(|exchange| exchange.ending == Ending::Answered));
}

/// A version that is newer than the tables: what it is and by whom is told.
#[test]
fn a_version_of_the_future_is_told_without_its_details() {
    let ask = b"\0\0\0\x12\0\0\0\x0f\0\0\0\x01\0\x03app\0\x01\x02\x03\x04";
    let answer = b"\0\0\0\x06\0\0\0\x01\0\0";
    let calls = vec![sent(ask), received(answer)];
    assert_eq!(lines(&talk(calls), Side::Client, LABELS), ["send, version 15"]);
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![
        sent(request(18, 0, 1, b"")),
        received(answer),
        sent(request(0, 15, 2, b"\x01\x02")),
    ]));
    bench.tick(1000 * STEP);
    let endings: Vec<_> = bench.exchanges().map(|exchange| exchange.ending).collect();
    assert_eq!(endings, [Ending::Answered, Ending::Lost], "it may want no acknowledgement");
}

/// A request of a kind and version that is not flexible.
fn request(key: u16, version: u16, correlation: u32, body: &[u8]) -> Vec<u8> {
    let head =
        [&key.to_be_bytes()[..], &version.to_be_bytes(), &correlation.to_be_bytes(), b"\0\x03app"].concat();
    framed(&[&head, body].concat())
}

fn reply(correlation: u32, body: &[u8]) -> Vec<u8> {
    framed(&[&correlation.to_be_bytes()[..], body].concat())
}

fn framed(content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len()).expect("short").to_be_bytes()[..], content].concat()
}

/// The versions that Kafka 4.0 removed: brokers of before and their clients speak them.
#[test]
fn the_oldest_versions_are_read() {
    const TOPIC: &[u8] = b"\0\0\0\x01\0\x06orders\0\0\0\x01\0\0\0\x07";
    let with = |parts: &[&[u8]]| parts.concat();
    let silent = with(&[b"\0\0\0\0\0\x64", TOPIC, &[0; 4]]);
    let loud = with(&[b"\0\x01\0\0\0\x64", TOPIC, &[0; 4]]);
    let fetch = with(&[&[0xff; 4], &[0; 8], TOPIC, &[0; 12]]);
    let offsets = with(&[&[0xff; 4], TOPIC, &[0; 12]]);
    let commit = with(&[b"\0\x01g", TOPIC, &[0; 8], b"\0\0"]);
    let epoch = with(&[TOPIC, &[0; 4]]);
    let failed = |rest: &[u8]| with(&[TOPIC, b"\0\x06", rest]);
    let calls = vec![
        sent(request(0, 2, 1, &silent)),
        sent(request(0, 0, 2, &loud)),
        received(reply(2, &failed(&[0; 8]))),
        sent(request(1, 0, 3, &fetch)),
        received(reply(3, &failed(&[0; 12]))),
        sent(request(2, 0, 4, &offsets)),
        received(reply(4, &failed(b"\0\0\0\x01\0\0\0\0\0\0\0\0"))),
        sent(request(8, 0, 5, &commit)),
        received(reply(5, &failed(b""))),
        sent(request(23, 0, 6, &epoch)),
        received(reply(6, b"\0\0\0\x01\0\x06orders\0\0\0\x01\0\x06\0\0\0\x07\0\0\0\0\0\0\0\0")),
        sent(request(20, 0, 7, b"\0\0\0\x01\0\x06orders\0\0\0\0")),
        received(reply(7, b"\0\0\0\x01\0\x06orders\0\x29")),
    ];
    let failure = "error NOT_LEADER_OR_FOLLOWER";
    assert_eq!(
        lines(&talk(calls), Side::Client, &LABELS[1..4]),
        [
            "send orders, partition 7, acks 0".to_owned(),
            format!("send orders, partition 7, acks 1, {failure}"),
            format!("poll orders, partition 7, {failure}"),
            format!("ListOffsets orders, partition 7, {failure}"),
            format!("commit orders, partition 7, group g, {failure}"),
            format!("OffsetForLeaderEpoch orders, partition 7, {failure}"),
            "DeleteTopics orders, error NOT_CONTROLLER".to_owned(),
        ]
    );
}

/// A broker that does not know the greeting's version answers in the oldest one.
#[test]
fn a_greeting_that_is_too_new_is_answered_in_the_oldest_version() {
    let greeting = framed(b"\0\x12\0\x04\0\0\0\x01\0\x03app\0\x04lib\x021\0");
    let refused = reply(1, b"\0\x23\0\0\0\x01\0\x12\0\0\0\x03");
    let again = request(18, 0, 2, b"");
    let calls = vec![sent(greeting), received(refused), sent(again), received(reply(2, b"\0\0\0\0\0\0"))];
    let expected = ["ApiVersions, version 4, error UNSUPPORTED_VERSION", "ApiVersions, version 0"];
    assert_eq!(lines(&talk(calls), Side::Client, &LABELS[..1]), expected);
}

#[test]
fn a_login_that_fails_is_told_without_its_credentials() {
    let token = b"\0alice\0hush-hush";
    let long = u32::try_from(token.len()).expect("short").to_be_bytes();
    let calls = vec![
        sent(request(17, 1, 1, b"\0\x05PLAIN")),
        received(reply(1, b"\0\0\0\0\0\x01\0\x05PLAIN")),
        sent(request(36, 1, 2, &[&long[..], token].concat())),
        received(reply(2, b"\0\x3a\0\x04hush\0\0\0\0\0\0\0\0\0\0\0\0")),
    ];
    let expected = ["SaslHandshake", "SaslAuthenticate, error SASL_AUTHENTICATION_FAILED"];
    assert_eq!(lines(&talk(calls), Side::Client, &[]), expected);
}

/// Before KIP-152 the tokens of a login stand behind their lengths alone.
#[test]
fn tokens_without_heads_are_passed_over() {
    let calls = vec![
        sent(request(17, 0, 1, b"\0\x05PLAIN")),
        received(reply(1, b"\0\0\0\0\0\x01\0\x05PLAIN")),
        sent(framed(b"\0alice\0hush-hush")),
        received(framed(b"")),
        sent(produce(2, 1, 0)),
        received(produced(2)),
    ];
    assert_eq!(lines(&talk(calls), Side::Client, &[]), ["SaslHandshake", "send orders"]);
}
