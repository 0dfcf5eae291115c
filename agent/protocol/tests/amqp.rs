//! AMQP 0-9-1 on a connection: calls in, exchanges out. The conversations are those of pika and amqplib with RabbitMQ.

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

const PIKA: &str = include_str!("captures/amqp/pika.txt");
const AMQPLIB: &str = include_str!("captures/amqp/amqplib.txt");
const TRACE: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const LABELS: &[(&str, &str)] = &[
    ("type", "messaging.operation.type"),
    ("id", "messaging.message.id"),
    ("size", "messaging.message.body.size"),
    ("tag", "messaging.rabbitmq.message.delivery_tag"),
    ("anonymous", "messaging.destination.anonymous"),
];

#[test]
fn pika_is_followed() {
    shows(
        PIKA,
        LABELS,
        &[
            "connect",
            "exchange.declare shop",
            "queue.declare orders",
            "queue.bind orders",
            "confirm.select",
            "publish shop:orders.new, type send, id m-1, size 4",
            "publish shop:nowhere, type send, size 4, error NO_ROUTE",
            "publish shop:orders.12345, type send, size 2000",
            "get shop:orders.new:orders, type receive, id m-1, size 4, tag 1, links 1",
            "ack, type settle, tag 1",
            "qos",
            "publish shop:orders.new, type send, id m-1, size 4",
            "consume orders",
            "deliver shop:orders.12345:orders, type process, size 2000, tag 2",
            "deliver shop:orders.new:orders, type process, id m-1, size 4, tag 3, links 1, error reject",
            "cancel",
            "get orders, type receive",
            "queue.declare missing, error NOT_FOUND",
            "consume orders",
            "publish orders, type send, size 4",
            "deliver orders, type process, size 4, tag 1",
            "queue.delete orders",
        ],
    );
}

/// Names that the broker made up are told, and stand in no span's name.
#[test]
fn amqplib_is_followed() {
    shows(
        AMQPLIB,
        LABELS,
        &[
            "connect",
            "confirm.select",
            "exchange.declare shop",
            "queue.declare, anonymous true",
            "queue.bind, anonymous true",
            "publish shop:new, type send, id m-1, size 4",
            "publish shop:new, type send, id m-1, size 4",
            "publish shop:new, type send, id m-1, size 4",
            "get shop:new, type receive, id m-1, size 4, tag 1, anonymous true, links 1",
            "nack, type settle, tag 1",
            "qos",
            "consume, anonymous true",
            "deliver shop:new, type process, id m-1, size 4, tag 2, anonymous true, links 1",
            "cancel",
            "queue.purge, anonymous true",
            "deliver shop:new, type process, id m-1, size 4, tag 3, anonymous true, links 1",
        ],
    );
}

/// The lines of a recorded conversation whose name is this.
fn told(recording: &str, name: &str) -> Vec<String> {
    let all = lines(&recorded(recording, Side::Client), Side::Client, LABELS);
    all.into_iter().filter(|line| line.split([' ', ',']).next() == Some(name)).collect()
}

#[test]
fn a_get_is_answered_by_a_message_or_by_none() {
    let expected = [
        "get shop:orders.new:orders, type receive, id m-1, size 4, tag 1, links 1",
        "get orders, type receive",
    ];
    assert_eq!(told(PIKA, "get"), expected);
}

#[test]
fn a_nack_settles_its_delivery() {
    assert_eq!(told(AMQPLIB, "nack"), ["nack, type settle, tag 1"]);
}

/// Behind confirm.select a publish is answered; on a channel without it, it is over when it is sent.
#[test]
fn in_confirm_mode_publishes_are_answered() {
    let bench = play(&recorded(PIKA, Side::Client), Side::Client);
    let publishes = bench.exchanges().filter(|exchange| exchange.method == "publish");
    let answered: Vec<_> = publishes.map(|exchange| exchange.response.is_some()).collect();
    assert_eq!(answered, [true, true, true, true, false]);
}

