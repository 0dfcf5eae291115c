//! Comes in: calls whose thread or process had read several things, and what became known of those. Goes out: for whom they
//! were, where one request is left. Refuses: what a process was not seen to do.

use wirespan_span::span::{Key, Nanos, Task};

use crate::{
    evidence::{Evidence, Word},
    habits::{ORDERLY, UNSURE},
    node::Node,
    suspects::{Line, Said, Suspect},
    trace::Method,
    traces::Traces,
};

/// How sure it is that a call is for the one request of which its process had read anything lately.
const ALONE: f32 = 0.98;

/// Something that was read: whose request it is or was called for, the call if it is a response, and when.
pub(crate) type Read = (Option<Key>, Option<Key>, Nanos);

impl Traces {
    /// The requests that a call may be for: those of what its thread read since it slept; in a process whose threads take over
    /// from each other, of what that read lately. `None` where that is not known.
    pub(crate) fn suspects(&mut self, task: Task, time: Nanos) -> Option<Vec<Suspect>> {
        let habit = self.habits.of(task.pid);
        if !habit.several() || habit.trades() && !habit.strays() {
            return None;
        }
        let (strays, follows) = (habit.strays(), habit.follows_responses());
        let lately = if strays { Some(self.timing.before_call(task.pid, time, follows)?) } else { None };
        let read: Vec<Read> = self.threads.turn(task).chain(lately.into_iter().flatten()).collect();
        let mut suspects: Vec<Suspect> = Vec::new();
        for (request, call, read) in read.into_iter().filter(|(_, call, _)| follows || call.is_none()) {
            let known = request.or_else(|| self.known(call?));
            let those: Vec<Key> = match call.and_then(|call| self.suspects.of(call)) {
                Some(of_call) => of_call.iter().map(|suspect| suspect.request).collect(),
                None if known.is_none() && !self.of_nobody(call) => return None,
                None => known.into_iter().collect(),
            };
            for request in those.into_iter().filter(|request| self.working(*request, task.pid, time)) {
                let suspect = Suspect { request, read, call };
                match suspects.iter_mut().find(|suspect| suspect.request == request) {
                    Some(known) if known.read <= read => *known = suspect,
                    Some(_) => {}
                    None => suspects.push(suspect),
                }
            }
        }
        self.with_calls_to_make(suspects)
    }

    /// The request that this call is surely for.
    pub(crate) fn known(&self, call: Key) -> Option<Key> {
        self.nodes.get(&call).filter(|call| call.sure).and_then(|call| call.server)
    }

    /// A call that a task made for itself.
    fn of_nobody(&self, call: Option<Key>) -> bool {
        call.and_then(|call| self.nodes.get(&call)).is_some_and(|call| call.own)
    }

    /// What all that is known at a call tells of it, and what its thread says.
    pub(crate) fn weighed(
        &mut self,
        (evidence, by_time): (Option<Evidence>, Option<Evidence>),
        suspects: Option<&[Suspect]>,
        (call, task): (&Node, Task),
    ) -> (Option<Evidence>, Option<Said>) {
        // Of several it will show which one it is.
        let several = suspects.is_some_and(|suspects| suspects.len() > 1);
        let evidence = if several { evidence } else { self.surer(evidence, by_time) };
        if let Some(sure) = evidence.filter(|sure| sure.confidence >= self.settings.min_confidence) {
            let own = self.threads.turn(task).any(|(request, ..)| request == Some(sure.server));
            self.habits.of(task.pid).strayed(!own);
        }
        let Some(suspects) = suspects else { return (evidence, None) };
        self.among(evidence, suspects, call)
    }

