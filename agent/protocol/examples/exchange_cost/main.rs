//! What an exchange of each protocol costs: `cargo run --release --package wirespan-protocol --example exchange_cost
//! -- [--json] [--seconds S] [PROTOCOL …]`.
//!
//! Comes in: captured conversations (`streams/`), whose latter part is read again and again on a connection that stays,
//! as events. Goes out: a line for each protocol, with CPU time and allocations of the connection and protocol stages
//! together, and what of it the protocol takes. Refuses: wall-clock time, which says more about the machine's other
//! programs. `cargo xtask bench pipeline --protocols` runs it.

mod player;
mod streams;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::{
    player::{Player, Reader},
    streams::{STREAMS, Stream},
};

/// Rounds between two looks at the clock.
const BATCH: u64 = 256;

/// What was asked for.
struct Arguments {
    json: bool,
    limit: Duration,
    names: Vec<String>,
}

/// An exchange of one protocol.
struct Cost {
    /// Both stages, ns of CPU time.
    both: f64,
    /// The protocol stage alone, ns of CPU time: what the same events cost more than when nobody reads them.
    protocol: f64,
    allocations: f64,
    allocated_bytes: f64,
}

fn main() -> Result<(), String> {
    let arguments = arguments(std::env::args().skip(1))?;
    if !arguments.json {
        println!(
            "{:<17} {:>11} {:>15} {:>12} {:>10} {:>12}",
            "protocol", "ns/exchange", "of it protocol", "allocations", "bytes", "exchanges/s"
        );
    }
    let wanted = |stream: &&Stream| {
        arguments.names.is_empty() || arguments.names.iter().any(|name| name == stream.name)
    };
    for stream in STREAMS.iter().filter(wanted) {
        print(stream.name, &cost(stream, arguments.limit), arguments.json);
    }
    Ok(())
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { json: false, limit: Duration::from_secs(1), names: Vec::new() };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => arguments.json = true,
            "--seconds" => {
                let seconds = words.next().and_then(|text| text.parse().ok());
                arguments.limit = Duration::from_secs_f64(seconds.ok_or("--seconds takes a number")?);
            }
            name if STREAMS.iter().any(|stream| stream.name == name) => arguments.names.push(word),
            other => {
                let names: Vec<_> = STREAMS.iter().map(|stream| stream.name).collect();
                return Err(format!("there is no stream of `{other}`; there are: {}", names.join(", ")));
            }
        }
    }
    Ok(arguments)
}

fn print(name: &str, cost: &Cost, json: bool) {
    let Cost { both, protocol, allocations, allocated_bytes } = cost;
    let each_second = 1e9 / both;
    if json {
        println!(
            "{{\"protocol\":\"{name}\",\"ns_per_exchange\":{both:.1},\"protocol_ns_per_exchange\":{protocol:.1},\
             \"allocations_per_exchange\":{allocations:.2},\"allocated_bytes_per_exchange\":{allocated_bytes:.0},\
             \"exchanges_per_second\":{each_second:.0}}}"
        );
    } else {
        println!(
            "{name:<17} {both:>11.0} {protocol:>15.0} {allocations:>12.1} {allocated_bytes:>10.0} {each_second:>12.0}"
        );
    }
}

/// # Panics
/// Where a stream holds no exchange: then it is not what its name says.
fn cost(stream: &Stream, limit: Duration) -> Cost {
    let mut player = Player::new(stream);
    player.rounds(BATCH, Reader::protocol);
    let mut exchanges = 0;
    let counted = allocation_counter::measure(|| exchanges = player.rounds(BATCH, Reader::protocol));
    assert!(exchanges > 0, "no exchange of {} was seen", stream.name);
    let each = exchanges as f64 / BATCH as f64;
    let both = time(limit, || player.rounds(BATCH, Reader::protocol)) / each;
    let mut unread = Player::new(stream);
    let streams = time(limit / 4, || unread.rounds(BATCH, Reader::nobody)) / each;
    Cost {
        both,
        protocol: both - streams,
        allocations: counted.count_total as f64 / exchanges as f64,
        allocated_bytes: counted.bytes_total as f64 / exchanges as f64,
    }
}

/// CPU time of a round, ns.
fn time(limit: Duration, mut batch: impl FnMut() -> u64) -> f64 {
    let start = cpu();
    let mut rounds = 0;
    loop {
        batch();
        rounds += BATCH;
        let spent = cpu().saturating_sub(start);
        if spent >= limit {
            return spent.as_nanos() as f64 / rounds as f64;
        }
    }
}

/// CPU time that this thread has had.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
