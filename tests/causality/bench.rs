//! Comes in: which runtimes, patterns and loads (`cargo xtask bench causality` passes them on). Goes out: the table on
//! standard output. Refuses: to go on silently when a run fails; it says so and ends with an error.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::Parser;
use wirespan_tests::causality::{
    report,
    run::{Outcome, Plan},
    runtimes::{self, RUNTIMES, Runtime},
    score::Score,
};

#[derive(Parser)]
struct Arguments {
    /// Only these runtimes.
    #[arg(long)]
    runtime: Vec<String>,
    /// Only these patterns.
    #[arg(long)]
    pattern: Vec<String>,
    /// Requests in the program at once, on average.
    #[arg(long, default_values_t = [1, 10, 100])]
    in_flight: Vec<u32>,
    /// Seconds of load a run.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Seconds of load before these, which are not scored: the daemon learns a program's habits in them.
    #[arg(long, default_value_t = 0.0)]
    warm_up: f64,
    /// Requests a second.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// A token in every request, echoed in its calls.
    #[arg(long)]
    echo: bool,
    /// A folder for a recording of each run and its truth.
    #[arg(long)]
    record: Option<PathBuf>,
    /// One JSON object a run.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let runtimes = chosen(&arguments.runtime)?;
    let (mut total, mut failed) = (Score::default(), 0);
    if !arguments.json {
        println!("{}", report::heading());
    }
    for plan in runtimes.into_iter().flat_map(|runtime| plans(runtime, &arguments)) {
        match plan.run() {
            Ok(outcome) => {
                show(&plan, &outcome, arguments.json);
                total.add(outcome.masked.as_ref().unwrap_or(&outcome.score));
            }
            Err(error) => {
                failed += 1;
                eprintln!("{} {} {}: {error:#}", plan.runtime.name, plan.pattern.name, plan.in_flight);
            }
        }
    }
    if !arguments.json {
        print!("{}", report::by_method(&total));
    }
    if failed > 0 {
        bail!("{failed} runs failed");
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Runtime>> {
    if names.is_empty() {
        return Ok(RUNTIMES.iter().collect());
    }
    let known = || RUNTIMES.iter().map(|runtime| runtime.name).collect::<Vec<_>>().join(", ");
    let find = |name: &String| {
        runtimes::find(name).with_context(|| format!("no runtime `{name}`; there are: {}", known()))
    };
    names.iter().map(find).collect()
}

fn plans(runtime: &'static Runtime, arguments: &Arguments) -> Vec<Plan> {
    let wanted =
        |name: &str| arguments.pattern.is_empty() || arguments.pattern.iter().any(|other| other == name);
    let count = |seconds: f64| (arguments.rate * seconds) as u32;
    let warm_up = count(arguments.warm_up);
    let patterns = runtime.patterns.iter().filter(|pattern| wanted(pattern.name));
    patterns
        .flat_map(|pattern| {
            arguments.in_flight.iter().map(|in_flight| Plan {
                warm_up,
                echo: arguments.echo,
                record: arguments.record.clone(),
                ..Plan::new(runtime, *pattern, *in_flight, arguments.rate, warm_up + count(arguments.seconds))
            })
        })
        .collect()
}

fn show(plan: &Plan, outcome: &Outcome, as_json: bool) {
    if as_json {
        println!("{}", report::json(plan, outcome));
    } else {
        println!("{}", report::rows(plan, outcome));
    }
}
