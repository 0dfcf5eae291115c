//! Comes in: what rules would have said of requests whose thread is known for certain, because it wrote the answer. Goes
//! out: which rule to follow for this process, and how far to trust it. Refuses: to trust what it has not seen, where
//! runtimes are known to differ.
//!
//! Whoever writes the answer to a request works on it at that moment: every answer is an example with a known solution.
//! An event loop that runs callbacks at once works on what it read last; one that runs tasks later works through what it
//! read in order; a pool hands over to other threads, and no such rule holds. Programs show which they are.

use rustc_hash::FxHashMap;
use wirespan_span::span::Key;

use crate::{
    evidence::Word,
    suspects::Order,
    tally::Tally,
    threads::{Sight, Situation, Step, ThreadKey},
};

/// Which of the things that a thread has read it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The first request of which no work is seen yet, ahead of responses.
    Request,
    /// The last one.
    Latest,
    /// The first one that is not answered.
    Oldest,
    /// The first one of which no work is seen yet.
    Next,
}

const RULES: [Rule; 4] = [Rule::Request, Rule::Latest, Rule::Oldest, Rule::Next];

/// What a thread does, of which it is asked for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It answers.
    Answer,
    /// It calls.
    Call,
    /// It opens a connection. That is done by who wants one; what is called over one that exists may be written by another.
    Open,
}

impl Deed {
    const COUNT: usize = 3;
}

/// Calls that weigh as much as all answers do.
const LIKE_ANSWERS: f32 = 5.0;

/// Examples of a situation, below which nothing is known of it.
const FEW: f32 = 3.0;

/// What is left of a rule's word where it builds on a guess.
pub(crate) const UNSURE: f32 = 0.5;

/// Calls out of nothing, while requests were open, that make it worth while to look for who handed them over.
const STRANGERS: u32 = 8;

/// In a process whose threads take work over from each other at least this share of calls is for what another one had read.
const STRAY: f32 = 0.01;

/// Calls that must have been seen to say so, all for what their threads had read.
const STRAYS: f32 = 50.0;

/// A share of calls that is as good as none.
const RARELY: f32 = 0.004;

/// An order that holds less often is none.
pub(crate) const ORDERLY: f32 = 0.98;

/// So often must be right what is believed of started tasks; that is some hundred examples.
const PROVEN: f32 = 0.99;

/// Right words that are thought before the first: it is believed until it was wrong, and then for long no more.
const UNTRIED: f32 = 50.0;

/// So often must a thread's word be right to be enough.
const WORTHY: f32 = 0.997;

/// Kinds of requests that one process is remembered to make; more are not known apart.
const MAX_SHAPES: usize = 256;

/// Confidence in the evidence of a call that counts as one made for a request.
const LIKELY: f32 = 0.85;

/// Share of calls of one kind that must be made for requests: below, the program makes them of its own accord, and some
/// only seem to be for a request.
const OF_REQUESTS: f32 = 0.67;

