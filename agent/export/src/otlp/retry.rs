//! How long to wait before the next try. Comes in: failures, and what the server asked for. Goes out: pauses that
//! double up to a bound, with jitter, so that many agents do not come back at the same moment.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use super::settings::Limits;

/// The longest pause a server can ask for: a wrong `Retry-After` must not silence an agent for a day.
const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// The pauses of one request.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { next: limits.retry_first, longest: limits.retry_longest }
    }

    /// The pause after one more failure: what the server asked for, else between a half and the whole of the next
    /// step.
    pub(super) fn pause(&mut self, asked: Option<Duration>) -> Duration {
        let step = self.next.min(self.longest);
        self.next = step.saturating_mul(2);
        match asked {
            Some(asked) => asked.min(LONGEST_ASKED),
            None => step.mul_f64(0.5 + 0.5 * random()),
        }
    }
}

/// 0 to 1. The standard library's hash seeds are random enough for jitter and need no dependency.
fn random() -> f64 {
    f64::from(RandomState::new().hash_one(()) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_with_jitter_up_to_the_bound() {
        let seconds = Duration::from_secs;
        let limits = Limits { retry_first: seconds(1), retry_longest: seconds(5), ..Limits::default() };
        let mut backoff = Backoff::new(&limits);
        for step in [1, 2, 4, 5, 5].map(seconds) {
            let pause = backoff.pause(None);
            assert!(step / 2 <= pause && pause <= step, "{pause:?} is not within {step:?}");
        }
    }

    #[test]
    fn the_server_s_wish_comes_first_within_reason() {
        let mut backoff = Backoff::new(&Limits::default());
        assert_eq!(backoff.pause(Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(backoff.pause(Some(Duration::from_secs(86_400))), LONGEST_ASKED);
        assert_eq!(backoff.pause(Some(Duration::ZERO)), Duration::ZERO);
    }
}