    /// For whom a call is where its process has read for one request alone; and, where threads take over from each other, what
    /// a thread's word is worth where the process has just read for others as well.
    fn among(
        &mut self,
        evidence: Option<Evidence>,
        suspects: &[Suspect],
        call: &Node,
    ) -> (Option<Evidence>, Option<Said>) {
        let habit = self.habits.of(call.pid);
        let (strays, follows, kind) = (habit.strays(), habit.follows_responses(), habit.kind(call.shape));
        let sure = evidence.filter(|evidence| evidence.confidence >= self.settings.min_confidence);
        // A thread speaks for what it read last, also if that is a response, behind which this program does not call.
        let by_thread = |evidence: &Evidence| matches!(evidence.method, Method::Task | Method::Timing);
        let possible = |evidence: &Evidence| suspects.iter().any(|one| one.request == evidence.server);
        let may = |sure: &Evidence| follows || suspects.is_empty() || !by_thread(sure) || possible(sure);
        let evidence =
            evidence.map(|own| if sure.is_none() || may(&own) { own } else { own.of_worth(UNSURE) });
        match (sure.filter(may), suspects) {
            (None, [one]) => (Some(Evidence::new(one.request, Method::Timing, ALONE).of_worth(kind)), None),
            (None, _) => (evidence, None),
            (Some(sure), _) if !strays || !by_thread(&sure) => (Some(sure), None),
            (Some(sure), _) => {
                // Most calls follow sooner than some: a thread that has done what it had read may have waited for this.
                let reach = self.timing.reach(call.pid, follows).filter(|_| !sure.again).unwrap_or(u64::MAX);
                let rival = |one: &Suspect| one.request != sure.server && call.start.since(one.read) < reach;
                if !suspects.iter().any(rival) {
                    return (Some(sure), None);
                }
                let believed = habit.keeps_word(sure.word);
                let likely = sure.word == Word::Request && !follows;
                let said = Said { request: sure.server, word: sure.word, believed, likely };
                (Some(if believed { sure } else { sure.of_worth(UNSURE) }), Some(said))
            }
        }
    }

    /// A call is made, by a task that is new, or not, and it is known for whom, or not.
    pub(crate) fn suspect(
        &mut self,
        (call, new): (Key, bool),
        task: Task,
        (suspects, said): (Option<Vec<Suspect>>, Option<Said>),
        surely: Option<Key>,
    ) {
        let Some(suspects) = suspects else { return };
        // Several threads go through what they read, and start tasks, at the same time.
        let one_by_one = !self.habits.of(task.pid).strays();
        let places = if one_by_one { places(task, new, self.suspects.next()) } else { Vec::new() };
        self.suspects.add(call, suspects, said, places);
        if let Some(server) = surely {
            self.suspects.settle(call, server);
        }
    }

    /// A request is answered: who waits for what it calls has no call for it that is not. At this `time`, unless its answer may have
    /// been held back: what was read before that may have led to another one's.
    pub(crate) fn rules_out(&mut self, request: Key, task: Task, time: Option<Nanos>) {
        self.counted(request);
        let Some(server) = self.nodes.get(&request) else { return };
        if server.asked {
            let waited = server.awaits == 0;
            self.habits.of(task.pid).waited(waited);
        }
        for (word, right) in self.suspects.believed(request) {
            self.habits.of(task.pid).gave_word(word, right);
        }
        if let Some(call) = time.and_then(|time| self.right_before(request, task, time)) {
            self.remains(call, request);
        }
        for (call, left) in self.suspects.answers(request) {
            self.remains(call, left);
        }
        for call in self.suspects.agrees(request) {
            self.remains(call, request);
        }
    }

    /// The only call whose response may have led to this answer.
    fn right_before(&mut self, request: Key, task: Task, time: Nanos) -> Option<Key> {
        let habit = self.habits.of(task.pid);
        let read: Vec<Read> = if habit.strays() {
            self.timing.before_answer(task.pid, time)?.collect()
        } else {
            self.threads.turn(task).collect()
        };
        let may = |(of, call, _): &Read| match call.and_then(|call| self.suspects.of(call)) {
            Some(suspects) => suspects.iter().any(|suspect| suspect.request == request),
            None => of.is_none_or(|of| of == request),
        };
        let mut those = read.into_iter().filter(may);
        let (_, call, _) = those.next().filter(|_| those.next().is_none())?;
        call.filter(|call| self.is_open_to_doubt(*call))
    }

    /// Is it one of several requests that this call is for?
    fn is_open_to_doubt(&self, call: Key) -> bool {
        self.suspects.of(call).is_some_and(|suspects| suspects.len() > 1)
    }