/// What one process was seen to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Habit {
    /// What each rule would have said before an answer, and before a call whose request became known.
    tallies: [[[Tally; RULES.len()]; Situation::COUNT]; Deed::COUNT],
    /// Calls after which the thread did nothing before it read the response, against those after which it did.
    blocking: Tally,
    /// Answers right behind the response to a call: of the call's own request, or of another.
    passed_on: Tally,
    /// First requests of new connections: of the request that the connection was opened for, or of the one that its thread
    /// was at by then.
    opener: Tally,
    /// Requests for which a connection was opened, that were open when its first response had come, or answered by then.
    handed: Tally,
    /// Threads that ended with the work that they were made for, against those that went on with other work.
    inherited: Tally,
    /// Calls by kind: for which a request was likely the reason, against those that came out of nothing.
    shapes: FxHashMap<u64, Tally>,
    /// Requests answered by the very goroutine or async task that had read them, or by another.
    own_task: Tally,
    /// Requests answered by the goroutine or async task that was seen to work on them, or by one seen to work on another; and of tasks
    /// for which others wait.
    kept: [Tally; 2],
    /// Calls of which an answer was to tell for whom they were: whether one did.
    later: Tally,
    /// Answers of logical tasks on the connection of the one before: its own, and its waiter's.
    serves: [Tally; 2],
    /// Requests that were answered when all calls for them were, or before.
    waited: Tally,
    /// Calls that were made in this order, or not, as those for which they were had been read.
    ordered: [Tally; Order::ALL.len()],
    /// Calls for what another thread had read, or this one before it slept, against those for what it had just read.
    strayed: Tally,
    /// Calls behind a response that was made for the same request, against those behind the request itself.
    followed: Tally,
    /// What threads said of calls, where their process had just read for others as well, right or wrong.
    words: [Tally; Word::COUNT],
    /// Calls for the request in whose turn their task was started, or for another.
    started: Tally,
    /// Requests with no more calls than tasks that were started in their turn, or with more.
    counted: Tally,
    /// A thread that reads requests, and whether others do, too.
    reader: Option<ThreadKey>,
    readers: bool,
    /// Had a thread ever several open requests?
    several: bool,
    /// And one that called or answered then?
    serves_several: bool,
    /// Was it seen to work on a request before the one before was answered?
    ahead: bool,
    /// Was it seen to write several answers of one connection at once?
    holds_back: bool,
    /// Was it seen to call for a request while another call for that was not answered?
    fans_out: bool,
    /// Requests that the process has read and not answered.
    open: u32,
    /// Calls made while requests were open, by threads of which nothing tells for whom.
    strangers: u32,
    /// Calls made while requests were open, that got no parent.
    unplaced: u32,
}

/// What all processes were seen to do. Bounded: a process that is not remembered begins anew.
#[derive(Debug)]
pub(crate) struct Habits {
    processes: FxHashMap<u32, Habit>,
    max: usize,
}

impl Habits {
    pub(crate) fn new(max: usize) -> Self {
        Self { processes: FxHashMap::default(), max }
    }

    pub(crate) fn of(&mut self, pid: u32) -> &mut Habit {
        if self.processes.len() >= self.max && !self.processes.contains_key(&pid) {
            self.processes.clear();
        }
        self.processes.entry(pid).or_default()
    }

    /// The same, of a process that was seen to do anything.
    pub(crate) fn known(&mut self, pid: u32) -> Option<&mut Habit> {
        self.processes.get_mut(&pid)
    }

    /// The process ended.
    pub(crate) fn forget(&mut self, pid: u32) {
        self.processes.remove(&pid);
    }
}

impl Habit {
    /// A thread that saw `sight` did this for `key`. What nobody knows for whom it was is no example.
    pub(crate) fn did(&mut self, deed: Deed, sight: &Sight, key: Key) {
        let situation = self.situation(sight, deed);
        for (rule, tally) in RULES.iter().zip(&mut self.tallies[deed as usize][situation as usize]) {
            if let Some(pick) = sight.pick(*rule, deed).filter(|pick| pick.sure) {
                tally.add(pick.request == Some(key));
            }
        }
    }

    /// A thread answered right behind the response to a call that was made for that request, or for another.
    pub(crate) fn passed_on(&mut self, for_it: bool) {
        self.passed_on.add(for_it);
    }

    /// Is an answer right behind the response to a call that of the call's own request? From 0 to 1.
    pub(crate) fn passes_on(&self) -> f32 {
        self.passed_on.share(0.99, 30.0)
    }

    /// The first request of a connection was for whom that was opened, or for whom its thread was at work by then.
    pub(crate) fn opened(&mut self, for_opener: bool) {
        self.opener.add(for_opener);
    }

    /// Does who opens a connection use it first, whatever its thread has turned to meanwhile? From 0 to 1.
    pub(crate) fn opens_for_itself(&self) -> f32 {
        self.opener.share(0.9, 5.0)
    }

