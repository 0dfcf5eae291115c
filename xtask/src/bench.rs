//! `cargo xtask bench`: what wirespan costs and how good its links are, each on real programs. One folder or file a
//! measurement.

mod causality;
mod cost;
mod pipeline;
mod protocols;
mod store;

use anyhow::Result;

use crate::setup;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    cost: cost::Arguments,
}

/// What can be measured besides the cost.
#[derive(clap::Subcommand)]
enum Other {
    /// Measure how many links between spans are right: real programs in their runtimes, against the truth.
    Causality(causality::Arguments),
    /// Measure how fast a recording goes through the pipeline, on one core, without root.
    Pipeline(pipeline::Arguments),
    /// Measure whether the daemon's memory stays where it is, for half an hour and a warm-up.
    Soak(cost::soak::Arguments),
    /// Measure what the collector's store costs.
    Store(store::Arguments),
}

/// `cargo xtask bench`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.other {
        Some(Other::Store(arguments)) => store::run(arguments),
        Some(Other::Pipeline(arguments)) => pipeline::run(arguments),
        Some(Other::Soak(arguments)) => {
            setup::require_root("cargo xtask bench soak")?;
            cost::soak::run(arguments)
        }
        Some(Other::Causality(arguments)) => {
            setup::require_root("cargo xtask bench causality")?;
            causality::run(arguments)
        }
        None => {
            setup::require_root("cargo xtask bench")?;
            cost::run(&arguments.cost)
        }
    }
}