    /// Is this call also suspected to be for another request of this one's connection?
    fn piled(&self, call: Key, request: Key) -> bool {
        let other = |one: &Suspect| one.request != request && one.request.cookie == request.cookie;
        request.sub == 0 && self.suspects.of(call).is_some_and(|suspects| suspects.iter().any(other))
    }

    /// One request is left for a call.
    fn remains(&mut self, call: Key, request: Key) {
        let Some(node) = self.nodes.get(&call) else { return };
        let confidence = self.habits.of(node.pid).waits();
        if confidence < self.settings.min_confidence {
            return;
        }
        self.suspects.settle(call, request);
        let worth = self.worth(call);
        self.explained(call, request);
        self.place_late(call, request, Method::Task, confidence * worth);
    }

    /// Calls beside those that became known may be known by that.
    pub(crate) fn spread(&mut self) {
        while let Some(call) = self.suspects.news() {
            let Some(pid) = self.nodes.get(&call).map(|node| node.pid) else { continue };
            let habit = self.habits.of(pid);
            let Some(suspect) = self.suspects.sole(call) else { continue };
            habit.followed(suspect.call.is_some());
            if let Some((word, right)) = self.suspects.said(call) {
                habit.gave_word(word, right);
            }
            for (order, right) in self.suspects.examples(call) {
                habit.ordered(order, right);
            }
            // What led to it was for the same, unless the program turned to the request behind.
            let holds_back = habit.holds_back();
            let before = suspect.call.filter(|before| self.is_open_to_doubt(*before));
            if let Some(before) = before.filter(|before| !holds_back || !self.piled(*before, suspect.request))
            {
                self.remains(before, suspect.request);
            }
            let habit = self.habits.of(pid);
            let settled = self.suspects.in_order(call, |order| habit.orders(order));
            let confidence = habit.waits().min(ORDERLY);
            for (call, request) in settled {
                let worth = self.worth(call);
                self.explained(call, request);
                self.place_late(call, request, Method::Task, confidence * worth);
            }
        }
    }
}

/// Where a call stands in the orders that there may be: by the number of its task, if that is new, and among all calls.
fn places(task: Task, new: bool, next: u64) -> Vec<(Line, u64)> {
    let logical = task.logical().filter(|logical| new && logical.starter().is_none());
    let number = logical.and_then(|logical| Some((Line::Numbers(task.pid), logical.number()?)));
    number.into_iter().chain([(Line::Turn(task.into(), task.rests), next)]).collect()
}

#[cfg(test)]
mod tests {
    use wirespan_span::span::{Cookie, LogicalTask};

    use super::*;
    use crate::{settings::Settings, threads::ThreadKey};

    fn key(number: u64) -> Key {
        Key { cookie: Cookie(number), offset: 0, sub: 0 }
    }

    /// Task 500 calls for one of two requests, the second read a little later, and task 501 for the first. What the numbers tell of 500.
    fn by_number(readers: [u32; 2], strayed: u32) -> Vec<Key> {
        let mut traces = Traces::new(Settings::new([1; 16], [2; 16]));
        let habit = traces.habits.of(20);
        habit.has_several();
        readers.into_iter().for_each(|tid| habit.opens(ThreadKey::thread(20, tid)));
        (0..strayed).for_each(|_| habit.strayed(true));
        let suspects = || [1, 2].map(|n| Suspect { request: key(n), read: Nanos(n), call: None }).to_vec();
        for (id, request) in [(500, None), (501, Some(key(1)))] {
            let task = Task { pid: 20, tid: 1, key: LogicalTask::new(id, 0).key(), ..Task::default() };
            traces.suspect((key(id), true), task, (Some(suspects()), None), request);
        }
        let settled = traces.suspects.in_order(key(501), |_| Some(true));
        settled.into_iter().map(|(_, request)| request).collect()
    }

    #[test]
    fn tasks_of_several_threads_are_not_numbered_as_their_requests_were_read() {
        assert_eq!(by_number([1, 1], 0), [key(1)]);
        assert_eq!(by_number([1, 2], 100), []);
    }
}
