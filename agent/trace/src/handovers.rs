//! Comes in: at which futex a thread was woken and what the waker worked on; what it called then, and whom it woke when it
//! had the response. Goes out: for which request such calls were, and how sure that is. Refuses: to believe a wake-up of a
//! kind that was not seen to tell the truth.
//!
//! Who puts work into a queue wakes a thread that waits for it; who has done it wakes the one that waits for its result. So
//! do locks, of which nothing follows. Where it is known on which request the thread works that waits for the result, the
//! way there is an example with a known solution: what the worker had been woken for is right or wrong.
//!
//! A program that answers one request at a time is started many times, and each process sees few examples. Those that answer at
//! the same address are one program: what one learned while it had one request at a time holds for the others while they do.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use wirespan_span::span::{Address, Key, Nanos, Socket};

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

/// Right examples that make what processes at one place learned worth to be told to others there, and how many times as many as
/// the last time make it worth to be told again.
const TAUGHT: f32 = 16.0;
const AGAIN: f32 = 1.5;

/// Requests of one process that are remembered; the oldest goes first.
const MAX_READ: usize = 64;

/// Who has read a request puts the work for that into the queue within so long, mostly: threads of Python run for 5 ms at a time.
const SOON: u64 = 5_000_000;

/// A futex that is believed as much is the queue's.
const QUEUE: f32 = 0.9;

/// A share of calls that is as good as none.
const RARELY: f32 = 0.02;

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

/// Where a program answers: the network namespace, and the address.
type Place = (u32, Address);

/// A request that a process has read and not answered.
#[derive(Clone, Copy, Debug)]
struct Read {
    request: Key,
    time: Nanos,
    /// When its thread woke a worker last.
    handed: Option<Nanos>,
}

#[derive(Debug, Default)]
struct Process {
    read: VecDeque<Read>,
    /// When a worker last called that was not woken for it.
    taken: Option<Nanos>,
    futexes: Futexes,
    place: Option<Place>,
    /// Right examples that all who answer there had seen when it took over what these had learned.
    taught: f32,
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
    /// What all who answer at one place learned together.
    kin: FxHashMap<Place, Futexes>,
    max: usize,
}

impl Handovers {
    /// For so many threads.
    pub(crate) fn new(max: usize) -> Self {
        let (workers, processes, kin) = Default::default();
        Self { workers, processes, kin, max }
    }

