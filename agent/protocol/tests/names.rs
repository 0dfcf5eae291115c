//! Rare names: the same in the request that a program reads and in what it asks of others for it, in every protocol that can
//! carry them.

use wirespan_protocol::{
    exchange::Output,
    facts::Side,
    registry::REGISTRY,
    testing::{Bench, Call, received, recorded, sent, talk},
};

/// An order, as programs number them.
const ORDER: &str = "0b7e2c1a-55d0-4c1f-9a3e-7d1f0e6b2a44";

/// The names in each request of these calls.
fn names(side: Side, calls: Vec<Call>) -> Vec<Vec<u64>> {
    let mut bench = Bench::new(REGISTRY, side);
    let opened = |output: &Output| match output {
        Output::Opened(opening) => Some(opening.tokens.iter().collect()),
        _ => None,
    };
    bench.play(&talk(calls)).out.iter().filter_map(opened).collect()
}

/// As they are in the request of a page for this order.
fn page() -> Vec<u64> {
    let page =
        names(Side::Server, vec![received(format!("GET /orders/{ORDER} HTTP/1.1\r\nHost: a\r\n\r\n"))]);
    assert!(page.len() == 1 && page[0].len() == 1);
    page.concat()
}

#[test]
fn keys_of_redis_and_memcached_hold_them_and_values_do_not() {
    let words = |words: &[&str]| {
        let texts = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        sent(format!("*{}\r\n", words.len()) + &texts.collect::<String>())
    };
    let key = format!("order:{ORDER}");
    let redis =
        vec![words(&["GET", &key]), received("$-1\r\n"), words(&["SET", "last", ORDER]), received("+OK\r\n")];
    assert_eq!(names(Side::Client, redis), [page(), vec![]]);
    let memcached = vec![sent(format!("get {key}\r\n")), received("END\r\n")];
    assert_eq!(names(Side::Client, memcached), [page()]);
}

#[test]
fn literals_and_parameters_of_postgresql_hold_them() {
    let message =
        |kind: u8, content: &[u8]| [&[kind][..], &(content.len() as u32 + 4).to_be_bytes(), content].concat();
    let query = format!("select * from orders where id = '{ORDER}'\0");
    let parameter =
        [&b"\0\0\0\0\0\x01"[..], &(ORDER.len() as u32).to_be_bytes(), ORDER.as_bytes(), b"\0\0"].concat();
    let extended = [
        message(b'P', b"\0select * from orders where id = $1\0\0\0"),
        message(b'B', &[&b"\0\0"[..], &parameter].concat()),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
    ];
    let ready = || received([message(b'C', b"SELECT 0\0"), message(b'Z', b"I")].concat());
    let calls = vec![
        sent(b"\0\0\0\x0f\0\x03\0\0user\0a\0\0"),
        received([message(b'R', &[0; 4]), message(b'Z', b"I")].concat()),
        sent(message(b'Q', query.as_bytes())),
        ready(),
        sent(extended.concat()),
        ready(),
    ];
    assert_eq!(names(Side::Client, calls), [page(), page()]);
}

#[test]
fn literals_and_parameters_of_mysql_hold_them() {
    let packet = |payload: &[u8]| [&(payload.len() as u32).to_le_bytes()[..3], &[0], payload].concat();
    let query = format!("\x03select * from orders where id = '{ORDER}'");
    let values = [&b"\0\x01\xfd\0"[..], &[ORDER.len() as u8], ORDER.as_bytes()].concat();
    let execute = [&b"\x17\x01\0\0\0\0\x01\0\0\0"[..], &values].concat();
    let ok = || received([&[7, 0, 0, 1][..], &[0, 0, 0, 2, 0, 0, 0]].concat());
    // Greeting, login, and the server's OK.
    let login = recorded(include_str!("captures/mysql/cli.txt"), Side::Client).into_iter().take(3);
    let calls = [sent(packet(query.as_bytes())), ok(), sent(packet(&execute)), ok()];
    assert_eq!(names(Side::Client, login.chain(calls).collect()), [page(), page()]);
}