    /// The first call of a connection ended, and the request that it was opened for was still open, or answered.
    pub(crate) fn handed(&mut self, still_open: bool) {
        self.handed.add(still_open);
    }

    /// Is what a thread seems to work on when it opens a connection what the connection is for? From 0 to 1. Where several
    /// threads read requests, one may open connections for another.
    pub(crate) fn hands(&self) -> f32 {
        let (expected, weight) = if self.readers { (0.93, 5.0) } else { (0.99, 20.0) };
        self.handed.share(expected, weight)
    }

    /// A thread that was made for a request ended, or was seen to work for others too.
    pub(crate) fn inherited(&mut self, ended: bool) {
        self.inherited.add(ended);
    }

    /// Does a thread work only for the request that it was made for? From 0 to 1.
    pub(crate) fn inherits(&self) -> f32 {
        self.inherited.share(0.5, 2.0)
    }

    /// A call of this kind was made; as its evidence has it, for a request.
    pub(crate) fn called(&mut self, shape: u64, confidence: f32) {
        if shape != 0 && (self.shapes.len() < MAX_SHAPES || self.shapes.contains_key(&shape)) {
            self.shapes.entry(shape).or_default().add(confidence >= LIKELY);
        }
    }

    /// A call that came out of nothing was for a request after all.
    pub(crate) fn explained(&mut self, shape: u64) {
        if let Some(tally) = self.shapes.get_mut(&shape) {
            tally.mend();
        }
    }

    /// What the evidence for a call of this kind is worth, 0 to 1: jobs of an event loop run between its requests, and now and
    /// then seem to run for one. A thread that works on one request at a time has no such jobs.
    pub(crate) fn worth(&self, shape: u64) -> f32 {
        if self.several { self.kind(shape) } else { 1.0 }
    }

    /// The same of evidence that does not look at threads.
    pub(crate) fn kind(&self, shape: u64) -> f32 {
        let share = self.shapes.get(&shape).map_or(1.0, |tally| tally.share(0.99, 3.0));
        if share < OF_REQUESTS { share } else { 1.0 }
    }

    /// The logical task that had read a request answered it, or another did.
    pub(crate) fn read_and_answered(&mut self, by_reader: bool) {
        self.own_task.add(by_reader);
    }

    /// Does the logical task that reads a request work on it? From 0 to 1.
    pub(crate) fn works_itself(&self) -> f32 {
        self.own_task.share(0.995, 20.0)
    }

    /// A logical task, or where it is `awaited` it or who waits for it, answered the request that it was seen to work on; or it turned to
    /// another before that.
    pub(crate) fn kept(&mut self, awaited: bool, so: bool) {
        self.kept[usize::from(awaited)].add(so);
    }

    /// Does a logical task work on one request until that is answered, by it or, where it is `awaited`, by who waits for it? From 0
    /// to 1. Who waits for a task can hardly answer another request meanwhile.
    pub(crate) fn keeps(&self, awaited: bool) -> f32 {
        let (expected, weight) = if awaited { (0.99, 20.0) } else { (0.5, 2.0) };
        self.kept[usize::from(awaited)].share(expected, weight)
    }

    /// A call of which the answer of its task, or of who waits for that, was to tell for whom it was: it did, or nobody answered.
    pub(crate) fn told_later(&mut self, so: bool) {
        self.later.add(so);
    }

    /// Do such answers tell? From 0 to 1.
    pub(crate) fn tells_later(&self) -> f32 {
        self.later.share(0.9, 10.0)
    }

    /// A logical task answered on the connection on which it, or another task that the same one waits for, did before, or elsewhere.
    pub(crate) fn served(&mut self, for_waiter: bool, again: bool) {
        self.serves[usize::from(for_waiter)].add(again);
    }

    /// Does a logical task serve one connection, itself or with others for who waits for it? From 0 to 1.
    pub(crate) fn serves(&self, for_waiter: bool) -> f32 {
        self.serves[usize::from(for_waiter)].share(0.5, 2.0)
    }

