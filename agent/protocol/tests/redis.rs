//! Redis on a connection: calls in, exchanges out.

mod captured;

use captured::{attribute, play};
use wirespan_protocol::{
    exchange::{Ending, Exchange, Outcome, Output, Role},
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{Bench, Call, STEP, every_opening_ends_once, received, sent, talk},
};

/// One line for an exchange: what the tables below show.
fn line(exchange: &Exchange) -> String {
    let outcome = match &exchange.outcome {
        Outcome::Unset if exchange.ending == Ending::Answered => "ok".to_owned(),
        Outcome::Unset => format!("{:?}", exchange.ending),
        Outcome::Error(error, _) => error.to_string(),
    };
    format!("{} [{}] {outcome}", attribute(exchange, "db.query.text"), attribute(exchange, "db.namespace"))
}

fn lines(bench: &Bench) -> Vec<String> {
    bench.exchanges().map(line).collect()
}

fn client(calls: Vec<Call>) -> Vec<String> {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    lines(bench.play(&talk(calls)))
}

fn command(words: &[&str]) -> String {
    let mut text = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| text += &format!("${}\r\n{word}\r\n", word.len()));
    text
}

fn set(key: &str, length: usize) -> (String, usize) {
    let head = format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${length}\r\n", key.len());
    let all = head.len() + length + 2;
    (head, all)
}

#[test]
fn redis_py_is_followed() {
    let expected = [
        "SELECT 2 [0] ok",
        "SET user:1 ? [2] ok",
        "GET user:1 [2] ok",
        "GET nothing [2] ok",
        "HSET h ? ? ? ? [2] ok",
        "HGETALL h [2] ok",
        "LPUSH user:1 ? [2] WRONGTYPE",
        "INCRBY n ? [2] ok",
        "MGET user:1 nothing [2] ok",
        "EXPIRE n ? [2] ok",
        "MULTI [2] ok",
        "SET a ? [2] ok",
        "GET a [2] ok",
        "EXEC [2] ok",
        "EVAL ? 1 user:1 [2] ok",
        "ZADD z ? ? [2] ok",
        "ZRANGE z ? ? ? [2] ok",
        "BLPOP list ? [2] ok",
        "XADD s ? ? ? [2] ok",
        "XREAD ? ? ? s ? [2] ok",
        "PUBLISH c1 ? [2] ok",
    ];
    for side in [Side::Client, Side::Server] {
        assert_eq!(lines(&play(include_str!("captured/redis-py.txt"), side)), expected);
    }
}

#[test]
fn no_value_is_told() {
    for side in [Side::Client, Side::Server, Side::Unknown] {
        let bench = play(include_str!("captured/redis-py.txt"), side);
        assert!(!format!("{:?}", bench.out).contains("secret-value"));
    }
}

#[test]
fn subscriptions_are_answered_channel_by_channel_and_messages_answer_nothing() {
    let bench = play(include_str!("captured/redis-py-subscriber.txt"), Side::Client);
    assert_eq!(lines(&bench), ["SUBSCRIBE c1 c2 [0] ok", "UNSUBSCRIBE [0] ok"]);
    let confirmed = bench.exchanges().next().and_then(|exchange| exchange.response).expect("an answer");
    assert_eq!(confirmed.bytes, 62);
}

#[test]
fn resp3_is_followed() {
    let expected = [
        "HELLO ? [0] ok",
        "HSET h2 ? ? [0] ok",
        "HGETALL h2 [0] ok",
        "SMEMBERS h2 [0] WRONGTYPE",
        "CONFIG GET ? [0] ok",
        "SELECT 99 [0] ERR",
        "SELECT 3 [0] ok",
        "SET k ? [3] ok",
        "DEBUG PROTOCOL ? [3] ERR",
        "DEBUG PROTOCOL ? [3] ERR",
        "CLIENT TRACKING ? [3] ok",
        "GET k [3] ok",
        "SET k ? [3] ok",
        "EVALSHA ffffffffffffffffffffffffffffffffffffffff 1 k [3] NOSCRIPT",
        "AUTH ? ? [3] WRONGPASS",
    ];
    assert_eq!(lines(&play(include_str!("captured/redis-cli.txt"), Side::Client)), expected);
}

