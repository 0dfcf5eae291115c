//! Comes in: at which futex a thread was woken and what the waker worked on; what it called then, and whom it woke when it
//! had the response. Goes out: for which request such calls were, and how sure that is. Refuses: to believe a wake-up of a
//! kind that was not seen to tell the truth.
//!
//! Who puts work into a queue wakes a thread that waits for it; who has done it wakes the one that waits for its result. So
//! do locks, of which nothing follows. Where it is known on which request the thread works that waits for the result, the
//! way there is an example with a known solution: what the worker had been woken for is right or wrong.

use rustc_hash::FxHashMap;
use wirespan_span::span::Key;

use crate::{
    futexes::{Futexes, Handed},
    tally::Tally,
    threads::ThreadKey,
};

/// Futexes at which one thread was woken that are remembered; the one of longest ago goes first.
const MAX_HANDED: usize = 8;

/// Processes whose wake-ups are told at a time.
const MAX_PROCESSES: usize = 256;

/// Wake-ups after which it is asked whether they are worth it.
const TRIAL: u32 = 16_384;

/// Calls that so many wake-ups must have explained.
const WORTH: u32 = 16;

/// Calls of a thread that was not woken for them, which make it one that works for itself, unless it was for as many.
const OWN: f32 = 2.0;

#[derive(Debug)]
struct Call {
    key: Key,
    /// What its thread had been woken for.
    handed: Vec<Handed>,
    answered: bool,
    /// Did a result go to anybody, while several requests were open?
    returned: bool,
}

#[derive(Debug, Default)]
struct Worker {
    handed: Vec<Handed>,
    /// Its last one: it waits for each.
    call: Option<Call>,
    /// Calls that it was woken for, or not.
    woken: Tally,
}

impl Worker {
    /// Does it work for others? A job works for itself, and meets others at locks.
    fn serves(&self) -> bool {
        self.woken.wrong() < OWN || self.woken.right() >= self.woken.wrong()
    }
}

#[derive(Debug, Default)]
struct Process {
    futexes: Futexes,
    /// Had it ever several requests open? Before, all that is learned may be right by chance, and is forgotten then.
    several: bool,
    wakes: u32,
    explained: u32,
}

/// Who hands work to whom, in processes whose wake-ups are told. Bounded.
#[derive(Debug)]
pub(crate) struct Handovers {
    workers: FxHashMap<ThreadKey, Worker>,
    processes: FxHashMap<u32, Process>,
    max: usize,
}

impl Handovers {
    /// For so many threads.
    pub(crate) fn new(max: usize) -> Self {
        Self { workers: FxHashMap::default(), processes: FxHashMap::default(), max }
    }

    /// A thread woke another one, while `several` requests were open, or not. `false`: this process's wake-ups explain nothing, or
    /// there is no room for one more; they need not be told any more.
    pub(crate) fn worth(&mut self, pid: u32, several: bool) -> bool {
        if self.processes.len() >= MAX_PROCESSES && !self.processes.contains_key(&pid) {
            return false;
        }
        let process = self.processes.entry(pid).or_default();
        if several && !process.several {
            (process.several, process.futexes) = (true, Futexes::default());
        }
        process.wakes += 1;
        if process.wakes < TRIAL {
            return true;
        }
        let worth = process.explained >= WORTH;
        (process.wakes, process.explained) = (0, 0);
        worth
    }

