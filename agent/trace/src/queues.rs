//! Comes in: requests on connections that answer in order, and their answers. Goes out: whether others wait behind one, and
//! whether answers were held back. A program that holds answers back may have turned to the requests behind already.

use rustc_hash::FxHashMap;
use wirespan_span::span::{Cookie, Key, Nanos};

#[derive(Debug, Default)]
struct Queue {
    open: Vec<u64>,
    /// Were there ever two?
    piled: bool,
    answered: Option<Nanos>,
}

/// Open requests by connection. Bounded by the requests that are held.
#[derive(Debug, Default)]
pub(crate) struct Queues(FxHashMap<Cookie, Queue>);

impl Queues {
    /// A request was read.
    pub(crate) fn join(&mut self, request: Key) {
        if request.sub == 0 {
            let queue = self.0.entry(request.cookie).or_default();
            queue.open.push(request.offset);
            queue.piled |= queue.open.len() > 1;
        }
    }

    /// It is being answered. Was another answer written in the same call?
    pub(crate) fn answers(&mut self, request: Key, time: Nanos) -> bool {
        let queue = self.0.get_mut(&request.cookie).filter(|_| request.sub == 0);
        queue.is_some_and(|queue| queue.answered.replace(time) == Some(time))
    }

    /// It is over.
    pub(crate) fn leave(&mut self, request: Key) {
        if let Some(queue) = self.0.get_mut(&request.cookie) {
            queue.open.retain(|offset| *offset != request.offset);
            if queue.open.is_empty() {
                self.0.remove(&request.cookie);
            }
        }
    }

    /// Was another one open on its connection while it was, or since the connection last had none?
    pub(crate) fn piled(&self, request: Key) -> bool {
        self.0.get(&request.cookie).is_some_and(|queue| request.sub == 0 && queue.piled)
    }

    /// The oldest that is open on a connection.
    pub(crate) fn first(&self, cookie: Cookie) -> Option<Key> {
        self.0.get(&cookie)?.open.first().map(|offset| Key { cookie, offset: *offset, sub: 0 })
    }

    /// Does another one wait on its connection?
    pub(crate) fn behind(&self, request: Key) -> bool {
        let queue = self.0.get(&request.cookie).filter(|_| request.sub == 0);
        queue.is_some_and(|queue| queue.open.iter().any(|at| *at != request.offset))
    }
}