#[test]
fn ioredis_is_followed_and_its_long_pipeline_is_one_exchange() {
    let bench = play(include_str!("captured/ioredis.txt"), Side::Client);
    let told: Vec<_> = bench
        .exchanges()
        .map(|exchange| format!("{} {}", exchange.method, attribute(exchange, "db.operation.batch.size")))
        .collect();
    let expected = [
        "hello -",
        "client SETINFO -",
        "client SETINFO -",
        "set -",
        "get -",
        "PIPELINE get 20",
        "multi -",
        "set -",
        "incr -",
        "exec 2",
        "incr -",
        "quit -",
    ];
    assert_eq!(told, expected);
}

#[test]
fn attributes_follow_the_conventions() {
    let bench = play(include_str!("captured/redis-cli.txt"), Side::Server);
    let exchange = bench.exchanges().find(|exchange| exchange.method == "EVALSHA").expect("the script");
    let told = |name: &str| attribute(exchange, name);
    assert_eq!((told("db.system.name"), told("db.operation.name")), ("redis".into(), "EVALSHA".into()));
    assert_eq!(told("db.response.status_code"), "NOSCRIPT");
    assert_eq!(told("db.stored_procedure.name"), "f".repeat(40));
    assert_eq!((told("server.address"), told("server.port")), ("10.0.0.2".into(), "8080".into()));
    assert_eq!(exchange.role, Role::Server);
}

#[test]
fn a_transaction_is_a_span_for_each_command_and_exec_counts_them() {
    let calls = vec![
        sent(command(&["MULTI"])),
        received("+OK\r\n"),
        sent(command(&["SET", "a", "hush"])),
        received("+QUEUED\r\n"),
        sent(command(&["INCR", "n"])),
        received("+QUEUED\r\n"),
        sent(command(&["EXEC"])),
        received("*2\r\n+OK\r\n:1\r\n"),
    ];
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(calls));
    assert_eq!(lines(&bench), ["MULTI [0] ok", "SET a ? [0] ok", "INCR n [0] ok", "EXEC [0] ok"]);
    let sizes = bench.exchanges().map(|exchange| attribute(exchange, "db.operation.batch.size"));
    assert_eq!(sizes.collect::<Vec<_>>(), ["-", "-", "-", "2"]);
}

#[test]
fn a_transaction_that_is_discarded_is_an_error_of_exec() {
    let calls = vec![
        sent(["MULTI", "NOPE", "EXEC"].map(|name| command(&[name])).concat()),
        received("+OK\r\n-ERR unknown command\r\n-EXECABORT Transaction discarded\r\n"),
    ];
    assert_eq!(client(calls), ["MULTI [0] ok", "NOPE [0] ERR", "EXEC [0] EXECABORT"]);
}

/// Outcomes of what a client asks a node of a cluster.
fn outcomes(calls: Vec<Call>) -> Vec<Outcome> {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(calls));
    bench.exchanges().map(|exchange| exchange.outcome.clone()).collect()
}

#[test]
fn a_moved_redirect_says_where_to() {
    let found = outcomes(vec![sent(command(&["GET", "k"])), received("-MOVED 3999 127.0.0.1:6381\r\n")]);
    assert_eq!(found, [Outcome::Error("MOVED".into(), Some("MOVED 3999 127.0.0.1:6381".into()))]);
}

#[test]
fn an_ask_redirect_says_where_to() {
    let found = outcomes(vec![
        sent(command(&["SET", "k", "hush"])),
        received("-ASK 3999 127.0.0.1:6381\r\n"),
        sent(command(&["GET", "j"])),
        received("$-1\r\n"),
    ]);
    let redirect = Outcome::Error("ASK".into(), Some("ASK 3999 127.0.0.1:6381".into()));
    assert_eq!(found, [redirect, Outcome::Unset]);
}

/// The node that an ASK names is told so first, in one pipeline, and answers both.
#[test]
fn what_follows_an_ask_redirect_is_two_commands() {
    let ask = [command(&["ASKING"]), command(&["SET", "k", "hush"])].concat();
    assert_eq!(client(vec![sent(ask), received("+OK\r\n+OK\r\n")]), ["ASKING [0] ok", "SET k ? [0] ok"]);
}

