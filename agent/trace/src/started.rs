//! Comes in: calls of tasks that are numbered as they are started. Goes out: for whom they are, by whose turn it was when the
//! task was started, and which requests have made all their calls. Refuses: what a process was not seen to do.

use wirespan_span::span::{Key, Nanos, Task};

use crate::{
    delays::LONGEST,
    evidence::Evidence,
    habits::UNSURE,
    node::Node,
    starts::Did,
    suspects::{Said, Suspect},
    timing::FEW,
    trace::Method,
    traces::Traces,
};

/// Requests that a task may have been started for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StartedFor {
    requests: Vec<Key>,
    /// Was it started soon after that was read?
    soon: bool,
}

impl StartedFor {
    /// The only one, where the task was surely started soon after that was read.
    fn sole(&self) -> Option<Key> {
        match self.requests.as_slice() {
            [one] if self.soon => Some(*one),
            _ => None,
        }
    }
}

/// What is known of a call when it is made.
pub(crate) type Known = (Option<Evidence>, Option<Vec<Suspect>>, Option<Said>);

impl Traces {
    /// A thread did something.
    pub(crate) fn mark(&mut self, task: Task, time: Nanos, did: Did) {
        if task.next.is_some() {
            let reach = self.reach(task.pid);
            self.starts.mark(task, time, did, reach);
        }
    }

    /// What was read longer ago, ns, starts no task.
    fn reach(&mut self, pid: u32) -> u64 {
        let follows = self.habits.of(pid).follows_responses();
        self.timing.reach(pid, follows).map_or(LONGEST, |reach| FEW * reach)
    }

    /// Whose turn it may have been when this task was started.
    pub(crate) fn started_for(&mut self, task: Task) -> Option<StartedFor> {
        task.next?;
        let reach = self.reach(task.pid);
        let starters = self.starts.of(task, reach)?;
        let follows = self.habits.of(task.pid).follows_responses();
        let (mut requests, mut soon) = (Vec::new(), true);
        for (did, time) in starters.last {
            let request = match did {
                Did::Request(request) => request,
                Did::Response(call) if follows => self.known(call)?,
                Did::Response(_) | Did::Wrote => continue,
            };
            soon &= starters.by.since(time) < reach;
            if !requests.contains(&request) {
                requests.push(request);
            }
        }
        (!requests.is_empty()).then_some(StartedFor { requests, soon })
    }

    /// The same call, with what the start of its task tells.
    pub(crate) fn by_start(&mut self, started: Option<StartedFor>, known: Known, call: &Node) -> Known {
        let Some(started) = started else { return known };
        let (evidence, suspects, said) = known;
        let sure = evidence.filter(|evidence| evidence.confidence >= self.settings.min_confidence);
        let habit = self.habits.of(call.pid);
        let (believed, worth) = (habit.starts(), habit.worth(call.shape));
        let sole = started.sole();
        if let (Some(sure), Some(request)) = (sure, sole) {
            habit.started(sure.server == request);
        }
        let Some(trust) = believed else { return (evidence, suspects, said) };
        let at_work = |request: &Key| self.working(*request, call.pid, call.start);
        match (sole, sure) {
            // One of the two is wrong; or it outlived the request that it was started for.
            (Some(request), Some(sure)) if sure.server != request => {
                (Some(sure.of_worth(UNSURE)), None, None)
            }
            (Some(request), None) if at_work(&request) => {
                let evidence = Evidence::new(request, Method::Task, trust).of_worth(worth);
                (Some(evidence), suspects.map(|those| among(those, &started)), None)
            }
            (None, _) if started.requests.iter().all(at_work) => {
                (evidence, suspects.map(|those| among(those, &started)), said)
            }
            _ => (evidence, suspects, said),
        }
    }

    /// A request is answered. Did it make more calls than it had started tasks?
    pub(crate) fn counted(&mut self, request: Key) {
        let Some(server) = self.nodes.get(&request).filter(|server| server.calls > 0) else { return };
        if let Some(count) = self.starts.count(request) {
            self.habits.of(server.pid).counted(server.calls <= count);
        }
    }

    /// Is a call known for each task that this request started?
    fn exhausted(&mut self, request: Key) -> bool {
        let Some(server) = self.nodes.get(&request) else { return false };
        let all = self.starts.count(request).is_some_and(|count| server.calls >= count);
        all && self.habits.of(server.pid).counts().is_some()
    }

    /// Of the requests that a call may be for, those that have calls to make. `None` where there is one, and that has none.
    pub(crate) fn with_calls_to_make(&mut self, suspects: Vec<Suspect>) -> Option<Vec<Suspect>> {
        let left: Vec<_> = suspects.iter().filter(|one| !self.exhausted(one.request)).copied().collect();
        if left.is_empty() { Some(suspects).filter(|suspects| suspects.len() != 1) } else { Some(left) }
    }

    /// What a thread or the time says is for a link where the request has made all of its calls: one of these is another's.
    pub(crate) fn unless_exhausted(&mut self, evidence: Evidence) -> Evidence {
        if self.exhausted(evidence.server) { evidence.of_worth(UNSURE) } else { evidence }
    }

    /// Calls of which one request is left, since others have made all of theirs by now.
    pub(crate) fn exhaust(&mut self) {
        while let Some(request) = self.starts.news() {
            if !self.exhausted(request) {
                continue;
            }
            for (call, left) in self.suspects.excludes(request) {
                let Some(pid) = self.nodes.get(&call).map(|node| node.pid) else { continue };
                if let Some(trust) = self.habits.of(pid).counts() {
                    let worth = self.worth(call);
                    self.explained(call, left);
                    self.place_late(call, left, Method::Task, trust * worth);
                }
            }
        }
    }
}

/// Of the requests that a call may be for, those that its task may have been started for.
fn among(suspects: Vec<Suspect>, started: &StartedFor) -> Vec<Suspect> {
    let may = |one: &Suspect| started.requests.contains(&one.request);
    if suspects.iter().any(may) { suspects.into_iter().filter(may).collect() } else { suspects }
}