/// A broker that could not keep the message says so by `basic.nack` (RabbitMQ's publisher confirms).
#[test]
fn a_publish_that_the_broker_does_not_confirm_is_an_error() {
    let calls = vec![
        sent(b"AMQP\0\0\x09\x01"),
        sent(b"\x01\0\x01\0\0\0\x05\0\x55\0\x0a\0\xce"),
        received(b"\x01\0\x01\0\0\0\x04\0\x55\0\x0b\xce"),
        sent([PUBLISH, &header(0)].concat()),
        received(b"\x01\0\x01\0\0\0\x0d\0\x3c\0\x78\0\0\0\0\0\0\0\x01\0\xce"),
    ];
    assert_eq!(lines(&talk(calls), Side::Client, &[]), ["confirm.select", "publish q, error nack"]);
}

#[test]
fn publishers_are_producers_and_deliveries_make_consumers() {
    let roles = |side| {
        let mut bench = play(&recorded(PIKA, side), side);
        bench.finish(Ending::Closed, u64::MAX);
        let role =
            |name: &str| bench.exchanges().find(|exchange| exchange.method == name).map(|found| found.role);
        ["publish", "deliver", "get"].map(|name| role(name).expect("there is one"))
    };
    assert_eq!(roles(Side::Client), [Role::Producer, Role::Consumer, Role::Client]);
    assert_eq!(roles(Side::Server), [Role::Server, Role::Client, Role::Server]);
}

/// A publish goes on with the context in the message; who is given the message is linked to it.
#[test]
fn contexts_in_messages_are_causes_of_publishes_and_links_of_deliveries() {
    let bench = play(&recorded(PIKA, Side::Client), Side::Client);
    assert_eq!(carriers(&bench), [TRACE, TRACE]);
    let links = bench.exchanges().flat_map(|exchange| &exchange.links).flatten();
    let links: Vec<_> = links.map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(links, [TRACE, TRACE]);
}