#[test]
fn errors_that_quote_arguments_are_not_repeated() {
    let error = "-ERR unknown command 'foo', with args beginning with: 'hush'\r\n";
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![sent(command(&["GET", "k"])), received("$-1\r\n")]));
    bench.play(&talk(vec![sent(command(&["foo", "hush"])), received(error)]));
    let outcomes: Vec<_> = bench.exchanges().map(|exchange| exchange.outcome.clone()).collect();
    assert_eq!(outcomes, [Outcome::Unset, Outcome::Error("ERR".into(), None)]);
    assert!(!format!("{:?}", bench.out).contains("hush"));
}

/// `redis.error_reply` takes any text.
#[test]
fn errors_of_scripts_are_not_repeated() {
    let multi = ["MULTI", "EVALSHA f 0", "EXEC"].map(|words| command(&words.split(' ').collect::<Vec<_>>()));
    let long = [command(&["GET", "a"]).repeat(17), command(&["EVAL", "f", "0"])].concat();
    let error = "-WRONGTYPE hush\r\n";
    let found = outcomes(vec![
        sent(command(&["EVAL", "f", "0"])),
        received(error),
        sent(command(&["JSON.GET", "a"])),
        received(error),
        sent(multi.concat()),
        received(["+OK\r\n+QUEUED\r\n*1\r\n", error].concat()),
        sent(long),
        received(["$-1\r\n".repeat(17).as_str(), error].concat()),
        sent(command(&["GET", "a"])),
        received("-WRONGTYPE of the server\r\n"),
    ]);
    let failed = |text: Option<&str>| Outcome::Error("WRONGTYPE".into(), text.map(str::to_owned));
    let (fine, quiet) = (Outcome::Unset, failed(None));
    let told = failed(Some("WRONGTYPE of the server"));
    assert_eq!(found, [quiet.clone(), quiet.clone(), fine.clone(), fine, quiet.clone(), quiet, told]);
}

#[test]
fn a_large_value_costs_its_length() {
    let (head, all) = set("big", 5_000_000);
    let ask = sent(head).gap(Gap::NotCopied, 5_000_000 - 30).then([b'x'; 30]).then("\r\n");
    let get = received("$5000000\r\n").gap(Gap::NotCopied, 5_000_000).then("\r\n");
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![ask, received("+OK\r\n"), sent(command(&["GET", "big"])), get]));
    assert_eq!(lines(&bench), ["SET big ? [0] ok", "GET big [0] ok"]);
    let bytes: Vec<_> = bench
        .exchanges()
        .map(|exchange| (exchange.request.bytes, exchange.response.map(|response| response.bytes)))
        .collect();
    assert_eq!(bytes, [(all as u64, Some(5)), (22, Some(5_000_012))]);
}

#[test]
fn a_cut_command_is_truncated_and_what_follows_is_found() {
    let cut =
        sent("*9\r\n$4\r\nSADD\r\n$3\r\nkey\r\n$1\r\na\r\n$1\r").gap(Gap::NotCopied, 3000).then("z\r\n");
    let calls = vec![
        cut,
        received(":7\r\n"),
        sent(command(&["GET", "a"])),
        received("*3\r\n$1\r\na").gap(Gap::NotCopied, 99),
    ];
    let after = vec![sent(command(&["GET", "b"])), received("$-1\r\n")];
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk([calls, after].concat()));
    assert_eq!(lines(&bench), ["SADD key ? [0] ok", "GET a [0] ok", "GET b [0] ok"]);
    let truncated = |exchange: &Exchange| {
        (exchange.request.truncated, exchange.response.is_some_and(|response| response.truncated))
    };
    assert_eq!(
        bench.exchanges().map(truncated).collect::<Vec<_>>(),
        [(true, false), (false, true), (false, false)]
    );
}

#[test]
fn a_cut_pipeline_is_one_exchange() {
    let three = command(&["GET", "a"]).repeat(3);
    let calls = vec![sent(&three).gap(Gap::NotCopied, 3000).then("a\r\n"), received("$-1\r\n".repeat(99))];
    let after = vec![sent(command(&["SET", "b", "c"])), received("+OK\r\n")];
    let found = client([calls, after].concat());
    assert_eq!(found, ["GET a [0] ok", "SET b ? [0] ok"]);
}

