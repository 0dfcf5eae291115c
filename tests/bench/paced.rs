//! Comes in: `ADDRESS... --rate N --seconds N [--connections N | --fresh]`. Goes out: one JSON object with what became of requests made at
//! that rate: `requests`, `seconds`, `p50_us` and `p99_us`, counted from when each was due, so that a late one cannot hide
//! behind the one before. Refuses: an answer other than 200.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use wirespan_tests::visitors::{Visitor, request};

/// Threads of the load.
const THREADS: u32 = 4;

#[derive(Parser)]
struct Arguments {
    /// The server's addresses, asked in turns.
    #[arg(required = true)]
    servers: Vec<SocketAddr>,
    /// Requests a second.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// For so long.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Connections that are kept, and used in turns.
    #[arg(long, default_value_t = THREADS)]
    connections: u32,
    /// A connection for each request instead.
    #[arg(long)]
    fresh: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (arguments, start) = (&arguments, Instant::now());
    let mut latencies = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|nth| scope.spawn(move || visits(arguments, nth, start))).collect();
        threads.into_iter().try_fold(Vec::new(), |mut all, thread| {
            all.extend(thread.join().map_err(|_| anyhow!("a thread of the load panicked"))??);
            anyhow::Ok(all)
        })
    })?;
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let percentile = |share: usize| {
        latencies.get(latencies.len() * share / 100).map(|latency| latency.as_secs_f64() * 1e6)
    };
    let report = serde_json::json!({
        "requests": latencies.len(), "seconds": seconds, "p50_us": percentile(50), "p99_us": percentile(99),
    });
    println!("{report}");
    Ok(())
}

/// One thread's share, each request at its time.
fn visits(arguments: &Arguments, nth: u32, start: Instant) -> Result<Vec<Duration>> {
    let Arguments { servers, rate, seconds, connections, fresh } = arguments;
    let most = if *fresh { 0 } else { connections.div_ceil(THREADS) as usize };
    let mut kept = VecDeque::new();
    let numbers = (nth..rate * seconds).step_by(THREADS as usize);
    let visit = |number: u32| {
        let due = start + Duration::from_secs(1) * number / *rate;
        // The pace of the load, not a hope: requests that are late are made at once.
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let server = *servers.get(number as usize % servers.len()).context("no server")?;
        let mut visitor = match kept.pop_front() {
            Some(visitor) if kept.len() + 1 >= most => visitor,
            other => {
                kept.extend(other);
                Visitor::connect(server)?
            }
        };
        visitor.send(&request("GET", "/", server))?;
        visitor.answer().with_context(|| format!("request {number}"))?;
        if kept.len() < most {
            kept.push_back(visitor);
        }
        Ok(due.elapsed())
    };
    numbers.map(visit).collect()
}
