//! Comes in: the access log of an unmodified proxy. Goes out: lines of truth. Refuses: a line that it cannot read.
//!
//! A line is `CLIENT END LASTED UPSTREAM OWN`: the client's address, the end of the request in milliseconds since the UNIX
//! epoch and how long it lasted in milliseconds (either with a point somewhere, as nginx writes seconds), the address it
//! was passed on to, and the proxy's own address on that connection, `-` where it was not passed on. Lines of one
//! connection stand in the order of its requests.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::json;

/// What nginx writes: its own end of the connection to the upstream is what the backend says in its answer.
pub const NGINX: &str = "$remote_addr:$remote_port $msec $request_time $upstream_addr $upstream_http_x_seen";
/// What HAProxy writes; it knows its own end.
pub const HAPROXY: &str = "%ci:%cp %[date(0,ms)] %Ta %si:%sp %bi:%bp";

/// The truth of a proxy that listens on `listen`.
pub fn truth(log: &str, listen: SocketAddr) -> Result<String> {
    let mut out = String::new();
    for (number, line) in log.lines().enumerate() {
        out += &lines(number, line, listen).with_context(|| format!("not as the log should be: {line}"))?;
    }
    Ok(out)
}

fn lines(number: usize, line: &str, listen: SocketAddr) -> Result<String> {
    let mut words = line.split(' ');
    let mut word = || words.next().context("too few words");
    let (client, end, lasted, upstream, own) = (word()?, word()?, word()?, word()?, word()?);
    let client: SocketAddr = client.parse()?;
    let (end, lasted) = (millis(end)?, millis(lasted)?);
    // Whole milliseconds: many share one. The number of the line keeps them apart, and in order.
    let start = (end.saturating_sub(lasted)) * 1_000_000 + (number as u64 % 1_000_000);
    let end = (end + 1) * 1_000_000;
    let mut out =
        format!("{}\n", json!({"in": number, "local": listen, "peer": client, "start": start, "end": end}));
    if own != "-" {
        let (peer, own): (SocketAddr, SocketAddr) = (upstream.parse()?, own.parse()?);
        let call = json!({"cause": number, "local": own, "peer": peer, "start": start, "end": end});
        out += &format!("{call}\n");
    }
    Ok(out)
}

fn millis(text: &str) -> Result<u64> {
    text.replace('.', "").parse().with_context(|| format!("`{text}` is no time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTEN: &str = "127.0.0.1:80";

    #[test]
    fn a_request_that_was_passed_on_is_two_lines() -> Result<()> {
        let line = "127.0.0.1:5000 1700000000.123 0.020 127.0.0.1:90 127.0.0.1:6000";
        let truth = truth(line, LISTEN.parse()?)?;
        let lines: Vec<serde_json::Value> =
            truth.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        assert_eq!(lines[0]["peer"], "127.0.0.1:5000");
        assert_eq!(lines[0]["start"], 1_700_000_000_103_000_000_u64);
        assert_eq!((&lines[1]["local"], &lines[1]["cause"]), (&json!("127.0.0.1:6000"), &json!(0)));
        Ok(())
    }

    #[test]
    fn a_request_that_was_refused_is_one() -> Result<()> {
        let truth = truth("127.0.0.1:5000 1700000000123 0 - -", LISTEN.parse()?)?;
        assert_eq!(truth.lines().count(), 1);
        Ok(())
    }

    #[test]
    fn nonsense_is_refused() -> Result<()> {
        assert!(truth("hello", LISTEN.parse()?).is_err());
        Ok(())
    }
}
