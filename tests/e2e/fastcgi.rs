//! FastCGI as nginx and PHP-FPM really speak it, and the trace of a request through both.

use anyhow::{Context, Result, ensure};
use wirespan_tests::{
    agent::Agent,
    php::Php,
    servers::Server,
    span::{Kind, Span},
    visitors::curl,
};

const REQUESTS: usize = 3;

/// The only span of this kind and path that speaks this protocol.
fn one<'a>(spans: &'a [Span], kind: Kind, path: &str, protocol: &str) -> Result<&'a Span> {
    let mut found = spans.iter().filter(|span| {
        span.kind == kind && span.path() == path && span.text("network.protocol.name") == Some(protocol)
    });
    let span = found.next().with_context(|| format!("no {kind:?} span of {path} over {protocol}"))?;
    ensure!(found.next().is_none(), "more than one {kind:?} span of {path} over {protocol}");
    Ok(span)
}

/// What nginx asks PHP-FPM is for the request that it answers, and what PHP asks for the one that it is handed.
fn one_trace(spans: &[Span], path: &str) -> Result<()> {
    let asked = format!("/hello{path}");
    let chain = [
        one(spans, Kind::Server, path, "http")?,
        one(spans, Kind::Client, path, "fastcgi")?,
        one(spans, Kind::Server, path, "fastcgi")?,
        one(spans, Kind::Client, &asked, "http")?,
        one(spans, Kind::Server, &asked, "http")?,
    ];
    for pair in chain.windows(2) {
        let [above, below] = pair else { continue };
        let hangs = below.parent.as_ref() == Some(&above.id) && below.trace == above.trace;
        ensure!(hangs && below.is_within(above), "{below:#?} does not hang below {above:#?}");
    }
    let [_, _, php, ..] = chain;
    ensure!(
        php.status() == Some(200) && php.name == "GET /tcp/{id}" || php.name == "GET /unix/{id}",
        "{php:#?}"
    );
    ensure!(php.text("url.query") == Some("token=REDACTED&page=2"), "{php:#?}");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_request_through_nginx_and_php_fpm_is_one_trace() -> Result<()> {
    let backend = Server::start(&[])?;
    let php = Php::start("fastcgi.php", &backend.address)?;
    let agent = Agent::start()?;
    let paths: Vec<_> = (0..REQUESTS)
        .flat_map(|number| ["tcp", "unix"].map(|socket| format!("/{socket}/10{number}")))
        .collect();

    for path in &paths {
        let secret = ["-H", "Cookie: hush", "-H", "Authorization: Bearer hush"];
        ensure!(curl(&[&secret[..], &[&php.url(&format!("{path}?token=hush&page=2"))]].concat())? == "hello");
    }
    for path in &paths {
        agent.until(4, "curl's, nginx's and PHP's spans", |span| span.path() == path)?;
        agent.until_path(2, &format!("/hello{path}"))?;
    }

    let spans = agent.stop()?;
    ensure!(!format!("{spans:?}").contains("hush"), "a secret got out");
    paths.iter().try_for_each(|path| one_trace(&spans, path))
}
