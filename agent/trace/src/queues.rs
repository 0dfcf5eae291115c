//! Comes in: requests on connections that answer in order. Goes out: whether others wait behind one. A program that holds
//! answers back may have turned to those already.

use rustc_hash::FxHashMap;
use wirespan_span::span::{Cookie, Key};

/// Open requests by connection. Bounded by the requests that are held.
#[derive(Debug, Default)]
pub(crate) struct Queues(FxHashMap<Cookie, Vec<u64>>);

impl Queues {
    /// A request was read.
    pub(crate) fn join(&mut self, request: Key) {
        if request.sub == 0 {
            self.0.entry(request.cookie).or_default().push(request.offset);
        }
    }

    /// It is over.
    pub(crate) fn leave(&mut self, request: Key) {
        if let Some(queue) = self.0.get_mut(&request.cookie) {
            queue.retain(|offset| *offset != request.offset);
            if queue.is_empty() {
                self.0.remove(&request.cookie);
            }
        }
    }

    /// Does another one wait on its connection?
    pub(crate) fn behind(&self, request: Key) -> bool {
        request.sub == 0
            && self.0.get(&request.cookie).is_some_and(|queue| queue.iter().any(|at| *at != request.offset))
    }
}
