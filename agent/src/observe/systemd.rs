//! Words to systemd, `sd_notify(3)`. Comes in: what the daemon does. Goes out: a datagram, where somebody manages us.
//! Refuses: failing because nobody listens.

use std::time::Duration;

use sd_notify::NotifyState;

/// Everything is attached: events are being captured.
pub fn ready() {
    say(&[NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] ends it.
pub fn reloading() {
    // Without the time systemd would take the reload for failed.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        say(&[NotifyState::Reloading, now]);
    }
}

/// The end has begun.
pub fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// All is well, until the next time.
pub fn alive() {
    say(&[NotifyState::Watchdog]);
}

/// How often [`alive`] is to be said: twice in the time that the unit's `WatchdogSec` allows. `None`: nobody waits.
#[must_use]
pub fn interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn say(states: &[NotifyState<'_>]) {
    // A manager that cannot be told is no reason to stop working.
    let _told = sd_notify::notify(states);
}