    /// Two threads that work on different requests met there.
    pub(crate) fn contradicts(&mut self, pid: u32, futex: u64) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.futexes.contradicted(futex);
        }
    }

    /// A thread that works on this request woke one that has none.
    pub(crate) fn hands(&mut self, thread: ThreadKey, futex: u64, request: Key) {
        if let Some(process) = self.processes.get_mut(&thread.pid) {
            process.futexes.used(futex);
        }
        self.woken(thread, futex, Some((request, false)));
    }

    /// A thread that has no request of its own woke one that has none. What it was woken for itself, and has not turned to yet,
    /// may be what the other will work on; `open` says whether that request still is.
    pub(crate) fn passes_on(
        &mut self,
        from: ThreadKey,
        to: ThreadKey,
        futex: u64,
        open: impl Fn(Key) -> bool,
    ) {
        let unused =
            self.workers.get(&from).zip(self.processes.get(&from.pid)).and_then(|(worker, process)| {
                process.futexes.best(worker.handed.iter().filter(|handed| !handed.used))
            });
        let request = unused.map(|(request, _)| request).filter(|request| open(*request));
        self.woken(to, futex, request.map(|request| (request, true)));
    }

    /// For which request a thread works, and how sure that is, 0 to 1.
    pub(crate) fn work(&self, thread: ThreadKey) -> Option<(Key, f32)> {
        let worker = self.workers.get(&thread)?;
        self.processes.get(&thread.pid)?.futexes.best(worker.handed.iter().filter(|_| worker.serves()))
    }

    /// The thread, which has no request of its own, makes a call.
    pub(crate) fn calls(&mut self, thread: ThreadKey, call: Key) {
        if !self.processes.contains_key(&thread.pid) {
            return;
        }
        let Some(worker) = self.room(thread) else { return };
        let made = Call { key: call, handed: worker.handed.clone(), answered: false, returned: false };
        worker.woken.add(worker.handed.iter().any(|handed| !handed.used));
        for handed in &mut worker.handed {
            handed.used = true;
        }
        let done = worker.call.replace(made);
        self.judge(thread.pid, done);
    }

    /// The thread read the response. `false`: it was not known to have made that call for others.
    pub(crate) fn responded(&mut self, thread: ThreadKey, call: Key) -> bool {
        let worker = self.workers.get_mut(&thread);
        let call = worker.and_then(|worker| worker.call.as_mut()).filter(|made| made.key == call);
        call.map(|call| call.answered = true).is_some()
    }

    /// The thread woke one that works on `request`: what it called last and has the response of may have been for that. Gives
    /// this call, and how sure that is. Without `rivals`, other requests that are open, it could be right by chance: that is no
    /// example, but in a process that never had several open.
    pub(crate) fn returns(
        &mut self,
        thread: ThreadKey,
        futex: u64,
        request: Key,
        rivals: bool,
    ) -> Option<(Key, f32)> {
        let Process { futexes, several, .. } = self.processes.get_mut(&thread.pid)?;
        if futexes.is_lock(futex) {
            return None;
        }
        let worker = self.workers.get_mut(&thread)?;
        let serves = worker.serves();
        let call = worker.call.as_mut().filter(|call| serves && call.answered)?;
        if rivals || !*several {
            call.returned |= futexes.compare(futex, request, &mut call.handed);
        }
        Some((call.key, futexes.returns(futex)))
    }

    /// A call was explained.
    pub(crate) fn explained(&mut self, pid: u32) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.explained += 1;
        }
    }

    /// The process ended.
    pub(crate) fn forget(&mut self, pid: u32) {
        if self.processes.remove(&pid).is_some() {
            self.workers.retain(|thread, _| thread.pid != pid);
        }
    }

    /// The thread ended.
    pub(crate) fn leave(&mut self, thread: ThreadKey) {
        let done = self.workers.remove(&thread).and_then(|worker| worker.call);
        self.judge(thread.pid, done);
    }

    /// A thread without a request was woken, for this one, passed on or not, or for nothing that is known. It had waited: what
    /// it had to do before is done, unless it has that from a futex that is believed more.
    fn woken(&mut self, thread: ThreadKey, futex: u64, request: Option<(Key, bool)>) {
        let Some(process) = self.processes.get(&thread.pid) else { return };
        if process.futexes.is_lock(futex) {
            return;
        }
        let worth = process.futexes.hands(futex);
        if let Some(worker) = self.workers.get_mut(&thread) {
            let better =
                |handed: &Handed| handed.futex != futex && process.futexes.hands(handed.futex) > worth;
            worker.handed.retain(|handed| !handed.used && better(handed));
            let done = worker.call.take_if(|call| call.answered);
            self.judge(thread.pid, done);
        }
        let Some((request, passed_on)) = request else { return };
        let Some(worker) = self.room(thread) else { return };
        if worker.handed.len() >= MAX_HANDED {
            worker.handed.remove(0);
        }
        worker.handed.push(Handed { request, futex, passed_on, used: false, confirmed: false });
    }

    /// No more results of this call will come.
    fn judge(&mut self, pid: u32, call: Option<Call>) {
        let call = call.filter(|call| call.returned);
        if let Some((process, call)) = self.processes.get_mut(&pid).zip(call) {
            call.handed.iter().for_each(|handed| process.futexes.learn(handed));
        }
    }

    fn room(&mut self, thread: ThreadKey) -> Option<&mut Worker> {
        if self.workers.len() >= self.max && !self.workers.contains_key(&thread) {
            // Of threads of processes that ended nobody tells.
            self.workers.retain(|_, worker| worker.handed.iter().any(|handed| !handed.used));
            if self.workers.len() >= self.max {
                return None;
            }
        }
        Some(self.workers.entry(thread).or_default())
    }
}
