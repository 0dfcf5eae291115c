//! Comes in: a runtime, a pattern and how many requests at once. Goes out: the score, and how the run went. Refuses: a run
//! in which most requests failed, and a truth that the tokens of echo mode contradict.

use std::{
    env, fs,
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    load::{self, Load},
    proxies,
    recorded::{self, Truth},
    runtimes::{BUSY, Pattern, Place, Runtime, Workers},
    score::{Score, contradictions, score},
    truth::{self, World},
};
use crate::{
    agent::{Agent, wirespan},
    program::{self, Program},
    servers::free_address,
    span::Span,
    wait,
};

/// The daemon's own file of a run that is recorded.
const RECORDING: &str = "run.wirespan";
/// Calls of background jobs a second, of all processes together.
const BACKGROUND_RATE: f64 = 20.0;

/// One run.
#[derive(Clone)]
pub struct Plan {
    /// What is run.
    pub runtime: &'static Runtime,
    /// What it does.
    pub pattern: Pattern,
    /// Requests in the program at once, on average.
    pub in_flight: u32,
    /// Arrivals a second.
    pub rate: f64,
    /// How many requests, those of the warm-up included.
    pub requests: u32,
    /// How many of them, the first, are not scored.
    pub warm_up: u32,
    /// Tokens in the requests, echoed in the calls?
    pub echo: bool,
    /// Where a recording of it goes, with its truth.
    pub record: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The verdict.
    pub score: Score,
    /// In echo mode: the same on the run's recording, where the tokens are masked in every buffer.
    pub masked: Option<Score>,
    /// Spans that were printed.
    pub spans: usize,
    /// Requests that were under way, on average, once the warm-up was over.
    pub in_flight: f64,
    /// Requests without an answer, or with another than 200.
    pub failed: usize,
    /// Events that the daemon lost.
    pub lost: u64,
    /// The daemon's last words: all that it lost.
    pub words: String,
}

/// What a run left behind.
struct Traces {
    load: load::Outcome,
    spans: Vec<Span>,
    words: String,
}

impl Plan {
    /// Some seconds of load without a warm-up.
    #[must_use]
    pub fn new(
        runtime: &'static Runtime,
        pattern: Pattern,
        in_flight: u32,
        rate: f64,
        requests: u32,
    ) -> Self {
        Self { runtime, pattern, in_flight, rate, requests, warm_up: 0, echo: false, record: None }
    }

    /// Starts everything, loads it, stops everything, judges.
    pub fn run(&self) -> Result<Outcome> {
        raise_file_limit();
        let scratch = tempfile::tempdir().context("make a folder for the run")?;
        let truth = scratch.path().join("truth");
        fs::create_dir(&truth).context("make a folder for the truth")?;
        for folder in [scratch.path(), &truth] {
            // Workers may be another user than root.
            fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
        }
        let place = self.place(scratch.path(), &truth)?;
        let Traces { load, spans, words } = self.watch(&place)?;
        let truth = Truth { lines: self.lines(&place, &truth, load.truth)?, since: load.since };
        if let Some(folder) = &self.record {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
            recorded::keep(&self.recording(folder), &place.scratch.join(RECORDING), &truth)?;
        }
        let (world, roots) = World::of(&truth.lines)?;
        let masked = self.echo.then(|| masked(&place)).transpose()?;
        keep(scratch, &spans)?;
        let wrong = if self.echo { contradictions(&world, &spans) } else { 0 };
        ensure!(wrong == 0, "the tokens contradict {wrong} links of the rig's own truth");
        Ok(Outcome {
            masked: masked.map(|spans| score(&world, &spans, &roots, load.since)),
            score: score(&world, &spans, &roots, load.since),
            spans: spans.len(),
            in_flight: load.in_flight,
            failed: load.failed,
            lost: lost(&words),
            words: words.lines().last().unwrap_or_default().to_owned(),
        })
    }

    /// The file of its recording.
    fn recording(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-{}.wirespan", self.runtime.name, self.pattern.name))
    }

    /// Mean service time of the backend, so that as many requests are in flight as wanted (Little's law).
    fn service(&self) -> Duration {
        let workers = self.runtime.workers.wanted(self.in_flight);
        let bound = workers.map_or(f64::INFINITY, |workers| f64::from(workers) * BUSY);
        Duration::from_secs_f64(f64::from(self.in_flight).min(bound) / self.rate / self.pattern.lasts)
    }

    fn place(&self, scratch: &Path, truth: &Path) -> Result<Place> {
        let (listen, inner, backend) = (free_address()?, free_address()?, free_address()?);
        let workers = self.runtime.workers.wanted(self.in_flight).unwrap_or(1);
        let processes = if matches!(self.runtime.workers, Workers::Processes(_)) { workers } else { 1 };
        let background = 1000.0 * f64::from(processes) / BACKGROUND_RATE;
        let variables = vec![
            ("CAUSALITY_LISTEN", listen.to_string().into()),
            ("CAUSALITY_INNER", inner.to_string().into()),
            ("CAUSALITY_BACKEND", backend.to_string().into()),
            ("CAUSALITY_TRUTH", truth.into()),
            ("CAUSALITY_SERVICE_US", self.service().as_micros().to_string().into()),
            ("CAUSALITY_BACKGROUND_MS", background.to_string().into()),
            ("CAUSALITY_THREADS", (16 + 3 * self.in_flight).to_string().into()),
        ];
        Ok(Place { listen, inner, scratch: scratch.into(), variables, workers })
    }

