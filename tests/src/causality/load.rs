//! Comes in: a rate. Goes out: requests at random times (Poisson), whether earlier ones are answered or not, over kept-alive
//! connections; and the truth about them. Refuses: waiting for the program (open loop).

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{align::Interval, backend::now, dice::Dice};

/// How long an answer may take; beyond that the program hangs.
const PATIENCE: Duration = Duration::from_secs(40);

/// What is asked of the program.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where it listens.
    pub server: SocketAddr,
    /// First part of the path.
    pub pattern: String,
    /// Second part of the path, which the program echoes in its calls; `None` for a token of each request's own.
    pub word: Option<String>,
    /// Requests written at once on one connection; 1 without pipelining.
    pub batch: u32,
    /// Arrivals a second (of requests).
    pub rate: f64,
    /// How many requests in all.
    pub requests: u32,
    /// How many of them, the first, are there to get things going.
    pub warm_up: u32,
    /// Of the random numbers.
    pub seed: u64,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Lines for [`World::process`](super::truth::World::process).
    pub truth: String,
    /// When the first request after the warm-up was due, nanoseconds since the UNIX epoch.
    pub since: u64,
    /// Requests under way, on average from then to the last arrival.
    pub in_flight: f64,
    /// Answers other than 200, and none at all.
    pub failed: usize,
    /// The first failure, for a person.
    pub why: Option<String>,
}

type Connection = BufReader<TcpStream>;

/// The truth about a batch of requests, and when they were under way.
struct Visit {
    lines: String,
    times: Vec<Interval>,
}

struct Shared {
    load: Load,
    idle: Mutex<Vec<Connection>>,
}

impl Load {
    /// Makes the requests; gives the truth when the last is answered.
    pub fn run(self) -> Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.context("start the load's runtime")?.block_on(self.arrivals())
    }

    async fn arrivals(self) -> Result<Outcome> {
        let mut dice = Dice::new(self.seed);
        let gap = Duration::from_secs_f64(f64::from(self.batch) / self.rate);
        let batches = self.requests / self.batch;
        let shared = Arc::new(Shared { load: self, idle: Mutex::new(Vec::new()) });
        let warm_up = shared.load.warm_up / shared.load.batch;
        let (mut due, mut tasks) = (Instant::now(), JoinSet::new());
        let mut outcome = Outcome::default();
        for number in 0..batches {
            sleep_until(due).await;
            due += dice.exponential(gap);
            if number <= warm_up {
                outcome.since = now();
            }
            let (shared, token) = (Arc::clone(&shared), dice.bits());
            tasks.spawn(async move { timeout(PATIENCE, shared.visit(token)).await.context("no answer")? });
        }
        let (until, mut times) = (now(), Vec::new());
        while let Some(result) = tasks.join_next().await {
            match result.context("a request's task ended badly")? {
                Ok(visit) => {
                    outcome.truth.push_str(&visit.lines);
                    times.extend(visit.times);
                }
                Err(error) => {
                    outcome.failed += shared.load.batch as usize;
                    outcome.why.get_or_insert(format!("{error:#}"));
                }
            }
        }
        outcome.in_flight = in_flight(&times, Interval { start: outcome.since, end: until });
        Ok(outcome)
    }
}

/// How many were under way within `span`, on average.
fn in_flight(times: &[Interval], span: Interval) -> f64 {
    let shared = |time: &Interval| time.end.min(span.end).saturating_sub(time.start.max(span.start));
    let all: u64 = times.iter().map(shared).sum();
    all as f64 / span.end.saturating_sub(span.start).max(1) as f64
}

impl Shared {
    /// One arrival: a batch of requests on an idle or new connection.
    async fn visit(&self, token: u64) -> Result<Visit> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect(self.load.server).await.context("connect")?),
        };
        connection.get_ref().set_nodelay(true)?;
        let local = connection.get_ref().local_addr()?;
        let start = now();
        let requests: String = (0..self.load.batch).map(|at| self.request(token, at)).collect();
        connection.write_all(requests.as_bytes()).await.context("write the request")?;
        let (mut lines, mut times, mut open) = (String::new(), Vec::new(), true);
        for at in 0..self.load.batch {
            ensure!(open, "the program closed the connection among pipelined requests");
            open = answer(&mut connection).await?;
            let (start, end) = (start + u64::from(at), now());
            let line =
                json!({"cause": null, "local": local, "peer": self.load.server, "start": start, "end": end});
            lines += &format!("{line}\n");
            times.push(Interval { start, end });
        }
        if open {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(Visit { lines, times })
    }

    fn request(&self, token: u64, at: u32) -> String {
        let Load { server, pattern, word, .. } = &self.load;
        let word = word.clone().unwrap_or_else(|| format!("{token:016x}{at}"));
        format!("GET /{pattern}/{word} HTTP/1.1\r\nHost: {server}\r\nUser-Agent: causality/{at}\r\n\r\n")
    }
}

/// Reads one answer; says whether the connection may be used again.
async fn answer(connection: &mut Connection) -> Result<bool> {
    let (mut length, mut chunked, mut keeps) = (None, false, true);
    let status = line(connection).await?;
    loop {
        let header = line(connection).await?.to_ascii_lowercase();
        match header.split_once(':').map(|(name, value)| (name, value.trim())) {
            Some(("content-length", value)) => length = Some(value.parse().context("Content-Length")?),
            Some(("transfer-encoding", "chunked")) => chunked = true,
            Some(("connection", "close")) => keeps = false,
            Some(_) => {}
            None => break,
        }
    }
    match length {
        Some(length) => skip(connection, length).await?,
        None if chunked => chunks(connection).await?,
        None => {
            connection.read_to_end(&mut Vec::new()).await.context("read to the end")?;
            keeps = false;
        }
    }
    if status.split(' ').nth(1) != Some("200") {
        bail!("not 200: {status}");
    }
    Ok(keeps)
}

async fn chunks(connection: &mut Connection) -> Result<()> {
    loop {
        let length = usize::from_str_radix(&line(connection).await?, 16).context("length of a chunk")?;
        skip(connection, length + 2).await?;
        if length == 0 {
            return Ok(());
        }
    }
}

async fn skip(connection: &mut Connection, length: usize) -> Result<()> {
    connection.read_exact(&mut vec![0; length]).await.map(drop).context("read the body")
}

async fn line(connection: &mut Connection) -> Result<String> {
    let mut line = String::new();
    connection.read_line(&mut line).await.context("read the answer")?;
    if line.is_empty() {
        bail!("the connection ended where an answer should be");
    }
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_an_average_over_time() {
        let times = [(0, 10), (5, 30), (15, 40)].map(|(start, end)| Interval { start, end });
        assert_eq!(in_flight(&times, Interval { start: 10, end: 20 }), 1.5);
        assert_eq!(in_flight(&[], Interval { start: 10, end: 10 }), 0.0);
    }
}
