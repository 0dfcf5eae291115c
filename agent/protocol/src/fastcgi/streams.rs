//! Comes in: the records of all requests of a connection. Goes out: exchanges, paired by the request's id (FastCGI
//! Specification 1.0, section 3.3). Refuses: more open requests than the configuration allows; the oldest ends as lost.

use std::collections::VecDeque;

use super::{record::Verdict, stream::Stream};
use crate::{
    event::Nanos,
    exchange::{Ending, Role},
    protocol::{Extent, Scene},
};

/// The requests that are open, in the order in which they came.
#[derive(Default)]
pub(super) struct Streams {
    open: VecDeque<Box<Stream>>,
}

impl Streams {
    fn place(&self, id: u16) -> Option<usize> {
        self.open.iter().position(|stream| stream.id == id)
    }

    pub(super) fn get(&mut self, id: u16) -> Option<&mut Stream> {
        self.open.iter_mut().find(|stream| stream.id == id).map(Box::as_mut)
    }

    /// A request begins. Its id is free, or its predecessor's end was missed.
    pub(super) fn begin(&mut self, id: u16, role: Role, extent: &Extent, scene: &mut Scene<'_>) {
        if let Some(stale) = self.place(id).and_then(|place| self.open.remove(place)) {
            stale.close(Ending::Lost, Nanos::default(), scene);
        }
        if self.open.len() >= scene.settings.max_pending.max(1)
            && let Some(oldest) = self.open.pop_front()
        {
            oldest.close(Ending::Lost, Nanos::default(), scene);
        }
        self.open.push_back(Box::new(Stream::new(id, role, extent, scene)));
    }

    /// The application is done with a request.
    pub(super) fn end(&mut self, id: u16, verdict: Verdict, extent: &Extent, scene: &mut Scene<'_>) {
        if let Some(stream) = self.place(id).and_then(|place| self.open.remove(place)) {
            stream.end(verdict, extent, scene);
        }
    }

    /// Records of a direction may have been missed.
    pub(super) fn doubt(&mut self, answers: bool, scene: &mut Scene<'_>) {
        self.open.iter_mut().for_each(|stream| stream.doubt(answers, scene));
    }

    /// Ends requests without an answer after the configured time, and what was doubtful and is silent.
    pub(super) fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let limit = scene.settings.request_timeout_ns;
        let late =
            |stream: &Stream| (!stream.answered() || stream.doubtful()) && now.since(stream.seen()) >= limit;
        while let Some(place) = self.open.iter().position(|stream| late(stream)) {
            if let Some(stream) = self.open.remove(place) {
                stream.close(Ending::TimedOut, now, scene);
            }
        }
    }

    /// Ends everything.
    pub(super) fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        while let Some(stream) = self.open.pop_front() {
            stream.close(ending, now, scene);
        }
    }
}