    /// The run itself.
    fn watch(&self, place: &Place) -> Result<Traces> {
        let agent = self.agent(place)?;
        let mut backend =
            Program::start(place.command(sibling("causality_backend")?).stdout(Stdio::piped()))?;
        backend.line()?;
        let mut commands = (self.runtime.commands)(place)?;
        let programs: Vec<_> = commands.iter_mut().map(Program::spawn).collect::<Result<_>>()?;
        let inner = self.runtime.proxied.then_some(place.inner);
        inner.into_iter().chain([place.listen]).try_for_each(|address| listening(place, address))?;
        let mut load = loaded(self.load(place), place)?;
        // Once this one is seen, all before it was.
        let last = Load {
            pattern: "sync".into(),
            word: Some("last".into()),
            batch: 1,
            requests: 1,
            ..self.load(place)
        };
        load.truth += &loaded(last, place)?.truth;
        agent.until_path(2, "/sync/last")?;
        drop((programs, backend));
        let (spans, words) = agent.stop_with_words()?;
        Ok(Traces { load, spans, words })
    }

    fn agent(&self, place: &Place) -> Result<Agent> {
        let ports = place.variables.iter().filter_map(|(name, value)| {
            let names = ["CAUSALITY_LISTEN", "CAUSALITY_INNER", "CAUSALITY_BACKEND"];
            Some(value.to_str().filter(|_| names.contains(name))?.rsplit_once(':')?.1)
        });
        let ports = ports.collect::<Vec<_>>().join(",");
        if self.record.is_none() && !self.echo {
            return Agent::with(&["--include-port", &ports]);
        }
        let mut record = wirespan();
        record.args(["record", "--output", "json", "--include-port", &ports, "-o"]);
        Agent::run(record.arg(place.scratch.join(RECORDING)))
    }

    fn load(&self, place: &Place) -> Load {
        Load {
            server: place.listen,
            pattern: self.pattern.name.into(),
            word: (!self.echo).then(|| "item".into()),
            batch: self.pattern.batch,
            rate: self.rate,
            requests: self.requests,
            warm_up: self.warm_up,
            seed: u64::from(self.in_flight) + 1,
        }
    }

    /// What everybody wrote; what the load itself wrote comes last.
    fn lines(&self, place: &Place, truth: &Path, own: String) -> Result<Vec<String>> {
        let mut lines = truth::read(truth)?;
        if let Some(log) = self.runtime.log {
            let log = place.scratch.join(log);
            let text = fs::read_to_string(&log).with_context(|| format!("read {}", log.display()))?;
            lines.push(proxies::truth(&text, place.listen)?);
        }
        lines.push(own);
        Ok(lines)
    }
}

/// The spans of a run without the tokens in its bytes.
fn masked(place: &Place) -> Result<Vec<Span>> {
    let file = place.scratch.join("masked.wirespan");
    recorded::mask(&place.scratch.join(RECORDING), &file)?;
    let printed = program::run(wirespan().args(["replay", "--output", "json"]).arg(file))?;
    printed.lines().map(Span::parse).collect()
}

/// Each request and call is a connection, on both ends; what is started here inherits the limit.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Should it not be allowed, connections fail, and that is told.
    let _unless_forbidden = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn listening(place: &Place, address: SocketAddr) -> Result<()> {
    let words = || fs::read_to_string(place.scratch.join("words.log")).unwrap_or_default();
    wait::until("the program to listen", || TcpStream::connect(address).ok()).map(drop).with_context(words)
}

/// What came of a load of which most requests were answered.
fn loaded(load: Load, place: &Place) -> Result<load::Outcome> {
    let wanted = load.requests as usize;
    let outcome = load.run()?;
    if let Some(why) = outcome.why.as_ref().filter(|_| outcome.failed * 2 >= wanted) {
        let words = fs::read_to_string(place.scratch.join("words.log")).unwrap_or_default();
        bail!("{} of {wanted} requests failed: {why}\n{words}", outcome.failed);
    }
    Ok(outcome)
}

/// The daemon says at its end `N spans in M traces; 3 events lost (ring full); …`.
fn lost(words: &str) -> u64 {
    let parts = words.lines().last().unwrap_or_default().split("; ");
    let count = |part: &str| part.split_once(" events lost")?.0.parse::<u64>().ok();
    parts.filter_map(count).sum()
}

/// For looking into a run: `CAUSALITY_KEEP` keeps its folder, with the spans.
fn keep(scratch: tempfile::TempDir, spans: &[Span]) -> Result<()> {
    if env::var_os("CAUSALITY_KEEP").is_some() {
        let folder = scratch.keep();
        let lines: String = spans.iter().map(|span| format!("{span:?}\n")).collect();
        fs::write(folder.join("spans.txt"), lines).context("keep the spans")?;
        eprintln!("kept {}", folder.display());
    }
    Ok(())
}

/// A program of this crate: beside this one, or one folder up where this one is a test.
pub fn sibling(name: &str) -> Result<PathBuf> {
    let own = env::current_exe().context("where am I")?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.with_context(|| format!("no {name} beside {}: cargo build --package wirespan-tests", own.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_read_from_the_last_words() {
        let words =
            "wirespan: capturing\nwirespan: 9 spans in 3 traces; 12 events lost (ring full); 7 bytes lost";
        assert_eq!((lost(words), lost("9 spans in 3 traces"), lost("")), (12, 0, 0));
    }
}
