//! Comes in: sockets that closed. Goes out: whether a late event belongs to one of them. Forgets the oldest first.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::event::{Cookie, Nanos};

/// The sockets closed last, and when.
#[derive(Debug)]
pub(crate) struct Recent {
    limit: usize,
    closed: FxHashMap<u64, Nanos>,
    order: VecDeque<u64>,
}

impl Recent {
    /// Remembers at most `limit` sockets.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, closed: FxHashMap::default(), order: VecDeque::new() }
    }

    /// `cookie` closed at `time`.
    pub(crate) fn remember(&mut self, cookie: Cookie, time: Nanos) {
        if self.limit == 0 {
            return;
        }
        if self.closed.insert(cookie.0, time).is_none() {
            self.order.push_back(cookie.0);
        }
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.closed.remove(&oldest);
        }
    }

    /// When `cookie` closed, where it is remembered.
    pub(crate) fn closed(&self, cookie: Cookie) -> Option<Nanos> {
        self.closed.get(&cookie.0).copied()
    }
}
