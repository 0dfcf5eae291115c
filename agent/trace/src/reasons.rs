//! Comes in: calls and answers, and why they came when they did. Goes out: for which request calls were made, where nothing
//! else tells. What is believed stands in [`crate::timing`].

use wirespan_span::span::{Key, Nanos};

use crate::{
    connects::Opened,
    evidence::Evidence,
    habits::UNSURE,
    node::Node,
    placing::MAX_DEPTH,
    timing::{Reason, SUREST},
    trace::Method,
    traces::Traces,
};

/// So sure must its time make the request of a call that its thread may have taken over.
const AGREED: f32 = 0.9;

/// What a thread may have taken over from another is less sure where the times of the process are known and make another
/// request as likely.
pub(crate) fn agreed(evidence: Evidence, by_time: Option<Evidence>) -> Evidence {
    let doubts = |other: Evidence| other.server != evidence.server || other.confidence < AGREED;
    let doubted = evidence.again && by_time.is_some_and(doubts);
    if doubted { evidence.of_worth(UNSURE) } else { evidence }
}

impl Traces {
    /// Why a call is made now. In a program where who opens a connection uses it first, nothing that was read since is the reason for its
    /// first request.
    pub(crate) fn reason(&mut self, call: &Node, opened: Option<Opened>) -> Option<Reason> {
        let opener_uses = self.habits.of(call.pid).opens_for_itself() >= self.settings.min_confidence;
        let decided = opened.filter(|_| opener_uses).map_or(call.start, |opened| opened.time);
        self.timing.calls(call.pid, decided)
    }

    /// For which request a call is, as its time has it: that which made the program call, or for which the call was whose
    /// response did.
    pub(crate) fn by_time(&mut self, node: &Node) -> Option<Evidence> {
        let reason = node.reason.as_deref()?;
        let open = |server: &Key| self.working(*server, node.pid, node.start) && !self.queues.behind(*server);
        let server = reason.request.filter(open)?;
        Some(self.unless_exhausted(Evidence::new(server, Method::Timing, reason.confidence)))
    }

    /// What the time tells, where that is enough for a parent and nothing else is.
    pub(crate) fn surer(&self, evidence: Option<Evidence>, by_time: Option<Evidence>) -> Option<Evidence> {
        let sure = |evidence: &Evidence| evidence.confidence >= self.settings.min_confidence;
        evidence.filter(sure).or(by_time.filter(sure)).or(evidence)
    }

    /// A request is answered: probably because the response to a call has just come that was made for it.
    pub(crate) fn answers_in_time(&mut self, request: Key, time: Nanos) {
        let Some(server) = self.nodes.get(&request) else { return };
        let pid = server.pid;
        let reason = self.timing.answers(pid, request, server.start, time);
        // An answer that waits for others before it on its connection comes when they do.
        if let Some(Reason { call: Some(call), confidence, .. }) =
            reason.filter(|_| !self.queues.behind(request))
        {
            self.place_by_time(call, request, confidence);
        }
        self.timing.leave(pid, request);
    }

    /// A call that is likely this request's, and those that led to it, each right behind the response to the one before.
    fn place_by_time(&mut self, call: Key, server: Key, confidence: f32) {
        let mut next = Some((call, confidence));
        for _ in 0..MAX_DEPTH {
            let Some((call, confidence)) = next else { return };
            let Some(node) = self.nodes.get(&call).filter(|node| node.parent.is_none()) else { return };
            let (reason, kind) = (node.reason.as_deref().copied(), (node.pid, node.shape));
            let confidence = both(confidence, reason, server);
            if confidence >= self.settings.min_confidence {
                self.explained(call, server);
            }
            let worth = self.habits.of(kind.0).kind(kind.1);
            if confidence * worth >= self.settings.min_confidence {
                self.place_late(call, server, Method::Timing, confidence * worth);
            }
            next = reason
                .filter(|_| self.reaches_back(kind.0, server))
                .and_then(|reason| Some((reason.call?, confidence * reason.confidence)));
        }
    }
}

/// What the answer tells, with what the call itself told: two witnesses that know nothing of each other. One that speaks for
/// another request makes this one no surer, however little it is believed.
fn both(confidence: f32, reason: Option<Reason>, server: Key) -> f32 {
    let Some(Reason { request: Some(request), confidence: other, .. }) = reason else { return confidence };
    if request == server {
        return (1.0 - (1.0 - confidence) * (1.0 - other)).min(SUREST);
    }
    let (right, wrong) = (confidence * (1.0 - other), (1.0 - confidence) * other);
    (right / (right + wrong).max(f32::MIN_POSITIVE)).min(confidence)
}

#[cfg(test)]
mod tests {
    use wirespan_span::span::Cookie;

    use super::*;

    #[test]
    fn what_may_be_taken_over_is_believed_where_its_time_agrees() {
        let of = |number, method, confidence| {
            let key = Key { cookie: Cookie(number), offset: 0, sub: 0 };
            Evidence::new(key, method, confidence)
        };
        let again = Evidence { again: true, ..of(1, Method::Task, 0.98) };
        let halved = |evidence, by_time| agreed(evidence, by_time).confidence < 0.5;
        assert!(halved(again, Some(of(2, Method::Timing, 0.3))));
        assert!(halved(again, Some(of(1, Method::Timing, 0.7))));
        assert!(!halved(again, Some(of(1, Method::Timing, 0.95))));
        assert!(!halved(again, None));
        assert!(!halved(of(1, Method::Task, 0.98), Some(of(2, Method::Timing, 0.3))));
    }

    #[test]
    fn two_witnesses_make_surer_or_doubt_each_other() {
        let key = |number| Key { cookie: Cookie(number), offset: 0, sub: 0 };
        let says = |number| Some(Reason { call: None, request: Some(key(number)), confidence: 0.9 });
        let near = |confidence: f32, expected: f32| (confidence - expected).abs() < 1e-3;
        assert!(near(both(0.9, says(1), key(1)), 0.99));
        assert!(near(both(0.9, says(2), key(1)), 0.5));
        assert!(near(both(0.9, None, key(1)), 0.9));
        let doubts = Some(Reason { call: None, request: Some(key(2)), confidence: 0.0 });
        assert!(near(both(0.9, doubts, key(1)), 0.9));
    }
}
