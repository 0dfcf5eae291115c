//! How fast the pipeline is: `cargo run --release --package wirespan --example replay_speed -- FILE [SECONDS]`.
//!
//! Comes in: a recording or a packet capture, unpacked into memory first. Goes out: one JSON object with exchanges per
//! second of one core, and allocations per exchange. The file is replayed again and again, each time by a pipeline of
//! its own; spans are made and dropped. `cargo xtask bench pipeline` runs it.

use std::{
    fs::File,
    io::{Cursor, Read},
    ops::ControlFlow,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use wirespan::{
    config::{self, Config, Flags},
    replay::Replay,
};
use wirespan_capture_file::Ends;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("which file is to be replayed?")?;
    let seconds = arguments.next().map_or(Ok(2.0), |text| text.parse()).context("seconds are a number")?;
    let config = config::merge(None, &[], &Flags::default())?.config;
    let mut bytes = Vec::new();
    let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
    wirespan_recording::unpacked(file)?.read_to_end(&mut bytes)?;

    let mut exchanges = 0;
    let counted = allocation_counter::measure(|| exchanges = replay(&bytes, &config).unwrap_or_default());
    ensure!(exchanges > 0, "there are no exchanges in {path}");

    let (start, limit) = (Instant::now(), Duration::from_secs_f64(seconds));
    let mut rounds = 0_u32;
    while rounds == 0 || start.elapsed() < limit {
        replay(&bytes, &config)?;
        rounds += 1;
    }
    let each = start.elapsed().as_secs_f64() / f64::from(rounds) / exchanges as f64;
    let result = serde_json::json!({
        "exchanges": exchanges,
        "rounds": rounds,
        "exchanges_per_second": 1.0 / each,
        "ns_per_exchange": each * 1e9,
        "allocations_per_exchange": counted.count_total as f64 / exchanges as f64,
        "allocated_bytes_per_exchange": counted.bytes_total as f64 / exchanges as f64,
    });
    println!("{result}");
    Ok(())
}

/// Replays once; the number of exchanges.
fn replay(bytes: &[u8], config: &Config) -> anyhow::Result<u64> {
    let replay = Replay::read(Cursor::new(bytes.to_vec()), config, Ends::Server)?;
    let replayed = replay.run(|traces| {
        drop(traces);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(replayed.summary.counters.exchanges)
}
