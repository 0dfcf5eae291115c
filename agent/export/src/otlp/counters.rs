//! What became of every span that was offered. Comes in: counts from the queue and the requests. Goes out: a
//! [`Snapshot`]. Refuses: an end that has no counter.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// The counters as the exporter moves them.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $($(#[doc = $doc])+ pub(super) $name: AtomicU64,)+
        }

        /// The counters at one moment. They only grow.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Snapshot {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Counters {
            pub(super) fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.load(Relaxed),)+ }
            }
        }

        impl Snapshot {
            /// Name, description and value of each counter, for a metrics page or a log line.
            pub fn entries(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($doc),+).trim_ascii(), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Spans given to the exporter.
    spans_offered,
    /// Spans that the endpoint took.
    spans_exported,
    /// Spans dropped unsent, oldest first, because the queue was full.
    spans_overflowed,
    /// Spans that the endpoint turned down in a request it otherwise took (`partial_success`).
    spans_rejected,
    /// Spans of requests that the endpoint refused for good.
    spans_refused,
    /// Spans of requests given up after having been retried for the longest time allowed.
    spans_expired,
    /// Spans not known to have arrived when the deadline of the shutdown passed, or offered after it.
    spans_abandoned,
    /// Requests sent, first tries and retries.
    requests_sent,
    /// Requests that failed and were, or could have been, tried again.
    requests_retriable,
    /// Bytes of request bodies sent, before the compression of gRPC and after that of HTTP.
    bytes_sent,
}

impl Snapshot {
    /// Spans that were lost, for whatever reason.
    #[must_use]
    pub const fn spans_lost(&self) -> u64 {
        self.spans_overflowed
            + self.spans_rejected
            + self.spans_refused
            + self.spans_expired
            + self.spans_abandoned
    }

    /// Spans waiting or under way.
    #[must_use]
    pub const fn spans_waiting(&self) -> u64 {
        self.spans_offered.saturating_sub(self.spans_exported + self.spans_lost())
    }
}

/// Adds to a counter. Counters are read for people, not to order memory: relaxed is enough.
pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_offered_is_somewhere() {
        let counters = Counters::default();
        add(&counters.spans_offered, 10);
        add(&counters.spans_exported, 4);
        add(&counters.spans_overflowed, 3);
        let snapshot = counters.snapshot();
        assert_eq!((snapshot.spans_lost(), snapshot.spans_waiting()), (3, 3));
    }

    #[test]
    fn each_has_a_name_and_a_description() {
        let snapshot = Snapshot { spans_offered: 7, ..Snapshot::default() };
        let mut entries = snapshot.entries();
        assert_eq!(entries.next(), Some(("spans_offered", "Spans given to the exporter.", 7)));
        assert!(entries.all(|(name, text, value)| !name.is_empty() && text.ends_with('.') && value == 0));
    }
}
