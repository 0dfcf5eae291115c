//! Comes in: examples of what wake-ups at the futexes of one process said, right or wrong. Goes out: how far each is to be
//! believed. Refuses: to believe a lock, at which threads meet that have nothing to do with each other.

use rustc_hash::FxHashMap;
use wirespan_span::span::Key;

use crate::tally::Tally;

/// Futexes of one process that are known apart.
const MAX_FUTEXES: usize = 1024;

/// A futex without examples of its own is thought to be somewhat worse than others of its process, and this many examples that
/// thought is worth.
const STRANGE: (f32, f32) = (0.97, 3.0);

/// What is thought of wake-ups before the first example, and how many examples that thought is worth.
const THOUGHT: (f32, f32) = (0.5, 4.0);

/// Threads that met at a futex while they worked on different requests, that make it a lock.
const CONTRADICTIONS: f32 = 3.0;

/// Uses of a futex that outweigh one of these.
const REDEEMED: f32 = 12.0;

/// A futex that is so much less believed than others is no example for these.
const DOUBT: f32 = 0.1;

/// Work that a thread was woken for, as far as its waker tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handed {
    pub(crate) request: Key,
    pub(crate) futex: u64,
    /// The waker had it from another one.
    pub(crate) passed_on: bool,
    /// The thread made a call since.
    pub(crate) used: bool,
    /// A result of that went to who works on the request.
    pub(crate) confirmed: bool,
}

/// What wake-ups told.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// Work handed over by who has the request.
    handed: Tally,
    /// By who had it handed over.
    passed_on: Tally,
    /// Results.
    returned: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Futex {
    word: Word,
    /// Hand-overs of work there.
    uses: f32,
    /// Threads that met there while they worked on different requests.
    contradictions: f32,
}

/// The futexes of one process. Bounded.
#[derive(Debug, Default)]
pub(crate) struct Futexes {
    futexes: FxHashMap<u64, Futex>,
    /// Of all that are no locks.
    word: Word,
    /// Calls of a worker behind its first one: for the same request, or not.
    again: Tally,
}

impl Futexes {
    /// Two threads that work on different requests met there.
    pub(crate) fn contradicted(&mut self, futex: u64) {
        self.of(futex).contradictions += 1.0;
    }

    /// Work seems to have been handed over there.
    pub(crate) fn used(&mut self, futex: u64) {
        self.of(futex).uses += 1.0;
    }

    /// Is it a lock?
    pub(crate) fn is_lock(&self, futex: u64) -> bool {
        self.futexes.get(&futex).is_some_and(Futex::is_lock)
    }

    /// Is a hand-over of work there to be believed? From 0 to 1.
    pub(crate) fn hands(&self, futex: u64) -> f32 {
        self.trust(futex, |word| word.handed)
    }

    /// Is whoever is woken there the one who waits for the result? From 0 to 1.
    pub(crate) fn returns(&self, futex: u64) -> f32 {
        self.trust(futex, |word| word.returned)
    }

    /// Of several the one that is believed most, of such the last, and how far. Locks tell nothing.
    pub(crate) fn best<'a>(&self, handed: impl Iterator<Item = &'a Handed>) -> Option<(Key, f32)> {
        let open = handed.filter(|handed| !self.is_lock(handed.futex));
        open.map(|handed| (handed.request, self.worth(handed))).max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The result of a call went to a thread that works on `request`, by this futex; `handed` is what its caller had been
    /// woken for. Of several results of one call one is the right one, so for now only this futex is judged. `false`: it is
    /// too doubtful to confirm anything.
    pub(crate) fn compare(&mut self, futex: u64, request: Key, handed: &mut [Handed]) -> bool {
        let doubtful = self.returns(futex) + DOUBT < self.word.returned.share(THOUGHT.0, THOUGHT.1);
        let sure = handed.iter().filter(|handed| !handed.used && !handed.passed_on);
        if let Some((best, _)) = self.best(sure) {
            self.of(futex).word.returned.add(best == request);
            self.word.returned.add(best == request);
        }
        if doubtful {
            return false;
        }
        for handed in handed.iter_mut().filter(|handed| handed.request == request) {
            handed.confirmed = true;
        }
        true
    }

    /// All results are known of a call whose caller had been woken for this.
    pub(crate) fn learn(&mut self, handed: &Handed) {
        if handed.used {
            return self.again.add(handed.confirmed);
        }
        self.of(handed.futex).word.kind(handed.passed_on).add(handed.confirmed);
        if !self.is_lock(handed.futex) {
            self.word.kind(handed.passed_on).add(handed.confirmed);
        }
    }

    fn worth(&self, handed: &Handed) -> f32 {
        let trust = match handed.passed_on {
            true => self.trust(handed.futex, |word| word.passed_on),
            false => self.hands(handed.futex),
        };
        if handed.used { trust.min(self.again.share(THOUGHT.0, THOUGHT.1)) } else { trust }
    }

    /// What it said itself, and before that what others of the process did.
    fn trust(&self, futex: u64, kind: impl Fn(&Word) -> Tally) -> f32 {
        let others = kind(&self.word).share(THOUGHT.0, THOUGHT.1);
        let own = self.futexes.get(&futex).map(|futex| kind(&futex.word)).unwrap_or_default();
        own.share(others * STRANGE.0, STRANGE.1)
    }

    fn of(&mut self, futex: u64) -> &mut Futex {
        if self.futexes.len() >= MAX_FUTEXES && !self.futexes.contains_key(&futex) {
            self.futexes.retain(|_, futex| futex.known());
            if self.futexes.len() >= MAX_FUTEXES {
                self.futexes.clear();
            }
        }
        self.futexes.entry(futex).or_default()
    }
}

impl Futex {
    fn is_lock(&self) -> bool {
        let right = self.word.handed.right() + self.word.returned.right();
        self.contradictions >= CONTRADICTIONS && self.contradictions * REDEEMED > self.uses + right
    }

    fn known(&self) -> bool {
        self.word.handed.examples() + self.word.returned.examples() > STRANGE.1 || self.is_lock()
    }
}

impl Word {
    fn kind(&mut self, passed_on: bool) -> &mut Tally {
        if passed_on { &mut self.passed_on } else { &mut self.handed }
    }
}