    /// A request was answered, and all calls for it were, or not.
    pub(crate) fn waited(&mut self, for_all: bool) {
        self.waited.add(for_all);
    }

    /// Is a request answered once all calls for it are? From 0 to 1.
    pub(crate) fn waits(&self) -> f32 {
        self.waited.share(0.98, 20.0)
    }

    /// Of two calls, each was for what had been read sooner or later than the other's, as this order has it, or not.
    pub(crate) fn ordered(&mut self, order: Order, so: bool) {
        self.ordered[order as usize].add(so);
    }

    /// Does this order hold? `None` where too little was seen.
    pub(crate) fn orders(&self, order: Order) -> Option<bool> {
        let tally = self.ordered[order as usize];
        let holds = tally.share(0.5, 2.0) >= ORDERLY;
        (holds || tally.wrong() * ORDERLY > tally.right() * (1.0 - ORDERLY)).then_some(holds)
    }

    /// A call was for what another thread had read, or this one before it slept, or for what it had just read.
    pub(crate) fn strayed(&mut self, so: bool) {
        self.strayed.add(so);
    }

    /// A call was made for what had been read last: the response to a call before it, or the request.
    pub(crate) fn followed(&mut self, response: bool) {
        self.followed.add(response);
    }

    /// Does it ever call because of a response?
    pub(crate) fn follows_responses(&self) -> bool {
        self.followed.share(0.5, 1.0) > RARELY
    }

    /// A thread's word on a call was right, or wrong, where its process had just read for others as well.
    pub(crate) fn gave_word(&mut self, word: Word, right: bool) {
        self.words[word as usize].add(right);
    }

    /// Is a thread's word enough, where its process has just read for others as well?
    pub(crate) fn keeps_word(&self, word: Word) -> bool {
        self.words[word as usize].share(1.0, UNTRIED) >= WORTHY
    }

    /// A call was for the request in whose turn its task was started, or for another.
    pub(crate) fn started(&mut self, so: bool) {
        self.started.add(so);
    }

    /// Does a task's first call tell of the request in whose turn it was started? How surely, if it does.
    pub(crate) fn starts(&self) -> Option<f32> {
        proven(self.started)
    }

    /// A request was answered that had no more calls than tasks, or more.
    pub(crate) fn counted(&mut self, so: bool) {
        self.counted.add(so);
    }

    /// Does it start a task for each call? How surely, if it does.
    pub(crate) fn counts(&self) -> Option<f32> {
        proven(self.counted)
    }

    /// Do its threads take work over from each other?
    pub(crate) fn strays(&self) -> bool {
        self.trades() && self.strayed.share(0.0, STRAYS) > STRAY
    }

    /// A thread read the response to a call, and had done nothing in between, or had.
    pub(crate) fn read_response(&mut self, waited_for_it: bool) {
        self.blocking.add(waited_for_it);
    }

    /// A thread of the process read a request.
    pub(crate) fn opens(&mut self, thread: ThreadKey) {
        self.open += 1;
        self.readers |= *self.reader.get_or_insert(thread) != thread;
    }