#[test]
fn attributes_follow_the_conventions() {
    let bench = play(&recorded(PIKA, Side::Server), Side::Server);
    let publish = bench.exchanges().find(|exchange| exchange.method == "publish").expect("a publish");
    for (name, value) in [
        ("messaging.system", "rabbitmq"),
        ("messaging.operation.name", "publish"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.name", "shop:orders.new"),
        ("messaging.rabbitmq.destination.routing_key", "orders.new"),
        ("messaging.message.id", "m-1"),
        ("messaging.message.conversation_id", "c-1"),
        ("server.address", "10.0.0.2"),
    ] {
        assert_eq!(attribute(publish, name).as_deref(), Some(value), "{name}");
    }
}

/// Older than the daemon: nobody knows the consumer's queue, nor that publishes are confirmed, until a confirmation has
/// come and both sides have been silent.
#[test]
fn a_connection_older_than_the_daemon_is_followed() {
    for side in [Side::Client, Side::Unknown] {
        let calls = recorded(PIKA, Side::Client);
        let told = lines(
            from(&calls, b"orders.new\0\xce"),
            side,
            &[("tag", "messaging.rabbitmq.message.delivery_tag")],
        );
        let expected = [
            "publish shop:orders.new",
            "publish shop:nowhere, error NO_ROUTE",
            "publish shop:orders.12345",
            "get shop:orders.new:orders, tag 1, links 1",
        ];
        assert_eq!(told[..4], expected, "{side:?}");
        assert!(told.contains(&"deliver shop:orders.12345:orders, tag 2".to_owned()));
        let late = lines(from(&calls, b"orders.12345\0\xce"), side, &[]);
        assert_eq!(late[..2], ["publish shop:orders.12345", "get shop:orders.new:orders, links 1"]);
    }
}

#[test]
fn a_lost_call_costs_what_was_in_it() {
    let calls = recorded(PIKA, Side::Client);
    let all = lines(&calls, Side::Client, &[]).len();
    for direction in [Direction::Sent, Direction::Received] {
        let number = calls.iter().filter(|call| call.direction == direction).count();
        for which in 1..number {
            let told = lines(&without(&calls, direction, which), Side::Client, &[]);
            let made_up = |line: &&String| line.contains("timeout") || line.contains("closed");
            assert_eq!(told.iter().find(made_up), None, "{direction:?} {which}");
            assert!(told.len() + 3 >= all, "{direction:?} {which}: {told:#?}");
        }
    }
}

const PUBLISH: &[u8] = b"\x01\0\x01\0\0\0\x0a\0\x3c\0\x28\0\0\0\x01q\0\xce";

fn header(size: u64) -> Vec<u8> {
    let mut frame = b"\x02\0\x01\0\0\0\x0e\0\x3c\0\0".to_vec();
    frame.extend(size.to_be_bytes());
    frame.extend(b"\0\0\xce");
    frame
}

/// A body costs its length: the kernel copies none of it, and what follows is read all the same.
#[test]
fn large_bodies_are_passed_over() {
    let mut head = [PUBLISH, &header(100_000)].concat();
    head.extend(b"\x03\0\x01\0\x01\x86\xa0");
    let again = [b"\xce", PUBLISH, &header(0)].concat();
    let calls = vec![
        sent(b"AMQP\0\0\x09\x01"),
        sent(head).gap(Gap::NotCopied, 100_000),
        sent(again),
        received(b"\x08\0\0\0\0\0\0\xce"),
    ];
    let bench = play(&talk(calls), Side::Client);
    let sizes: Vec<_> = bench.exchanges().map(|exchange| exchange.request.bytes).collect();
    assert_eq!(sizes, [PUBLISH.len() as u64 + 22 + 100_008, PUBLISH.len() as u64 + 22]);
    assert!(bench.exchanges().all(|exchange| !exchange.request.truncated && exchange.request.missing == 0));
}

/// Nor need the begin of each of its frames be there.
#[test]
fn frames_of_a_body_that_were_not_copied_are_counted() {
    let mut head = [PUBLISH, &header(300_000)].concat();
    head.extend(b"\x03\0\x01\0\x01\xff\xf8");
    let calls = vec![
        sent(b"AMQP\0\0\x09\x01"),
        sent(head).gap(Gap::NotCopied, 300_000 + 3 * 8 - 7 - 1000).then([b'x'; 1000]),
        sent([PUBLISH, &header(0)].concat()),
    ];
    let bench = play(&talk(calls), Side::Client);
    let sizes: Vec<_> = bench.exchanges().map(|exchange| exchange.request.bytes).collect();
    assert_eq!(sizes, [PUBLISH.len() as u64 + 22 + 300_024, PUBLISH.len() as u64 + 22]);
    assert!(bench.exchanges().all(|exchange| exchange.ending == Ending::Answered));
}

/// Found by fuzzing: the second one opened the same publish again.
#[test]
fn a_second_header_of_a_message_opens_nothing() {
    let calls = vec![sent(b"AMQP\0\0\x09\x01"), sent([PUBLISH, &header(5), &header(5)].concat())];
    assert_eq!(lines(&talk(calls), Side::Client, &[]), ["publish q, error connection_closed"]);
}

#[test]
fn a_cut_head_is_told_and_marked() {
    let cut = sent([PUBLISH, &header(5)[..12]].concat()).gap(Gap::NotCopied, 40);
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![sent(b"AMQP\0\0\x09\x01"), cut])).finish(Ending::Closed, 9 * STEP);
    testing::every_opening_ends_once(&bench.out);
    let publish = bench.exchanges().next().expect("it is told");
    assert_eq!(attribute(publish, "messaging.destination.name").as_deref(), Some("q"));
    assert!(publish.request.truncated);
}

