//! Comes in: examples of what wake-ups at the futexes of one process said, right or wrong. Goes out: how far each is to be
//! believed. Refuses: to believe a lock, at which threads meet that have nothing to do with each other.

use rustc_hash::FxHashMap;
use wirespan_span::span::{Key, Nanos};

use crate::{habits::UNSURE, tally::Tally};

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

/// So often must be right what may be another request's; else what is left of its word is for a link.
const PROVEN: f32 = 0.99;

/// A word that is worth as much is believed. How often such ones were right says more than its own worth, which is worth so many examples.
const BELIEVED: (f32, f32) = (0.95, 20.0);

/// A futex that is so much less believed than others is no example for these.
const DOUBT: f32 = 0.1;

/// Work that a thread was woken for, as far as its waker tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handed {
    pub(crate) request: Key,
    pub(crate) futex: u64,
    /// When who works on the request handed it over.
    pub(crate) since: Nanos,
    /// Were there other requests whose work may have been put into the queue as well?
    pub(crate) crowded: bool,
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
    /// Both, where it may have been another request's.
    crowded: [Tally; 2],
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
    /// What was believed, right or wrong.
    believed: Tally,
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
    pub(crate) fn best<'a>(&self, handed: impl Iterator<Item = &'a Handed>) -> Option<(&'a Handed, f32)> {
        let open = handed.filter(|handed| !self.is_lock(handed.futex));
        // What is less believed is no surer because the queue's own word may be another's.
        let alone = |handed: &Handed| self.worth(&Handed { crowded: false, ..*handed });
        let best = open.max_by(|a, b| alone(a).total_cmp(&alone(b)))?;
        Some((best, self.worth(best)))
    }

    /// The result of a call went to a thread that works on `request`, by this futex; `handed` is what its caller had been
    /// woken for. Of several results of one call one is the right one, so for now only this futex is judged. `false`: it is
    /// too doubtful to confirm anything. Also gives what was learned of it.
    pub(crate) fn compare(
        &mut self,
        futex: u64,
        request: Key,
        handed: &mut [Handed],
    ) -> (bool, Option<bool>) {
        let doubtful = self.returns(futex) + DOUBT < self.word.returned.share(THOUGHT.0, THOUGHT.1);
        let sure = handed.iter().filter(|handed| !handed.used && !handed.passed_on);
        let right = self.best(sure).map(|(best, _)| best.request == request);
        if let Some(right) = right {
            self.returned(futex, right);
        }
        if doubtful {
            return (false, right);
        }
        for handed in handed.iter_mut().filter(|handed| handed.request == request) {
            handed.confirmed = true;
        }
        (true, right)
    }

    /// A result went to whom the work was for, or to another.
    pub(crate) fn returned(&mut self, futex: u64, right: bool) {
        self.of(futex).word.returned.add(right);
        self.word.returned.add(right);
    }

    /// Work that was handed over right, as far as is known.
    pub(crate) fn right(&self) -> f32 {
        self.word.handed.right()
    }

    /// The same, without what hardly anything is known of.
    pub(crate) fn proven(&self) -> Self {
        let known = self.futexes.iter().filter(|(_, futex)| futex.known());
        let futexes = known.map(|(address, futex)| (*address, *futex)).collect();
        Self { futexes, word: self.word, again: self.again, believed: self.believed }
    }

    /// All results are known of a call whose caller had been woken for these.
    pub(crate) fn judge(&mut self, handed: &[Handed]) {
        let best = self.best(handed.iter()).map(|(best, worth)| (best.confirmed, worth));
        if let Some((right, _)) = best.filter(|(_, worth)| *worth >= BELIEVED.0) {
            self.believed.add(right);
        }
        handed.iter().for_each(|handed| self.learn(handed));
    }

    /// How sure it is what is worth so much: of each futex little is known, but of what was believed, how much was right.
    pub(crate) fn sure(&self, worth: f32) -> f32 {
        if worth < BELIEVED.0 { worth } else { worth.max(self.believed.share(worth, BELIEVED.1)) }
    }

    fn learn(&mut self, handed: &Handed) {
        if handed.used {
            return self.again.add(handed.confirmed);
        }
        self.of(handed.futex).word.learn(handed);
        if !self.is_lock(handed.futex) {
            self.word.learn(handed);
        }
    }

    fn worth(&self, handed: &Handed) -> f32 {
        let trust = self.trust(handed.futex, |word| word.kind(handed));
        let trust = if handed.crowded && trust < PROVEN { trust * UNSURE } else { trust };
        if handed.used { trust.min(self.again()) } else { trust }
    }

    /// Is what a worker calls without being woken for what it was woken for before? From 0 to 1.
    pub(crate) fn again(&self) -> f32 {
        self.again.share(THOUGHT.0, THOUGHT.1)
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
    fn kind(&self, handed: &Handed) -> Tally {
        match (handed.crowded, handed.passed_on) {
            (true, passed_on) => self.crowded[usize::from(passed_on)],
            (false, true) => self.passed_on,
            (false, false) => self.handed,
        }
    }

    fn learn(&mut self, handed: &Handed) {
        let tally = match (handed.crowded, handed.passed_on) {
            (true, passed_on) => &mut self.crowded[usize::from(passed_on)],
            (false, true) => &mut self.passed_on,
            (false, false) => &mut self.handed,
        };
        tally.add(handed.confirmed);
    }
}
