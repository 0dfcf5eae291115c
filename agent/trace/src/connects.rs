//! Comes in: which request a connection was opened for. Goes out: the same, once, for the connection's first own
//! request.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use wirespan_span::span::{Cookie, Key, Nanos};

use crate::threads::Sight;

/// How things stood when a connection was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    /// When.
    pub(crate) time: Nanos,
    /// The request that it was opened for, and the confidence in that; `None` where it was opened for none.
    pub(crate) request: Option<(Key, f32)>,
    /// What the thread may have worked on.
    pub(crate) sight: Option<Sight>,
}

/// Connections opened and not yet used. Bounded in number and in time.
#[derive(Debug)]
pub(crate) struct Connects {
    opened: FxHashMap<Cookie, Opened>,
    order: VecDeque<(Nanos, Cookie)>,
    max: usize,
}

impl Connects {
    pub(crate) fn new(max: usize) -> Self {
        Self { opened: FxHashMap::default(), order: VecDeque::new(), max }
    }

    /// A connection is being opened. `false` where another was forgotten for it.
    pub(crate) fn open(&mut self, cookie: Cookie, opened: Opened) -> bool {
        if self.max == 0 {
            return false;
        }
        let full = self.order.len() >= self.max;
        let forgotten = full.then(|| self.forget_oldest()).flatten();
        self.opened.insert(cookie, opened);
        self.order.push_back((opened.time, cookie));
        forgotten.is_none()
    }

    /// How things stood when the connection was opened; `None` where that is not known, or it was used before.
    pub(crate) fn first_use(&mut self, cookie: Cookie) -> Option<Opened> {
        self.opened.remove(&cookie)
    }

    /// Forgets what was opened before `time`.
    pub(crate) fn expire(&mut self, time: Nanos) {
        while self.order.front().is_some_and(|(opened, _)| *opened < time) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) -> Option<Cookie> {
        let (time, cookie) = self.order.pop_front()?;
        self.opened.get(&cookie).filter(|opened| opened.time == time)?;
        self.opened.remove(&cookie).map(|_| cookie)
    }
}