/// Semantic conventions, Redis: `PIPELINE`, with the command that all of them share; one text where it is the same.
#[test]
fn a_long_pipeline_is_named_by_what_its_commands_share() {
    let pipeline = |commands: &[String]| {
        let mut bench = Bench::new(REGISTRY, Side::Client);
        bench.play(&talk(vec![sent(commands.concat()), received("+OK\r\n".repeat(commands.len()))]));
        let told =
            |name: &str| bench.exchanges().map(|exchange| attribute(exchange, name)).collect::<Vec<_>>();
        let names = ["db.operation.name", "db.query.text", "db.operation.batch.size"];
        names.map(|name| told(name).join(" | "))
    };
    let alike = vec![command(&["SET", "a", "hush"]); 17];
    assert_eq!(pipeline(&alike), ["PIPELINE SET", "SET a ?", "17"]);
    let mixed = [&alike[..16], &[command(&["DEL", "a"])]].concat();
    let text = format!("{}DEL a", "SET a ?; ".repeat(16));
    assert_eq!(pipeline(&mixed), ["PIPELINE", &text, "17"]);
}

#[test]
fn how_long_a_pipeline_is_told_by_its_commands_is_configured() {
    let calls = talk(vec![sent(command(&["GET", "a"]).repeat(3)), received("$-1\r\n".repeat(3))]);
    for (longest, expected) in [(1, &["PIPELINE GET"][..]), (2, &["PIPELINE GET"]), (3, &["GET"; 3])] {
        let mut bench = Bench::new(REGISTRY, Side::Client);
        bench.settings.max_pipeline = longest;
        bench.play(&calls);
        let names: Vec<_> = bench.exchanges().map(|exchange| exchange.method.as_str()).collect();
        assert_eq!(names, expected, "{longest}");
    }
}

/// What the list says of EXEC is the size of its transaction, not of the pipeline that begins with it.
#[test]
fn a_pipeline_that_begins_with_exec_has_one_size() {
    let queue = ["MULTI", "GET a", "GET b"].map(|words| command(&words.split(' ').collect::<Vec<_>>()));
    let rest = [vec![command(&["EXEC"])], vec![command(&["GET", "c"]); 16]].concat();
    let calls = vec![
        sent(queue.concat()),
        received("+OK\r\n+QUEUED\r\n+QUEUED\r\n"),
        sent(rest.concat()),
        received(["*2\r\n$-1\r\n$-1\r\n", &"$-1\r\n".repeat(16)].concat()),
    ];
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(calls));
    let sizes = |exchange: &Exchange| {
        let sizes = exchange.attributes.iter().filter(|(name, _)| name == "db.operation.batch.size");
        (exchange.method.to_string(), sizes.map(|(_, size)| format!("{size:?}")).collect::<Vec<_>>())
    };
    assert_eq!(bench.exchanges().map(sizes).last(), Some(("PIPELINE".into(), vec!["Int(17)".into()])));
}

/// A list may begin with any words: with those of a subscription it is no news where nobody subscribed.
#[test]
fn lists_that_begin_with_words_of_subscriptions_are_answers() {
    let list = |word: &str| received(format!("*3\r\n${}\r\n{word}\r\n$1\r\nb\r\n:0\r\n", word.len()));
    for word in ["subscribe", "unsubscribe", "punsubscribe", "message", "pmessage"] {
        let ask = || sent(command(&["LRANGE", "l", "0", "-1"]));
        let calls = vec![
            ask(),
            list(word),
            ask(),
            list("message"),
            sent(command(&["GET", "a"])),
            received("$-1\r\n"),
        ];
        let range = "LRANGE l ? ? [0] ok";
        assert_eq!(client(calls), [range, range, "GET a [0] ok"], "{word}");
    }
}

/// In RESP3 a subscriber asks other things, too; messages are pushed, so that a list is an answer.
#[test]
fn subscribers_of_resp3_ask_other_things() {
    let pushed = |word: &str, last: &str| format!(">3\r\n${}\r\n{word}\r\n$1\r\nc\r\n{last}", word.len());
    let calls = vec![
        sent(command(&["SUBSCRIBE", "c"])),
        received(pushed("subscribe", ":1\r\n")),
        sent(command(&["LRANGE", "l", "0", "-1"])),
        received([&pushed("message", "$4\r\nhush\r\n"), "*1\r\n$7\r\nmessage\r\n"].concat()),
        sent(command(&["UNSUBSCRIBE"])),
        received([&pushed("message", "$4\r\nhush\r\n"), pushed("unsubscribe", ":0\r\n").as_str()].concat()),
        sent(command(&["GET", "a"])),
        received("$-1\r\n"),
    ];
    let expected = ["SUBSCRIBE c [0] ok", "LRANGE l ? ? [0] ok", "UNSUBSCRIBE [0] ok", "GET a [0] ok"];
    assert_eq!(client(calls), expected);
}