    /// A process reads a request that came to this socket. `true`: others that answer there have shown that its wake-ups are worth to
    /// be told, from now on.
    pub(crate) fn reads(&mut self, pid: u32, socket: &Socket, (request, time): (Key, Nanos)) -> bool {
        if self.processes.is_empty() {
            return false;
        }
        let place = (socket.netns, socket.local);
        let kin = self.kin.get(&place).filter(|kin| kin.right() >= TAUGHT);
        let known = self.processes.contains_key(&pid);
        if !known && (kin.is_none() || self.processes.len() >= MAX_PROCESSES) {
            return false;
        }
        let process = self.processes.entry(pid).or_default();
        process.place.get_or_insert(place);
        let more = |kin: &&Futexes| !process.several && kin.right() >= AGAIN * process.taught;
        if let Some(kin) = kin.filter(more) {
            (process.futexes, process.taught) = (kin.proven(), kin.right());
        }
        if process.read.len() >= MAX_READ {
            process.read.pop_front();
        }
        process.read.push_back(Read { request, time, handed: None });
        !known
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

    /// A request is over.
    pub(crate) fn answered(&mut self, pid: u32, request: Key) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.read.retain(|read| read.request != request);
        }
    }

    /// Two threads that work on different requests met there.
    pub(crate) fn contradicts(&mut self, pid: u32, futex: u64) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.futexes.contradicted(futex);
        }
    }

    /// A thread that works on this request woke one that has none.
    pub(crate) fn hands(&mut self, thread: ThreadKey, futex: u64, request: Key, time: Nanos) {
        if let Some(process) = self.processes.get_mut(&thread.pid) {
            process.futexes.used(futex);
            let queue = !process.futexes.is_lock(futex) && process.futexes.hands(futex) >= QUEUE;
            let read = process.read.iter_mut().find(|read| queue && read.request == request);
            if let Some(read) = read {
                read.handed = Some(time);
            }
        }
        self.woken(thread, futex, Some((request, false, time)));
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
        let handed = unused.map(|(handed, _)| (handed.request, true, handed.since));
        self.woken(to, futex, handed.filter(|(request, ..)| open(*request)));
    }

    /// For which request a thread works, and how sure that is, 0 to 1.
    pub(crate) fn work(&mut self, thread: ThreadKey, time: Nanos) -> Option<(Key, f32)> {
        self.crowd(thread, time);
        let worker = self.workers.get(&thread).filter(|worker| worker.serves())?;
        let futexes = &self.processes.get(&thread.pid)?.futexes;
        let best = futexes.best(worker.handed.iter());
        best.map(|(handed, worth)| (handed.request, futexes.sure(worth)))
    }

    /// The requests that a worker's call may be for, and when they were read, where it may be for another than it was woken for: work
    /// that was put into the queue then, or that it took itself, not having gone to sleep.
    pub(crate) fn suspects(&self, thread: ThreadKey, time: Nanos) -> Option<Vec<(Key, Nanos)>> {
        let worker = self.workers.get(&thread).filter(|worker| worker.serves())?;
        let process = self.processes.get(&thread.pid)?;
        let of_queue = |handed: &&Handed| process.futexes.hands(handed.futex) >= QUEUE;
        let (handed, _) = process.futexes.best(worker.handed.iter().filter(of_queue))?;
        let own = !handed.used || process.futexes.again() >= RARELY;
        let rival = |read: &&Read| process.may_have_put(read, handed, time);
        let its_own = |read: &Read| own && read.request == handed.request;
        let those = process.read.iter().filter(|read| its_own(read) || rival(read));
        let suspects: Vec<_> = those.map(|read| (read.request, read.time)).collect();
        (handed.used || suspects.len() > 1).then_some(suspects)
    }

    /// The thread, which has no request of its own, makes a call.
    pub(crate) fn calls(&mut self, thread: ThreadKey, call: Key, time: Nanos) {
        if !self.processes.contains_key(&thread.pid) {
            return;
        }
        self.crowd(thread, time);
        if let Some((process, worker)) = self.processes.get_mut(&thread.pid).zip(self.workers.get(&thread)) {
            let woken = |handed: &Handed| !handed.used && process.futexes.hands(handed.futex) >= QUEUE;
            if worker.serves() && !worker.handed.iter().any(woken) {
                process.taken = Some(time);
            }
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
        let process = self.processes.get_mut(&thread.pid)?;
        let kin = kin_of(&mut self.kin, process);
        let Process { futexes, several, .. } = process;
        if futexes.is_lock(futex) {
            return None;
        }
        let worker = self.workers.get_mut(&thread)?;
        let serves = worker.serves();
        let call = worker.call.as_mut().filter(|call| serves && call.answered)?;
        if rivals || !*several {
            let (returned, right) = futexes.compare(futex, request, &mut call.handed);
            call.returned |= returned;
            if let Some((kin, right)) = kin.zip(right) {
                kin.returned(futex, right);
            }
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

    /// Says of what a thread was woken for whether it may be for others.
    fn crowd(&mut self, thread: ThreadKey, time: Nanos) {
        let Some((process, worker)) = self.processes.get(&thread.pid).zip(self.workers.get_mut(&thread))
        else {
            return;
        };
        for handed in worker.handed.iter_mut().filter(|handed| !handed.used) {
            handed.crowded = process.read.iter().any(|read| process.may_have_put(read, handed, time));
        }
    }

    /// A thread without a request was woken, for this one, passed on or not, handed over by its own thread at a time, or for nothing
    /// that is known. It had waited: what it had to do before is done, unless it has that from a futex that is believed more.
    fn woken(&mut self, thread: ThreadKey, futex: u64, request: Option<(Key, bool, Nanos)>) {
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
        let Some((request, passed_on, since)) = request else { return };
        let Some(worker) = self.room(thread) else { return };
        if worker.handed.len() >= MAX_HANDED {
            worker.handed.remove(0);
        }
        let (crowded, used, confirmed) = Default::default();
        worker.handed.push(Handed { request, futex, since, crowded, passed_on, used, confirmed });
    }

    /// No more results of this call will come.
    fn judge(&mut self, pid: u32, call: Option<Call>) {
        let call = call.filter(|call| call.returned);
        let Some((process, call)) = self.processes.get_mut(&pid).zip(call) else { return };
        let kin = kin_of(&mut self.kin, process);
        process.futexes.judge(&call.handed);
        if let Some(kin) = kin {
            kin.judge(&call.handed);
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

impl Process {
    /// May what a worker does be another request's, whose thread had read it? Who was not woken takes what is there. Who was woken by
    /// the request's own thread does what that had put into the queue, unless somebody took it before; all others what was put there
    /// later, as well.
    fn may_have_put(&self, read: &Read, handed: &Handed, time: Nanos) -> bool {
        if handed.used {
            let lately = |at: Nanos| time.since(at) < SOON;
            return lately(read.time) || read.handed.is_some_and(lately);
        }
        let as_put = !handed.passed_on && self.taken.is_none_or(|at| at < handed.since);
        !as_put
            && read.request != handed.request
            && handed.since.since(read.time) < SOON
            && read.handed.is_none_or(|at| at > handed.since)
    }
}

/// What others like this process share with it, while it has one request at a time. Places of long ago make room.
fn kin_of<'a>(kin: &'a mut FxHashMap<Place, Futexes>, process: &Process) -> Option<&'a mut Futexes> {
    let place = process.place.filter(|_| !process.several)?;
    if kin.len() >= MAX_PROCESSES && !kin.contains_key(&place) {
        kin.clear();
    }
    Some(kin.entry(place).or_default())
}
