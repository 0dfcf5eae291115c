//! What `run` and `agent` have in common: the whole host, until somebody says stop.

use std::{future, io, io::IsTerminal, process::ExitCode};

use wirespan_export::terminal::Output;

use super::display;
use crate::{
    config::{Config, choice},
    daemon::{Daemon, Scope},
};

/// Captures the host and shows spans on stdout; everything else goes to stderr. `usual` is the output of `auto`.
pub(super) fn capture(config: &Config, usual: Output) -> anyhow::Result<ExitCode> {
    let display = match output(config, usual) {
        Some(output) => {
            let color = display::color(config, io::stdout().is_terminal());
            Some(display::on(Box::new(io::stdout()), output, color))
        }
        None => None,
    };
    let mut daemon = Daemon::start(config, &Scope::Host, display)?;
    eprintln!("wirespan: capturing every request of this host (plan {}); Ctrl-C stops", daemon.plan);
    daemon.run_until(future::pending())?;
    eprintln!("wirespan: {}", daemon.stop());
    Ok(ExitCode::SUCCESS)
}

/// A service that sends its spans on does not fill the journal with them, unless it is asked to.
fn output(config: &Config, usual: Output) -> Option<Output> {
    let watched = config.otlp.endpoint.is_none() || io::stdout().is_terminal();
    match config.output.format {
        choice::Output::Auto => watched.then_some(usual),
        choice::Output::None => None,
        chosen => display::output(chosen),
    }
}