#[test]
fn an_error_that_nothing_waits_for_is_told() {
    let close = b"\x01\0\x01\0\0\0\x10\0\x14\0\x28\x01\x94\x05no xx\0\x3c\0\x28\xce";
    let calls = vec![sent(b"AMQP\0\0\x09\x01"), sent([PUBLISH, &header(0)].concat()), received(close)];
    assert_eq!(lines(&talk(calls), Side::Client, &[]), ["publish q", "channel.close, error NOT_FOUND"]);
}

/// Nothing waits for the first publish's end; the others wait, and end with their channel. The last question is asked on a
/// channel that is not open, which ends the connection.
#[test]
fn errors_that_close_a_channel_or_the_connection_are_told() {
    shows(
        include_str!("captures/amqp/errors.txt"),
        &[],
        &[
            "connect",
            "publish missing:orders.new",
            "channel.close, error NOT_FOUND",
            "confirm.select",
            "publish missing:orders.new, error NOT_FOUND",
            "exchange.declare amq.direct, error PRECONDITION_FAILED",
            "qos, error CHANNEL_ERROR",
        ],
    );
}

/// At the broker's end of a connection the event of its last answer may come behind that of the close which followed upon it. What is
/// unanswered when the broker agrees stays so.
#[test]
fn an_answer_that_is_seen_behind_a_close_is_an_answer() {
    let delete = b"\x01\0\x01\0\0\0\x09\0\x32\0\x28\0\0\x01q\0\xce";
    let deleted = b"\x01\0\x01\0\0\0\x08\0\x32\0\x29\0\0\0\0\xce";
    // Class and methods of connection.close and channel.close.
    for (channel, class, ask, agree) in [(0, 10, 50, 51), (1, 20, 40, 41)] {
        let frame = |len, method| [1, 0, channel, 0, 0, 0, len, 0, class, 0, method];
        let close = [&frame(11, ask)[..], b"\0\xc8\0\0\0\0\0\xce"].concat();
        let agreed = [&frame(4, agree)[..], b"\xce"].concat();
        let asked = || vec![received(b"AMQP\0\0\x09\x01"), received(delete), received(&close)];
        let mut late = asked();
        late.extend([sent(deleted), sent(&agreed)]);
        assert_eq!(lines(&talk(late), Side::Server, &[]), ["queue.delete q"], "{class}");
        let mut never = asked();
        never.push(sent(&agreed));
        assert_eq!(
            lines(&talk(never), Side::Server, &[]),
            ["queue.delete q, error connection_closed"],
            "{class}"
        );
    }
}

/// To a virtual host that is not there.
#[test]
fn a_connection_that_is_refused_is_told() {
    shows(include_str!("captures/amqp/refused.txt"), &[], &["connect, error NOT_ALLOWED"]);
}

/// All that waits on any channel ends with the connection; where nothing waits, the error is told by itself.
#[test]
fn an_error_of_the_connection_ends_what_waits_on_every_channel() {
    let preface = || sent(b"AMQP\0\0\x09\x01");
    let qos = |channel: u8| [&[1, 0, channel][..], b"\0\0\0\x0b\0\x3c\0\x0a\0\0\0\0\0\x01\0\xce"].concat();
    let close = b"\x01\0\0\0\0\0\x10\0\x0a\0\x32\x01\xf5\x05bad x\0\0\0\0\xce";
    let asked = vec![preface(), sent([qos(1), qos(2)].concat()), received(close)];
    assert_eq!(lines(&talk(asked), Side::Client, &[]), ["qos, error FRAME_ERROR"; 2]);
    let silent = vec![preface(), sent([PUBLISH, &header(0)].concat()), received(close)];
    assert_eq!(lines(&talk(silent), Side::Client, &[]), ["publish q", "connection.close, error FRAME_ERROR"]);
}

