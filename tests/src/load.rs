//! A paced load: so many requests at such a rate over a few kept-alive connections, every answer read and checked.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use crate::visitors::{Visitor, request};

/// Connections, each with a thread of its own.
const CONNECTIONS: u32 = 8;

/// Makes `requests` requests for `path` at `rate` a second; fails if one of them is not answered with 200.
pub fn pace(server: SocketAddr, path: &str, requests: u32, rate: u32) -> Result<()> {
    assert_eq!(requests % CONNECTIONS, 0, "each connection carries as many");
    let start = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(move || {
                    one_connection(server, path, requests / CONNECTIONS, rate / CONNECTIONS, start)
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a load thread panicked"))?)
    })
}

fn one_connection(server: SocketAddr, path: &str, requests: u32, rate: u32, start: Instant) -> Result<()> {
    let mut visitor = Visitor::connect(server)?;
    let bytes = request("GET", path, server);
    for number in 0..requests {
        let due = start + Duration::from_secs(1) * number / rate;
        // The pace of the load, not a hope: requests that are late are made at once.
        thread::sleep(due.saturating_duration_since(Instant::now()));
        visitor.send(&bytes).and_then(|()| visitor.answer()).with_context(|| format!("request {number}"))?;
    }
    Ok(())
}
