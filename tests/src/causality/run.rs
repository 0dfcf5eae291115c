//! Comes in: a runtime, a pattern and how many requests at once. Goes out: the score. Refuses: a run in which requests
//! failed, and a truth that the tokens of echo mode contradict.

use std::{
    env, fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    load::Load,
    proxies,
    runtimes::{Pattern, Place, Runtime},
    score::{Score, contradictions, score},
    truth::World,
};
use crate::{agent::Agent, program::Program, servers::free_address, span::Span, wait};

/// Share of the workers that a load keeps busy where their number is bounded; more would only wait.
const BUSY: f64 = 0.6;
/// Calls of background jobs a second, of all processes together.
const BACKGROUND_RATE: f64 = 20.0;

/// One run.
#[derive(Clone, Copy)]
pub struct Plan {
    /// What is run.
    pub runtime: &'static Runtime,
    /// What it does.
    pub pattern: Pattern,
    /// Requests in the program at once, on average.
    pub in_flight: u32,
    /// Arrivals a second.
    pub rate: f64,
    /// How many requests.
    pub requests: u32,
    /// Tokens in the requests, echoed in the calls?
    pub echo: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The verdict.
    pub score: Score,
    /// Spans that were printed.
    pub spans: usize,
    /// The daemon's last words: what it lost.
    pub words: String,
}

impl Plan {
    /// Starts everything, loads it, stops everything, judges.
    pub fn run(&self) -> Result<Outcome> {
        let scratch = tempfile::tempdir().context("make a folder for the run")?;
        let truth = scratch.path().join("truth");
        fs::create_dir(&truth).context("make a folder for the truth")?;
        for folder in [scratch.path(), &truth] {
            // Workers may be another user than root.
            fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
        }
        let place = self.place(scratch.path(), &truth)?;
        let (own, spans, words) = self.watch(&place)?;
        let (world, roots) = world(&place, self.runtime, &truth, &own)?;
        keep(scratch, &spans)?;
        let wrong = if self.echo { contradictions(&world, &spans) } else { 0 };
        ensure!(wrong == 0, "the tokens contradict {wrong} links of the rig's own truth");
        let roots: Vec<_> = roots.collect();
        Ok(Outcome { score: score(&world, &spans, &roots), spans: spans.len(), words })
    }

    /// Mean service time of the backend, so that as many requests are in flight as wanted (Little's law).
    fn service(&self) -> Duration {
        let bound = self.runtime.workers.map_or(f64::INFINITY, |workers| f64::from(workers) * BUSY);
        Duration::from_secs_f64(f64::from(self.in_flight).min(bound) / self.rate / self.pattern.lasts)
    }

    fn place(&self, scratch: &Path, truth: &Path) -> Result<Place> {
        let (listen, backend) = (free_address()?, free_address()?);
        let background = 1000.0 * f64::from(self.runtime.jobs.max(1)) / BACKGROUND_RATE;
        let variables = vec![
            ("CAUSALITY_LISTEN", listen.to_string().into()),
            ("CAUSALITY_BACKEND", backend.to_string().into()),
            ("CAUSALITY_TRUTH", truth.into()),
            ("CAUSALITY_SERVICE_US", self.service().as_micros().to_string().into()),
            ("CAUSALITY_BACKGROUND_MS", background.to_string().into()),
            ("CAUSALITY_THREADS", (16 + 3 * self.in_flight).to_string().into()),
        ];
        Ok(Place { listen, scratch: scratch.into(), variables })
    }

    /// The run itself: the load's truth, the spans, and the daemon's words.
    fn watch(&self, place: &Place) -> Result<(String, Vec<Span>, String)> {
        let ports = place.variables.iter().filter_map(|(name, value)| {
            let address =
                value.to_str().filter(|_| matches!(*name, "CAUSALITY_LISTEN" | "CAUSALITY_BACKEND"))?;
            Some(address.rsplit_once(':')?.1)
        });
        let ports: Vec<_> = ports.collect();
        let agent = Agent::with(&["--include-port", &ports.join(",")])?;
        let mut backend =
            Program::start(place.command(sibling("causality_backend")?).stdout(Stdio::piped()))?;
        backend.line()?;
        let mut commands = (self.runtime.commands)(place)?;
        let programs: Vec<_> = commands.iter_mut().map(Program::spawn).collect::<Result<_>>()?;
        listening(place)?;
        let truth = loaded(self.load(place), place)?;
        // Once this one is seen, all before it was.
        let last = Load {
            pattern: "sync".into(),
            word: Some("last".into()),
            batch: 1,
            requests: 1,
            ..self.load(place)
        };
        let truth = truth + &loaded(last, place)?;
        agent.until_path(2, "/sync/last")?;
        drop((programs, backend));
        let words = agent.words();
        Ok((truth, agent.stop()?, words))
    }

    fn load(&self, place: &Place) -> Load {
        Load {
            server: place.listen,
            pattern: self.pattern.name.into(),
            word: (!self.echo).then(|| "item".into()),
            batch: self.pattern.batch,
            rate: self.rate,
            requests: self.requests,
            seed: u64::from(self.in_flight) + 1,
        }
    }
}

fn listening(place: &Place) -> Result<()> {
    let words = || fs::read_to_string(place.scratch.join("words.log")).unwrap_or_default();
    wait::until("the program to listen", || TcpStream::connect(place.listen).ok())
        .map(drop)
        .with_context(words)
}

/// The truth of a load of which every request was answered.
fn loaded(load: Load, place: &Place) -> Result<String> {
    let outcome = load.run()?;
    if let Some(why) = outcome.why {
        let words = fs::read_to_string(place.scratch.join("words.log")).unwrap_or_default();
        bail!("{} requests failed: {why}\n{words}", outcome.failed);
    }
    Ok(outcome.truth)
}

/// What everybody wrote; with it the load's own requests.
fn world(
    place: &Place,
    runtime: &Runtime,
    truth: &Path,
    own: &str,
) -> Result<(World, std::ops::Range<usize>)> {
    let mut world = World::read(truth)?;
    if let Some(log) = runtime.log {
        let log = place.scratch.join(log);
        let text = fs::read_to_string(&log).with_context(|| format!("read {}", log.display()))?;
        world.process(&proxies::truth(&text, place.listen)?)?;
    }
    let roots = world.process(own)?;
    world.pair();
    Ok((world, roots))
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
