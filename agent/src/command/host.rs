//! What `run` and `agent` have in common: the whole host, until somebody says stop.

use std::{future, io, io::IsTerminal, process::ExitCode, sync::Arc};

use wirespan_export::terminal::Output;

use super::display;
use crate::{
    config::{Config, Flags, Loaded, choice},
    daemon::{Daemon, Display, Purpose, Scope, Source},
    observe::watch::Watch,
};

/// Captures the host and shows spans on stdout; everything else goes to stderr. `usual` is the output of `auto`; `begun`
/// gets to know where the daemon leaves what it counts.
pub(super) fn capture(
    config: &Config,
    usual: Output,
    begun: impl FnOnce(&Arc<Watch>),
) -> anyhow::Result<ExitCode> {
    let daemon = Daemon::start(config, &Scope::Host, shown(config, usual))?;
    begun(daemon.watch());
    until_stopped(daemon)
}

/// The same as a service: with no more privileges than it needs, told of the configuration by SIGHUP, and telling
/// systemd how it is.
pub(super) fn serve(flags: &Flags, loaded: Loaded, usual: Output) -> anyhow::Result<ExitCode> {
    let purpose = Purpose::Serve(shown(&loaded.config, usual));
    let mut daemon = Daemon::start_for(&loaded.config, &Scope::Host, purpose)?;
    daemon.serve(Source::new(flags, loaded))?;
    until_stopped(daemon)
}

fn until_stopped(mut daemon: Daemon) -> anyhow::Result<ExitCode> {
    eprintln!("wirespan: capturing every request of this host (plan {}); Ctrl-C stops", daemon.plan);
    daemon.run_until(future::pending())?;
    eprintln!("wirespan: {}", daemon.stop());
    Ok(ExitCode::SUCCESS)
}

fn shown(config: &Config, usual: Output) -> Option<Display> {
    let output = output(config, usual)?;
    let color = display::color(config, io::stdout().is_terminal());
    Some(display::on(Box::new(io::stdout()), output, color))
}

/// A service that sends its spans on does not fill the journal with them, unless it is asked to.
pub(super) fn output(config: &Config, usual: Output) -> Option<Output> {
    let watched = config.otlp.endpoint.is_none() || io::stdout().is_terminal();
    match config.output.format {
        choice::Output::Auto => watched.then_some(usual),
        choice::Output::None => None,
        chosen => display::output(chosen),
    }
}