    /// A request is over.
    pub(crate) fn closes(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// A call was made of which nothing tells for whom. Is this the one that makes a pool likely?
    pub(crate) const fn strange(&mut self) -> bool {
        self.strangers = self.strangers.saturating_add(1);
        self.strangers == STRANGERS && !self.serves_several
    }

    /// A call was made without a parent. Is this one of those that make it worth while to look at times? Now and then one is, since
    /// there may have been no room before.
    pub(crate) const fn unplaced(&mut self) -> bool {
        self.unplaced = self.unplaced.saturating_add(1);
        self.unplaced.is_multiple_of(STRANGERS)
    }

    /// Is the process answering more than one request?
    pub(crate) const fn answers_several(&self) -> bool {
        self.open > 1
    }

    /// Is the process answering anything?
    pub(crate) const fn answers(&self) -> bool {
        self.open > 0
    }

    /// A thread wrote several answers in one call, or an answer while a call that seemed to be for it was not answered:
    /// that call was for the request behind.
    pub(crate) const fn works_ahead(&mut self) {
        self.ahead = true;
    }

    /// Two answers of one connection were written in one call.
    pub(crate) const fn has_held_back(&mut self) {
        self.holds_back = true;
    }

    /// Does it hold answers back while it works on the requests behind?
    pub(crate) const fn holds_back(&self) -> bool {
        self.holds_back
    }

    /// A thread was seen with several open requests: it does not wait for each.
    pub(crate) const fn has_several(&mut self) {
        self.several = true;
    }

    /// A thread with several open requests called or answered.
    pub(crate) const fn has_served_several(&mut self) {
        self.serves_several = true;
    }

    /// Does a thread read several requests, and hand them to others that work on one at a time (a reactor in front of a pool)?
    pub(crate) const fn hands_out(&self) -> bool {
        self.several && !self.serves_several
    }

    /// Had a thread of this process ever several open requests?
    pub(crate) const fn several(&self) -> bool {
        self.several
    }

    /// Does a thread of this process work on one request until that is answered? From 0 to 1.
    pub(crate) fn blocks(&self) -> f32 {
        self.blocking.share(0.5, 2.0)
    }

    /// The step that a thread with this sight works on, and the confidence in its request.
    pub(crate) fn judge(&self, sight: &Sight, deed: Deed) -> Option<(Step, f32)> {
        let (step, trust) = self.follow(sight, deed)?;
        Some((step, if step.sure { trust } else { trust * UNSURE }))
    }

    /// What a thread with this sight works on, as the best rule has it, and how often that is right.
    pub(crate) fn follow(&self, sight: &Sight, deed: Deed) -> Option<(Step, f32)> {
        let situation = self.situation(sight, deed);
        let trust = |rule: Rule| self.trust(deed, situation, rule);
        match situation {
            // Worked on in order, by whoever waits for what it calls.
            Situation::Pipelined => {
                let trust = trust(Rule::Oldest).max(self.blocks());
                Some((sight.oldest, if self.ahead { trust * UNSURE } else { trust }))
            }
            Situation::Only | Situation::Again | Situation::Returned => {
                Some((sight.latest, trust(Rule::Latest)))
            }
            _ => {
                let known = RULES.into_iter().filter_map(|rule| Some((sight.pick(rule, deed)?, trust(rule))));
                known.max_by(|one, other| one.1.total_cmp(&other.1))
            }
        }
    }

    /// How often a rule is right, 0 to 1. What else a thread does is as its answers are, until enough of it has shown; but after
    /// a sleep, answers still have a cause, while a timer may have called.
    fn trust(&self, deed: Deed, situation: Situation, rule: Rule) -> f32 {
        let tally = |deed: Deed| self.tallies[deed as usize][situation as usize][rule as usize];
        let rested = matches!(situation, Situation::Rested | Situation::RestedSeveral);
        let (expected, weight) = self.expected(situation, rule);
        let answers = tally(Deed::Answer).share(expected, weight);
        match (deed, situation) {
            (Deed::Answer, _) => answers,
            _ if rested && self.serves_several => expected,
            (_, Situation::Again | Situation::Returned) => tally(deed).share(expected, weight),
            // What works on the last of several does so whatever is among them.
            (_, Situation::Mixed) if rule == Rule::Latest => {
                tally(deed).share(self.trust(deed, Situation::Several, rule), LIKE_ANSWERS)
            }
            _ => tally(deed).share(answers, LIKE_ANSWERS),
        }
    }

    /// Is a thread's work not known here, but only thought of?
    pub(crate) fn unproven(&self, sight: &Sight, deed: Deed) -> bool {
        let situation = self.situation(sight, deed);
        let tally = self.tallies[deed as usize][situation as usize][Rule::Latest as usize];
        matches!(situation, Situation::Again | Situation::Returned) && tally.examples() < FEW
    }

    /// Had the thread done all that it had read, in a process whose threads take work over from each other?
    pub(crate) fn again(&self, sight: &Sight, deed: Deed) -> bool {
        self.situation(sight, deed) == Situation::Again
    }

    /// May its threads take work over from each other?
    pub(crate) const fn trades(&self) -> bool {
        self.readers && self.several
    }

    /// How things stand, in as much as it matters in this process.
    fn situation(&self, sight: &Sight, deed: Deed) -> Situation {
        let returned = sight.latest.call.is_some() && deed != Deed::Answer;
        match sight.situation(deed) {
            Situation::Again if !self.trades() => Situation::Only,
            Situation::Only | Situation::Chained if returned && self.trades() && self.fans_out => {
                Situation::Returned
            }
            situation => situation,
        }
    }

    /// It seems to have made a call for a request while another one was not answered.
    pub(crate) const fn has_fanned_out(&mut self) {
        self.fans_out = true;
    }

    /// What is thought of a rule before the first example, and how many examples that thought is worth.
    fn expected(&self, situation: Situation, rule: Rule) -> (f32, f32) {
        match (situation, rule) {
            (Situation::Only, _) => (0.99, 40.0),
            (Situation::Again, _) => (0.9, 1.0),
            (Situation::Returned, _) => (0.8, 1.0),
            (Situation::Rested, _) if !self.serves_several => (0.99, 20.0),
            (Situation::Chained, Rule::Latest) => (0.97, 10.0),
            (Situation::Several | Situation::Mixed, Rule::Latest) => (0.9, 5.0),
            _ => (0.5, 2.0),
        }
    }
}

/// How often that was right, where it is as good as always.
fn proven(tally: Tally) -> Option<f32> {
    Some(tally.share(0.5, 2.0)).filter(|share| *share >= PROVEN)
}

#[cfg(test)]
mod tests {
    use wirespan_span::span::Cookie;

