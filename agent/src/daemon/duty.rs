//! What a service does besides capturing: it reads its configuration again when SIGHUP asks for it, and tells systemd how
//! it is. Comes in: signals, time. Goes out: orders to the capture thread, words to systemd. Refuses: saying that all is
//! well while the capture thread hangs.

use std::{convert::Infallible, future, time::Duration};

use anyhow::Context;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    capture::Control,
    reload::{self, Source},
};
use crate::observe::{systemd, watch::Watch};

/// The duties of a service; none for a daemon that somebody looks on.
#[derive(Default)]
pub(super) struct Duty(Option<Service>);

struct Service {
    source: Source,
    hangup: Signal,
    watchdog: Option<Interval>,
}

impl Duty {
    /// Takes the duties on and tells systemd that all is ready. Within a runtime.
    pub(super) fn serve(source: Source) -> anyhow::Result<Self> {
        let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        let watchdog = systemd::interval().map(ticks);
        systemd::ready();
        Ok(Self(Some(Service { source, hangup, watchdog })))
    }

    /// Does what is due, for ever.
    pub(super) async fn perform(&mut self, control: &Control, watch: &Watch) -> Infallible {
        let Some(service) = &mut self.0 else { return future::pending().await };
        loop {
            let Service { source, hangup, watchdog } = service;
            tokio::select! {
                Some(()) = hangup.recv() => read_again(source, control, watch),
                () = tick(watchdog) => if watch.alive() { systemd::alive() },
            }
        }
    }

    /// The end has begun.
    pub(super) fn end(&self) {
        if self.0.is_some() {
            systemd::stopping();
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn tick(watchdog: &mut Option<Interval>) {
    match watchdog {
        Some(watchdog) => drop(watchdog.tick().await),
        None => future::pending().await,
    }
}

fn read_again(source: &mut Source, control: &Control, watch: &Watch) {
    systemd::reloading();
    match source.read() {
        Ok((reload, waiting)) => {
            control.reload(reload);
            eprintln!("wirespan: {}", reload::message(&waiting));
        }
        Err(error) => {
            watch.refuse();
            eprintln!("wirespan: {error:#}\nwirespan: going on with the configuration as it was");
        }
    }
    systemd::ready();
}