/// Another protocol, although its preface begins in the same way; RabbitMQ speaks both.
#[test]
fn amqp_1_0_is_left_alone() {
    for preface in [b"AMQP\0\x01\0\0", b"AMQP\x03\x01\0\0"] {
        let mut bench = Bench::new(REGISTRY, Side::Client);
        bench.play(&talk(vec![sent(preface), received(preface), sent(b"\0\0\0\x08\x02\0\0\0")]));
        assert_eq!((bench.session.protocol(), bench.out.len()), (None, 0));
    }
}

/// Numbers of confirmations begin anew on a channel that is opened again, and what waited on the old one is over.
#[test]
fn a_channel_that_is_opened_again_is_a_new_one() {
    let method = |numbers: &[u8]| {
        let size = numbers.len() as u8;
        [&[1, 0, 1, 0, 0, 0, size][..], numbers, b"\xce"].concat()
    };
    let publish = || sent([PUBLISH, &header(0)].concat());
    let ack = |number: u8| received(method(&[0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, number, 0]));
    let select = || [sent(method(b"\0\x55\0\x0a\0")), received(method(b"\0\x55\0\x0b"))];
    let open = || [sent(method(b"\0\x14\0\x0a\0")), received(method(b"\0\x14\0\x0b\0\0\0\0"))];
    let closed = [received(method(b"\0\x14\0\x28\x01\x96\x02no\0\x3c\0\x28")), sent(method(b"\0\x14\0\x29"))];
    let calls = [
        vec![sent(b"AMQP\0\0\x09\x01")],
        open().to_vec(),
        select().to_vec(),
        vec![publish(), ack(1), publish()],
        closed.to_vec(),
        open().to_vec(),
        vec![publish()],
        select().to_vec(),
        vec![publish(), publish(), ack(2)],
    ];
    let (waited, select) = ("publish q, error PRECONDITION_FAILED", "confirm.select");
    assert_eq!(
        lines(&talk(calls.concat()), Side::Client, &[]),
        [select, "publish q", waited, "publish q", select, "publish q", "publish q, error connection_closed"]
    );
}

/// One confirmation may stand for all up to its number.
#[test]
fn one_confirmation_may_be_for_several_publishes() {
    let publish = || sent([PUBLISH, &header(0)].concat());
    let ack = b"\x01\0\x01\0\0\0\x0d\0\x3c\0\x50\0\0\0\0\0\0\0\x02\x01\xce";
    let calls = vec![
        sent(b"AMQP\0\0\x09\x01"),
        sent(b"\x01\0\x01\0\0\0\x05\0\x55\0\x0a\0\xce"),
        received(b"\x01\0\x01\0\0\0\x04\0\x55\0\x0b\xce"),
        publish(),
        publish(),
        publish(),
        received(ack),
    ];
    let bench = play(&talk(calls), Side::Client);
    let published = bench.exchanges().filter(|exchange| exchange.method == "publish");
    assert_eq!(published.filter(|publish| publish.response.is_some()).count(), 2);
}

/// The mechanism PLAIN sends name and password in clear.
#[test]
fn a_login_is_told_without_its_credentials() {
    let login = b"\x01\0\0\0\0\0\x23\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0b\0user\0hush!\x05en_US\xce";
    let calls =
        vec![sent(b"AMQP\0\0\x09\x01"), sent(login), received(b"\x01\0\0\0\0\0\x05\0\x0a\0\x29\0\xce")];
    assert_eq!(lines(&talk(calls), Side::Client, &[]), ["connect"]);
}

/// On a channel that does not confirm, nothing waits for the publish's end: that nobody took the message is told by itself.
#[test]
fn a_message_that_comes_back_unasked_is_told() {
    let came_back = b"\x01\0\x01\0\0\0\x12\0\x3c\0\x32\x01\x38\x08NO_ROUTE\0\x01q\xce";
    let calls = vec![
        sent(b"AMQP\0\0\x09\x01"),
        sent([PUBLISH, &header(0)].concat()),
        received([&came_back[..], &header(0)].concat()),
    ];
    assert_eq!(lines(&talk(calls), Side::Client, &[]), ["publish q", "return q, error NO_ROUTE"]);
}