/// One answer then stands for all channels.
#[test]
fn subscriptions_that_are_refused_or_queued_have_one_answer() {
    for name in ["SUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE"] {
        for (answer, outcome) in [("-NOAUTH Authentication required.\r\n", "NOAUTH"), ("+QUEUED\r\n", "ok")] {
            let ask = sent(command(&[name, "a", "b"]));
            let calls = vec![ask, received(answer), sent(command(&["GET", "k"])), received("$-1\r\n")];
            assert_eq!(client(calls), [format!("{name} a b [0] {outcome}"), "GET k [0] ok".to_owned()]);
        }
    }
}

/// Nor is an error of another command the SELECT's with which a long pipeline begins.
#[test]
fn a_long_pipeline_may_select_and_subscribe() {
    let select = [vec![command(&["SELECT", "2"])], vec![command(&["INCR", "a"]); 17]].concat();
    let subscribe = [vec![command(&["GET", "a"]); 17], vec![command(&["SUBSCRIBE", "c", "d"])]].concat();
    let confirmed =
        |channel: &str, count: u8| format!("*3\r\n$9\r\nsubscribe\r\n$1\r\n{channel}\r\n:{count}\r\n");
    let calls = vec![
        sent(select.concat()),
        received(["+OK\r\n", &"-WRONGTYPE\r\n".repeat(17)].concat()),
        sent(subscribe.concat()),
        received(["$-1\r\n".repeat(17), confirmed("c", 1), confirmed("d", 2)].concat()),
        sent(command(&["PING"])),
        received("*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
    ];
    let found = client(calls);
    assert_eq!((found.len(), &found[2]), (3, &"PING [2] ok".to_owned()));
}

#[test]
fn what_follows_monitor_is_left_alone() {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    let line = "+1700000000.1 [0 127.0.0.1:5000] \"SET\" \"a\" \"hush\"\r\n";
    bench.play(&talk(vec![sent(command(&["MONITOR"])), received("+OK\r\n"), received(line)]));
    assert_eq!((lines(&bench), bench.session.protocol()), (vec!["MONITOR [0] ok".to_owned()], None));
}

#[test]
fn an_error_within_a_transaction_is_one_of_exec() {
    let calls = vec![
        sent([command(&["MULTI"]), command(&["INCR", "a"]), command(&["EXEC"])].concat()),
        received("+OK\r\n+QUEUED\r\n*2\r\n+OK\r\n-WRONGTYPE Operation against a key\r\n"),
    ];
    assert_eq!(client(calls), ["MULTI [0] ok", "INCR a [0] ok", "EXEC [0] WRONGTYPE"]);
}

/// Counters of nanoseconds and ids of some makers have 19 digits.
#[test]
fn numbers_of_64_bits_are_answers() {
    let ask = || sent(command(&["INCR", "n"]));
    let found = client(vec![
        ask(),
        received(":9223372036854775807\r\n"),
        ask(),
        received(":-9223372036854775808\r\n"),
    ]);
    assert_eq!(found, ["INCR n [0] ok"; 2]);
}

/// Attributes (RESP3) may stand before any reply, or within one.
#[test]
fn attributes_of_replies_are_passed_over() {
    let attribute = "|1\r\n+ttl\r\n*2\r\n:1\r\n:2\r\n";
    let calls = vec![
        sent([command(&["GET", "a"]), command(&["MGET", "a", "b"])].concat()),
        received([attribute, "$1\r\nx\r\n*2\r\n", attribute, "$1\r\nx\r\n_\r\n"].concat()),
        sent(command(&["GET", "c"])),
        received("_\r\n"),
    ];
    assert_eq!(client(calls), ["GET a [0] ok", "MGET a b [0] ok", "GET c [0] ok"]);
}

/// Neither the words that hold a secret nor those that hold a value.
#[test]
fn credentials_and_scripts_are_not_told() {
    let commands = [
        (&["AUTH", "hush"][..], "AUTH ?"),
        (&["AUTH", "user", "hush"], "AUTH ? ?"),
        (&["HELLO", "3", "AUTH", "user", "hush", "SETNAME", "hush"], "HELLO ? ? ? ? ? ?"),
        (&["CONFIG", "SET", "requirepass", "hush"], "CONFIG SET ? ?"),
        (&["ACL", "SETUSER", "alice", ">hush"], "ACL SETUSER ? ?"),
        (&["MIGRATE", "host", "6379", "k", "0", "9", "AUTH", "hush"], "MIGRATE ? ? k ? ? ? ?"),
        (&["EVAL", "return 'hush'", "1", "k", "hush"], "EVAL ? 1 k ?"),
        (&["EVAL", "return 'hush'", "hush"], "EVAL ? ?"),
        (&["FCALL", "f", "1", "k", "hush"], "FCALL f 1 k ?"),
        (&["SCRIPT", "LOAD", "return 'hush'"], "SCRIPT LOAD ?"),
        (&["MSET", "a", "hush", "b", "hush"], "MSET a ? b ?"),
        (&["JSON.SET", "k", "$", "hush"], "JSON.SET ? ? ?"),
        (&["SORT", "k", "BY", "hush"], "SORT k ? ?"),
    ];
    let calls: Vec<_> =
        commands.iter().flat_map(|(words, _)| [sent(command(words)), received("+OK\r\n")]).collect();
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk([vec![sent(command(&["PING"])), received("+PONG\r\n")], calls].concat()));
    let told: Vec<_> =
        bench.exchanges().skip(1).map(|exchange| attribute(exchange, "db.query.text")).collect();
    assert_eq!(told, commands.map(|(_, text)| text));
    assert!(!format!("{:?}", bench.out).contains("hush"));
}

