//! Tells the user of trouble, once in a while. Comes in: every failure. Goes out: at most one line per kind and
//! half minute, with the number of those that were left out. Captured bytes never come here; a server's words are
//! escaped, because they end up on a terminal.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::terminal::escaped;

const INTERVAL: Duration = Duration::from_secs(30);
/// A server's words are cut to this many characters.
const LONGEST: usize = 500;

/// What went wrong; each kind keeps its own pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Retried,
    Refused,
    Rejected,
    Overflowed,
    Expired,
}

#[derive(Default)]
struct Pace {
    last: Option<Instant>,
    left_out: u64,
}

/// Where lines go.
pub(super) struct Notices {
    say: Box<dyn Fn(&str) + Send + Sync>,
    paces: Mutex<[Pace; 5]>,
}

impl Notices {
    pub(super) fn new(say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { say: Box::new(say), paces: Mutex::default() }
    }

    /// Says it, or counts it as left out.
    pub(super) fn say(&self, kind: Kind, text: impl FnOnce() -> String) {
        let Some(left_out) = self.turn(kind) else { return };
        let text: String = text().chars().take(LONGEST).collect();
        let more = if left_out > 0 { format!(" ({left_out} more like this)") } else { String::new() };
        (self.say)(&format!("OTLP: {}{more}", escaped(&text)));
    }

    fn turn(&self, kind: Kind) -> Option<u64> {
        // A panic in between leaves whole numbers: poison does not matter.
        let mut paces = self.paces.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let pace = &mut paces[kind as usize];
        if pace.last.is_some_and(|last| last.elapsed() < INTERVAL) {
            pace.left_out += 1;
            return None;
        }
        pace.last = Some(Instant::now());
        Some(std::mem::take(&mut pace.left_out))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_per_kind_and_half_minute() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let notices = Notices::new({
            let lines = Arc::clone(&lines);
            move |line| lines.lock().unwrap().push(line.to_owned())
        });
        for kind in [Kind::Retried, Kind::Retried, Kind::Refused, Kind::Retried] {
            notices.say(kind, || format!("{kind:?}\x1b[2J"));
        }
        tokio::time::advance(INTERVAL).await;
        notices.say(Kind::Retried, || "again".into());
        let expected =
            ["OTLP: Retried\\u{1b}[2J", "OTLP: Refused\\u{1b}[2J", "OTLP: again (2 more like this)"];
        assert_eq!(*lines.lock().unwrap(), expected);
    }
}
