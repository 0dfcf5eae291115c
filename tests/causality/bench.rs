//! Comes in: which runtimes, patterns and loads (`cargo xtask bench causality` passes them on). Goes out: the table on
//! standard output. Refuses: to go on silently when a run fails; it says so and ends with an error.

use std::process::ExitCode;

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
    /// Requests a second.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// A token in every request, echoed in its calls.
    #[arg(long)]
    echo: bool,
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
                total.add(&outcome.score);
            }
            Err(error) => {
                failed += 1;
                eprintln!("{} {} {}: {error:#}", plan.runtime.name, plan.pattern.name, plan.in_flight);
            }
        }
    }
    if !arguments.json {
        print!("{}", report::calibration(&total));
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
    let requests = (arguments.rate * arguments.seconds) as u32;
    let patterns = runtime.patterns.iter().filter(|pattern| wanted(pattern.name));
    patterns
        .flat_map(|pattern| {
            arguments.in_flight.iter().map(|in_flight| Plan {
                runtime,
                pattern: *pattern,
                in_flight: *in_flight,
                rate: arguments.rate,
                requests,
                echo: arguments.echo,
            })
        })
        .collect()
}

fn show(plan: &Plan, outcome: &Outcome, as_json: bool) {
    if as_json {
        println!("{}", report::json(plan, outcome));
    } else {
        println!("{}", report::row(plan, &outcome.score));
    }
}
