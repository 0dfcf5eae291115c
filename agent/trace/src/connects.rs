//! Comes in: which request a connection was opened for. Goes out: the same, once, for the connection's first own
//! request.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use wirespan_span::span::{Cookie, Key, Nanos};

/// The request that a connection was opened for, and the confidence in that.
pub(crate) type For = (Key, f32);

/// Connections opened and not yet used. Bounded in number and in time.
#[derive(Debug)]
pub(crate) struct Connects {
    opened: FxHashMap<Cookie, (Nanos, Option<For>)>,
    order: VecDeque<(Nanos, Cookie)>,
    max: usize,
}

impl Connects {
    pub(crate) fn new(max: usize) -> Self {
        Self { opened: FxHashMap::default(), order: VecDeque::new(), max }
    }

    /// A connection is being opened for a request, or for none. `false` where another was forgotten for it.
    pub(crate) fn open(&mut self, cookie: Cookie, time: Nanos, request: Option<For>) -> bool {
        if self.max == 0 {
            return false;
        }
        let full = self.order.len() >= self.max;
        let forgotten = full.then(|| self.forget_oldest()).flatten();
        self.opened.insert(cookie, (time, request));
        self.order.push_back((time, cookie));
        forgotten.is_none()
    }

    /// For whom the connection was opened; `None` where that is not known, or it was used before.
    pub(crate) fn first_use(&mut self, cookie: Cookie) -> Option<Option<For>> {
        self.opened.remove(&cookie).map(|(_, request)| request)
    }

    /// Forgets what was opened before `time`.
    pub(crate) fn expire(&mut self, time: Nanos) {
        while self.order.front().is_some_and(|(opened, _)| *opened < time) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) -> Option<Cookie> {
        let (time, cookie) = self.order.pop_front()?;
        self.opened.get(&cookie).filter(|(opened, _)| *opened == time)?;
        self.opened.remove(&cookie).map(|_| cookie)
    }
}