#[test]
fn lost_answers_end_as_lost_until_the_connection_is_at_rest() {
    let ask = || sent(command(&["GET", "a"]));
    let nil = || received("$-1\r\n");
    let lost = || received("").gap(Gap::Lost, 50);
    let found = client(vec![ask(), nil(), ask(), lost(), ask(), nil(), ask(), nil()]);
    assert_eq!(found, ["GET a [0] ok", "GET a [0] Lost", "GET a [0] Lost", "GET a [0] ok"]);
}

#[test]
fn silence_is_kept_when_asked_for() {
    let calls = vec![
        sent(command(&["CLIENT", "REPLY", "SKIP"])),
        sent(command(&["SET", "a", "b"])),
        sent(command(&["GET", "a"])),
        received("$1\r\nb\r\n"),
        sent(command(&["CLIENT", "REPLY", "OFF"])),
        sent(command(&["SET", "c", "d"])),
        sent(command(&["CLIENT", "REPLY", "ON"])),
        received("+OK\r\n"),
    ];
    let expected = [
        "CLIENT REPLY ? [0] ok",
        "SET a ? [0] ok",
        "GET a [0] ok",
        "CLIENT REPLY ? [0] ok",
        "SET c ? [0] ok",
        "CLIENT REPLY ? [0] ok",
    ];
    assert_eq!(client(calls), expected);
}

#[test]
fn silence_for_one_command_ends_none_for_all() {
    let calls = vec![
        sent(command(&["CLIENT", "REPLY", "OFF"])),
        sent(command(&["CLIENT", "REPLY", "SKIP"])),
        sent(command(&["SET", "a", "b"])),
        sent(command(&["SET", "c", "d"])),
        sent(command(&["CLIENT", "REPLY", "ON"])),
        received("+OK\r\n"),
        sent(command(&["GET", "a"])),
        received("-WRONGTYPE\r\n"),
    ];
    let reply = "CLIENT REPLY ? [0] ok";
    let expected = [reply, reply, "SET a ? [0] ok", "SET c ? [0] ok", reply, "GET a [0] WRONGTYPE"];
    assert_eq!(client(calls), expected);
}

