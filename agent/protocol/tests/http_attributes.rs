//! HTTP attributes by OpenTelemetry's semantic conventions: heads in, names and values out.

use wirespan_protocol::{
    exchange::{Exchange, Outcome, Target, Value},
    facts::Side,
    registry::REGISTRY,
    testing::{Bench, received, sent, talk},
};

fn exchange(side: Side, request: &str, response: &str, headers: &[&str]) -> Exchange {
    let mut bench = Bench::new(REGISTRY, side);
    bench.settings.capture_request_headers = headers.iter().map(|name| (*name).to_owned()).collect();
    bench.settings.capture_response_headers = bench.settings.capture_request_headers.clone();
    let calls = match side {
        Side::Client => vec![sent(request), received(response)],
        _ => vec![received(request), sent(response)],
    };
    bench.play(&talk(calls));
    bench.exchanges().next().expect("one exchange").clone()
}

fn shown(exchange: &Exchange) -> Vec<String> {
    let show = |value: &Value| match value {
        Value::Text(text) => text.to_string(),
        Value::Url(url) => format!("<{url}>"),
        other => format!("{other:?}"),
    };
    exchange.attributes.iter().map(|(name, value)| format!("{name}={}", show(value))).collect()
}

fn server(request: &str) -> Vec<String> {
    shown(&exchange(Side::Server, request, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &[]))
}

fn client(request: &str) -> Vec<String> {
    shown(&exchange(Side::Client, request, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &[]))
}

#[test]
fn a_server_says_path_query_and_scheme() {
    assert_eq!(
        server(
            "POST /a/b?c=d HTTP/1.1\r\nHost: shop.example:8443\r\nUser-Agent: curl/8\r\nContent-Length: 1\r\n\r\nx"
        ),
        [
            "http.request.method=POST",
            "url.path=/a/b",
            "url.query=<c=d>",
            "url.scheme=http",
            "network.protocol.name=http",
            "network.protocol.version=1.1",
            "user_agent.original=curl/8",
            "server.address=shop.example",
            "server.port=Int(8443)",
            "http.request.body.size=Int(1)",
            "http.response.status_code=Int(200)",
            "http.response.body.size=Int(0)"
        ]
    );
}

#[test]
fn what_requests_of_a_connection_repeat_is_told_of_each() {
    let mut bench = Bench::new(REGISTRY, Side::Server);
    let long = "x".repeat(bench.settings.max_text + 1);
    let named =
        [("a.example:81", "one"), ("a.example:81", "one"), ("b.example", &long), ("a.example", "one")];
    let calls = named.iter().flat_map(|(host, agent)| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\r\n");
        [received(request), sent("HTTP/1.1 204 X\r\n\r\n")]
    });
    bench.play(&talk(calls.collect()));
    let told: Vec<_> = bench.exchanges().map(shown).collect();
    let hosts = [
        ["a.example", "Int(81)"],
        ["a.example", "Int(81)"],
        ["b.example", "Int(80)"],
        ["a.example", "Int(80)"],
    ];
    for ((lines, [address, port]), (_, agent)) in told.iter().zip(hosts).zip(named) {
        let agent = agent.get(..256).unwrap_or(agent);
        for line in [
            format!("server.address={address}"),
            format!("server.port={port}"),
            format!("user_agent.original={agent}"),
        ] {
            assert!(lines.contains(&line), "{line}: {lines:?}");
        }
    }
    assert_eq!(told.len(), named.len());
}

