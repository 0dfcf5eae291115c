//! `cargo xtask ci`: the stages of `cargo xtask test`, all of them whatever fails, and a table of timings at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{
    setup,
    step::step,
    test::{self, Arguments, Stage},
};

struct Outcome {
    name: &'static str,
    time: Duration,
    passed: bool,
}

/// `cargo xtask ci`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !arguments.no_root {
        setup::require_root("cargo xtask ci (or use --no-root)")?;
    }
    let outcomes: Vec<_> = test::stages(arguments).iter().map(outcome).collect();
    outcomes.iter().for_each(print);
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    println!("stages: {} passed, {failed} failed", outcomes.len() - failed);
    if failed > 0 {
        bail!("{failed} of {} stages failed", outcomes.len());
    }
    Ok(())
}

fn outcome(stage: &Stage) -> Outcome {
    let start = Instant::now();
    let result = step(stage.name, &stage.run);
    if let Err(error) = &result {
        eprintln!("error: {error:#}");
    }
    Outcome { name: stage.name, time: start.elapsed(), passed: result.is_ok() }
}

fn print(outcome: &Outcome) {
    let verdict = if outcome.passed { "passed" } else { "FAILED" };
    println!("{:<24} {verdict} {:>8.1} s", outcome.name, outcome.time.as_secs_f64());
}
