//! Comes in: calls whose request became known after they were made. Goes out: their places.

use wirespan_span::span::Key;

use crate::{
    placing::{MAX_DEPTH, local},
    trace::Method,
    traces::Traces,
};

impl Traces {
    /// A call whose request is known by now, because the answer came right behind the response; and the calls that it
    /// followed from, each made right behind the response to the one before.
    pub(crate) fn place_chain(&mut self, call: Key, server: Key, confidence: f32) {
        let mut next = Some(call);
        for _ in 0..MAX_DEPTH {
            let Some(call) = next else { return };
            let Some(node) = self.nodes.get(&call) else { return };
            let (sight, pid) = (node.sight.as_deref().copied(), node.pid);
            self.learn_opener(call, server);
            let worth = self.worth(call);
            if confidence >= self.settings.min_confidence {
                self.explained(call, server);
            }
            self.place_late(call, server, Method::Task, confidence * worth);
            let Some((deed, sight)) = sight else { return };
            let habit = self.habits.of(pid);
            if !sight.rested() {
                habit.did(deed, &sight, server);
            }
            let before = habit
                .follow(&sight, deed)
                .filter(|(step, trust)| !step.sure && *trust >= self.settings.min_confidence);
            next = before.filter(|_| self.reaches_back(pid, server)).and_then(|(step, _)| step.call);
        }
    }

    /// Was what led to a call for this request for the same one? Who holds answers back may have worked on another one of its
    /// connection before.
    pub(crate) fn reaches_back(&mut self, pid: u32, server: Key) -> bool {
        !(self.queues.piled(server) && self.habits.of(pid).holds_back())
    }

    /// A call turns out to have been for the request that it seemed to be for, or for this other one.
    pub(crate) fn confirm(&mut self, call: Key, server: Key) {
        let Some(call) = self.nodes.get(&call) else { return };
        if let Some((deed, sight)) = call.sight.as_deref().filter(|(_, sight)| !sight.rested()) {
            self.habits.of(call.pid).did(*deed, sight, server);
        }
    }

    /// The first request of a connection is known to have been for this one.
    fn learn_opener(&mut self, call: Key, server: Key) {
        let Some(call) = self.nodes.get(&call) else { return };
        if let Some((opener, user)) = call.rivals.as_deref()
            && [*opener, *user].contains(&server)
        {
            self.habits.of(call.pid).opened(server == *opener);
        }
    }

    /// A call that seemed to come out of nothing may have been for this request.
    pub(crate) fn explained(&mut self, call: Key, server: Key) {
        let Some(call) = self.nodes.get(&call).filter(|call| call.parent.is_none()) else { return };
        let before = self.nodes.get(&server).is_some_and(|server| server.start <= call.start);
        if before {
            self.habits.of(call.pid).explained(call.shape);
        }
    }

    /// Nothing more will become known of these calls.
    pub(crate) fn release(&mut self, calls: Vec<Key>) {
        for call in calls {
            let Some(call) = self.nodes.get_mut(&call) else { continue };
            if std::mem::replace(&mut call.held, false) {
                self.groups.release(call.group, self.now);
            }
        }
    }

    pub(crate) fn worth(&mut self, call: Key) -> f32 {
        let kind = self.nodes.get(&call).map(|node| (node.pid, node.shape));
        kind.map_or(1.0, |(pid, shape)| self.habits.of(pid).worth(shape))
    }

    /// A call whose request is known by now: the thread that made it answered that request, or ended.
    pub(crate) fn place_late(&mut self, call: Key, server: Key, method: Method, confidence: f32) {
        if self.nodes.get(&call).is_some_and(|call| call.later) {
            return;
        }
        let suspects = self.suspects.of(call);
        // Of several it will show which one it is, and another one it is not.
        if suspects.is_some_and(|those| those.len() != 1 || those.iter().any(|one| one.request != server)) {
            return;
        }
        let Some(mut node) = self.nodes.remove(&call) else { return };
        if std::mem::replace(&mut node.held, false) {
            self.groups.release(node.group, self.now);
        }
        let parent = self.nodes.get(&server).filter(|server| server.start <= node.start);
        let parent = parent.map(|server| (local(server, method, confidence), server.group));
        if let Some((parent, group)) = parent
            && node.parent.is_none()
            && !node.own
            && confidence >= self.settings.min_confidence
            && !self.descends(server, call)
            && self.groups.compatible(group, node.group)
        {
            node.parent = Some(parent);
            if !node.sure
                && let Some(server) = self.nodes.get_mut(&server)
            {
                server.calls += 1;
                self.starts.called(server.key);
            }
            (node.server, node.sure) = (Some(server), true);
            node.links.clear();
            let (group, moved) = self.groups.merge(group, node.group);
            node.group = group;
            self.moved(&moved, group);
            self.timing.known(node.pid, call, server);
            self.suspects.settle(call, server);
        }
        self.nodes.insert(call, node);
    }
}