#[test]
fn a_client_says_the_whole_url() {
    let url = |request: &str| {
        client(request).into_iter().find_map(|line| line.strip_prefix("url.full=").map(str::to_owned))
    };
    let is = |url: &str| Some(format!("<{url}>"));
    assert_eq!(url("GET /a?b HTTP/1.1\r\nHost: h:81\r\n\r\n"), is("http://h:81/a?b"));
    assert_eq!(url("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), is("http://h/a"));
    assert_eq!(url("GET /a HTTP/1.0\r\n\r\n"), is("http://10.0.0.2:8080/a"));
    assert_eq!(url("GET / HTTP/1.1\r\nHost: [::1]:81\r\n\r\n"), is("http://[::1]:81/"));
    assert_eq!(url("GET http://u:p@h/a HTTP/1.1\r\nHost: x\r\n\r\n"), is("http://u:p@h/a"));
    assert_eq!(url("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), is("http://h"));
}

#[test]
fn the_server_is_named_by_target_then_host_then_socket() {
    let named = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| line.starts_with("server.")).collect()
    };
    let is =
        |address: &str, port: u16| [format!("server.address={address}"), format!("server.port=Int({port})")];
    assert_eq!(named(client("GET http://h:1/ HTTP/1.1\r\nHost: x:2\r\n\r\n")), is("h", 1));
    assert_eq!(named(client("CONNECT h:443 HTTP/1.1\r\nHost: x:2\r\n\r\n")), is("h", 443));
    assert_eq!(named(server("GET / HTTP/1.1\r\nHost: x\r\n\r\n")), is("x", 80));
    assert_eq!(named(server("GET / HTTP/1.0\r\n\r\n")), is("10.0.0.2", 8080));
    assert_eq!(named(server("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Host: y:9, z\r\n\r\n")), is("y", 9));
}

#[test]
fn proxies_tell_client_and_scheme() {
    let told = |fields: &str| -> Vec<String> {
        let lines = server(&format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n"));
        lines
            .into_iter()
            .filter(|line| line.starts_with("client.") || line.starts_with("url.scheme"))
            .collect()
    };
    assert_eq!(told("A: b"), ["url.scheme=http"]);
    assert_eq!(
        told("X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\nX-Forwarded-Proto: HTTPS"),
        ["url.scheme=https", "client.address=1.2.3.4"]
    );
    assert_eq!(
        told("Forwarded: For=\"[2001:db8::1]:47\";proto=https, for=9.9.9.9\r\nX-Forwarded-For: 5.6.7.8"),
        ["url.scheme=https", "client.address=2001:db8::1"]
    );
    assert_eq!(told("X-Real-IP: 1.2.3.4"), ["url.scheme=http", "client.address=1.2.3.4"]);
}

#[test]
fn unknown_methods_are_other() {
    let exchange = exchange(
        Side::Server,
        "PURGE /x HTTP/1.1\r\n\r\n",
        "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n",
        &[],
    );
    assert_eq!(exchange.method, "HTTP");
    assert_eq!(exchange.target, Target::Path("/x".into()));
    assert_eq!(shown(&exchange)[..2], ["http.request.method=_OTHER", "http.request.method_original=PURGE"]);
}

#[test]
fn only_a_servers_own_faults_are_its_errors() {
    let outcome = |side, status: u16| {
        let response = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        exchange(side, "GET / HTTP/1.1\r\n\r\n", &response, &[]).outcome
    };
    let error = |status: &'static str| Outcome::Error(status.into(), None);
    assert_eq!(outcome(Side::Server, 404), Outcome::Unset);
    assert_eq!(outcome(Side::Client, 404), error("404"));
    assert_eq!(outcome(Side::Client, 302), Outcome::Unset);
    assert_eq!(outcome(Side::Server, 503), error("503"));
    let lines = shown(&exchange(
        Side::Server,
        "GET / HTTP/1.1\r\n\r\n",
        "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
        &[],
    ));
    assert!(lines.contains(&"error.type=500".to_owned()));
}

#[test]
fn headers_are_captured_when_asked_for() {
    let request = "GET / HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nX-B: 3\r\n\r\n";
    let response = "HTTP/1.1 200 X\r\nX-A: 4\r\nContent-Length: 0\r\n\r\n";
    let lines = shown(&exchange(Side::Server, request, response, &["x-a"]));
    let captured: Vec<_> = lines.iter().filter(|line| line.contains(".header.")).collect();
    assert_eq!(
        captured,
        [r#"http.request.header.x-a=List(["1", "2"])"#, r#"http.response.header.x-a=List(["4"])"#]
    );
}

#[test]
fn texts_are_bounded() {
    let request = format!("GET /{} HTTP/1.1\r\nUser-Agent: {}\r\n\r\n", "p".repeat(5000), "é".repeat(999));
    let exchange = exchange(Side::Server, &request, "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n", &[]);
    assert!(shown(&exchange).iter().all(|line| line.len() < 2100), "{exchange:?}");
}
