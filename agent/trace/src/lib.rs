//! Comes in: spans and causal evidence, as [`Activity`](wirespan_span::span::Activity). Goes out:
//! [`Trace`](trace::Trace)s; every link has a method and a confidence. Refuses: inventing a parent.
//!
//! A parent is decided when a request is seen, since a cause always begins before its effect. Two rules come before
//! all others: a wrong parent is worse than an orphan, and every link says how it is known.
//!
//! **A request that is answered here** (server, consumer):
//! 1. the client's side of the same connection and offset, where it is on this host: `wire`. The exact parent, also
//!    where the bytes carry a context, since the span of that context lies further up;
//! 2. the context in its bytes: `header`, a parent outside this host;
//! 3. none: it begins a trace.
//!
//! **A request that is made here** (client, producer), while the program may be answering a request *S*:
//! 1. its bytes carry the very context that *S* came with: a proxy handed it on unchanged, the parent is *S*
//!    (`header`, whichever thread does it). Several such *S*: the one that the thread works on, or none;
//! 2. its bytes carry another context: an SDK in the program made it, and its span is the parent (`header`). Where it
//!    belongs to another trace than *S*, the header wins and *S* becomes a link;
//! 3. it names what *S* alone named, and no request before: `echo` (`echoes`), which the following ones may agree with;
//! 4. a runtime adapter tells the goroutine or async task that makes it, and that one has read *S* and nothing else that
//!    is open: `task`; or it reads requests and none is open: no parent (`tasks`). One that others read for stays with the
//!    request that it was seen to work on, where tasks have shown that they answer those: `task`;
//! 5. the first request of a connection that was opened for *S*, in a process whose threads serve several requests
//!    at once: `handoff`;
//! 6. the thread was made while its maker worked on *S*, has read no request itself, and its process makes a thread for
//!    each piece of work (`lineage`), or it was woken for work by one that worked on *S*, at a futex that was seen to tell
//!    the truth (`handovers`): `handoff`;
//! 7. the thread works on *S*: `task`. What it may work on is what it has read (`threads`): requests, and responses to
//!    calls made for them. Which of those it is, the process has shown by its answers (`habits`), and how well the
//!    rule holds is the confidence. Below [`Settings::min_confidence`](settings::Settings::min_confidence) *S*
//!    becomes a link;
//! 8. of all that the process has read lately, *S*, or the response to a call for it, lies as far back as causes do there, and
//!    nothing else does (`timing`): `timing`;
//! 9. it is the first call of a task that was started in a turn in which *S* alone had been read (`starts`), in a process whose calls
//!    were seen to be for such requests, and its thread is not sure of another one: `task`;
//! 10. of several that it may be for, all others were answered while it was not, or have a call for each task that they
//!     started (`started`), or the calls beside it tell (`suspects`): `task`;
//! 11. none: it begins a trace, which waits a while: the answer that follows may tell for whom it was made, when that comes, the
//!     end of the thread, or who waits for the result.
//!
//! A message that names no context is linked to the span that sent it, by its id (`messages`).
//!
//! What vetoes: the child begins before its parent, or the parent was answered, or is in another process. What weakens:
//! calls of the same kind mostly come out of nothing, in a program whose threads serve several requests.
//!
//! **Invariants.** No exported span refers to a span of this host that was withdrawn before it was given on. No two
//! spans held at one time have the same id. No table grows beyond its setting; all that is turned away is counted.
#![forbid(unsafe_code)]

mod assembly;
mod connects;
mod delays;
mod echoes;
mod evidence;
mod futexes;
mod habits;
mod handing;
mod handovers;
pub mod header;
mod ids;
mod late;
mod lineage;
mod messages;
mod node;
mod order;
mod placing;
mod queues;
mod reasons;
mod remaining;
mod room;
pub mod settings;
mod started;
mod starts;
mod suspects;
mod tally;
mod tasks;
#[cfg(test)]
mod tests;
mod threads;
mod timing;
pub mod trace;
mod traces;
mod wire;

pub use traces::{Traces, WakeOrder};
pub use wirespan_span::{resource, span};