    use super::*;

    fn key(number: u64) -> Key {
        Key { cookie: Cookie(number), offset: 0, sub: 0 }
    }

    #[test]
    fn a_word_is_enough_until_it_was_wrong_and_then_for_long_no_more() {
        let mut habit = Habit::default();
        assert!(habit.keeps_word(Word::Request));
        habit.gave_word(Word::Request, false);
        let kept = [Word::Request, Word::Response].map(|word| habit.keeps_word(word));
        assert_eq!(kept, [false, true], "what it builds on is told apart");
        (0..100).for_each(|_| habit.gave_word(Word::Request, true));
        assert!(!habit.keeps_word(Word::Request));
        (0..900).for_each(|_| habit.gave_word(Word::Request, true));
        assert!(habit.keeps_word(Word::Request));
    }

    fn two() -> Sight {
        let step = |number| Step { request: Some(key(number)), call: None, sure: true };
        let (latest, oldest) = (step(2), step(1));
        Sight { situation: Situation::Several, latest, oldest, next: Some(oldest), request: None }
    }

    #[test]
    fn a_process_shows_in_which_order_it_works() {
        let (mut at_once, mut in_order) = (Habit::default(), Habit::default());
        for _ in 0..50 {
            at_once.did(Deed::Answer, &two(), key(2));
            in_order.did(Deed::Answer, &two(), key(1));
        }
        let (last, first) =
            (at_once.judge(&two(), Deed::Answer).unwrap(), in_order.judge(&two(), Deed::Answer).unwrap());
        assert_eq!((last.0.request, first.0.request), (Some(key(2)), Some(key(1))));
        assert!(last.1 > 0.95 && first.1 > 0.95);
    }

    #[test]
    fn what_follows_no_rule_is_not_trusted() {
        let mut habit = Habit::default();
        for number in 0..200 {
            habit.did(Deed::Answer, &two(), key(1 + number % 3));
        }
        assert!(habit.judge(&two(), Deed::Call).unwrap().1 < 0.6);
    }
}