#[test]
fn blocking_commands_may_take_their_time() {
    let xread = command(&["XREAD", "BLOCK", "0", "STREAMS", "s", "$"]);
    let calls = talk(vec![
        sent(command(&["BLPOP", "list", "0"])),
        received("*-1\r\n"),
        sent(xread),
        received("*-1\r\n"),
        sent(command(&["GET", "k"])),
    ]);
    let mut bench = Bench::new(REGISTRY, Side::Client);
    for call in &calls {
        bench.play(std::slice::from_ref(call)).tick(1000 * STEP);
    }
    assert_eq!(lines(&bench), ["BLPOP list ? [0] ok", "XREAD ? ? ? s ? [0] ok", "GET k [0] timeout"]);
}

#[test]
fn inline_commands_are_recognised_by_their_answer() {
    assert_eq!(client(vec![sent("PING\r\n"), received("+PONG\r\n")]), ["PING [0] ok"]);
    assert_eq!(client(vec![sent("EXISTS a b\r\n"), received(":0\r\n")]), ["EXISTS a b [0] ok"]);
    assert_eq!(client(vec![sent("PING\r\n"), received("PONG\r\n")]), [""; 0]);
}

/// The blank in a value makes no key of its second half.
#[test]
fn values_of_inline_commands_may_stand_in_quotes() {
    let ask = "PING\r\nMSET a \"hush hush\" b 'hush hush'\r\n";
    let expected = ["PING [0] ok", "MSET a ? b ? [0] ok"];
    assert_eq!(client(vec![sent(ask), received("+PONG\r\n+OK\r\n")]), expected);
}

#[test]
fn an_older_connection_is_recognised_at_its_next_command() {
    let calls = vec![received("rest of a value\r\n"), sent(command(&["GET", "a"])), received("$-1\r\n")];
    for side in [Side::Client, Side::Unknown] {
        let mut bench = Bench::new(REGISTRY, side);
        bench.play(&talk(calls.clone()));
        assert_eq!(bench.exchanges().count(), 1, "{side:?}");
    }
}

#[test]
fn an_older_connection_of_a_module_is_recognised() {
    let calls = vec![sent(command(&["json.set", "doc", "$", "hush"])), received("+OK\r\n")];
    let mut bench = Bench::new(REGISTRY, Side::Unknown);
    bench.play(&talk(calls));
    assert_eq!(lines(&bench), ["json.set ? ? ? [-] ok"]);
}

#[test]
fn what_follows_psync_is_left_alone() {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![sent(command(&["PSYNC", "?", "-1"])), received("+FULLRESYNC x 0\r\n$9\r\nREDIS")]));
    assert_eq!(lines(&bench), ["PSYNC ? ? [0] ok"]);
    assert_eq!(bench.session.protocol(), None);
}

#[test]
fn a_pipeline_opens_in_order_before_its_answers() {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    let three = ["a", "b", "c"].map(|key| command(&["GET", key])).concat();
    bench.play(&talk(vec![sent(three), received("$-1\r\n$-1\r\n$-1\r\n")]));
    let kinds: Vec<_> = bench
        .out
        .iter()
        .map(|output| match output {
            Output::Opened(opening) => format!("opened {}", opening.key.offset),
            Output::Resumed(resumption) => format!("resumed {}", resumption.key.offset),
            Output::Answering(response) => format!("answering {}", response.key.offset),
            Output::Closed(exchange) => format!("closed {}", exchange.key.offset),
            Output::Withdrawn(key) => format!("withdrawn {}", key.offset),
        })
        .collect();
    let expected = "opened 5000, opened 5020, opened 5040, resumed 5000, closed 5000, resumed 5020, closed 5020, \
                    resumed 5040, closed 5040";
    assert_eq!(kinds.join(", "), expected);
    every_opening_ends_once(&bench.out);
}

#[test]
fn other_protocols_with_similar_words_are_left_alone() {
    for (greeting, line) in
        [("+OK POP3 ready\r\n", "USER a\r\n"), ("+OK\r\n", "CONNECT {}\r\n"), (":a 001 b\r\n", "NICK b\r\n")]
    {
        let mut bench = Bench::new(REGISTRY, Side::Client);
        bench.play(&talk(vec![received(greeting), sent(line), received("+OK\r\n"), sent("QUIT\r\n")]));
        assert_eq!((bench.session.protocol(), bench.out.len()), (None, 0), "{greeting}");
    }
}
