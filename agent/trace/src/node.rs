//! A span from its start until it is given on: where it stands, and what its place was decided by.

use wirespan_span::span::{Key, Nanos, Role, Span, Start, Tokens};

use crate::{
    assembly::GroupId,
    habits::Deed,
    header::Context,
    threads::{Sight, ThreadKey},
    timing::Reason,
    trace::{Link, Method, Parent, SpanId, TracedSpan},
    wire::End,
};

/// A parent, as it was decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ancestor {
    /// The span that is held here; `None` for one outside this host.
    pub(crate) key: Option<Key>,
    pub(crate) span_id: SpanId,
    pub(crate) method: Method,
    pub(crate) confidence: f32,
}

impl Ancestor {
    /// The span that a context in the bytes names.
    pub(crate) fn remote(context: &Context) -> Option<Self> {
        context.span_id.map(|span_id| Self { key: None, span_id, method: Method::Header, confidence: 1.0 })
    }
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) key: Key,
    pub(crate) role: Role,
    pub(crate) start: Nanos,
    pub(crate) thread: ThreadKey,
    pub(crate) pid: u32,
    /// Other threads that came back to this request by a response.
    pub(crate) resumed_on: Vec<ThreadKey>,
    pub(crate) span_id: SpanId,
    /// The number of the exchange at both of its ends.
    pub(crate) identity: u128,
    pub(crate) context: Option<Context>,
    pub(crate) parent: Option<Ancestor>,
    pub(crate) links: Vec<Link>,
    /// The request for which this one was made, whatever its parent became.
    pub(crate) server: Option<Key>,
    /// Is that known well enough to build on?
    pub(crate) sure: bool,
    /// What kind of request it is; 0 where that is not known.
    pub(crate) shape: u64,
    /// Rare names in it.
    pub(crate) tokens: Tokens,
    /// Was it made by a task that works for itself?
    pub(crate) own: bool,
    /// Does nothing tell for whom it was before its task answers, or who waits for that?
    pub(crate) later: bool,
    /// Of a request that is answered here: calls that were surely made for it and whose responses were not read.
    pub(crate) awaits: u32,
    /// Was there ever one?
    pub(crate) asked: bool,
    /// How many calls were surely made for it.
    pub(crate) calls: u32,
    /// Of a call: is it counted there?
    pub(crate) awaited: bool,
    /// Does its trace wait for what may become known of it?
    pub(crate) held: bool,
    /// The request that its connection was opened for, as it seemed.
    pub(crate) opener: Option<Key>,
    /// For whom its connection was opened, and on whom its thread worked, where these are two.
    pub(crate) rivals: Option<Box<(Key, Key)>>,
    /// What its thread had read when it was made, or its connection opened. Boxed, like the rivals: few have any, and what is held is
    /// to stay small.
    pub(crate) sight: Option<Box<(Deed, Sight)>>,
    /// Why it was made, by the time at which it was.
    pub(crate) reason: Option<Box<Reason>>,
    pub(crate) group: GroupId,
    /// Its span, once it has ended.
    pub(crate) span: Option<Box<Span>>,
}

impl Node {
    /// Without a place yet.
    pub(crate) fn new(start: &Start, span_id: SpanId, identity: u128, context: Option<Context>) -> Self {
        Self {
            key: start.key,
            role: start.role,
            start: start.time,
            thread: start.task.into(),
            pid: start.task.pid,
            resumed_on: Vec::new(),
            span_id,
            identity,
            context,
            parent: None,
            links: Vec::new(),
            server: None,
            sure: false,
            shape: start.shape,
            tokens: start.tokens,
            own: false,
            later: false,
            awaits: 0,
            asked: false,
            calls: 0,
            awaited: false,
            held: false,
            opener: None,
            rivals: None,
            sight: None,
            reason: None,
            group: GroupId::default(),
            span: None,
        }
    }

    pub(crate) const fn end(&self) -> End {
        End::of(self.role)
    }

    pub(crate) const fn open(&self) -> bool {
        self.span.is_none()
    }

    /// As it is given on; `None` while it is open.
    pub(crate) fn traced(self: Box<Self>) -> Option<TracedSpan> {
        let parent = self.parent.map(|parent| Parent {
            span_id: parent.span_id,
            method: parent.method,
            confidence: parent.confidence,
            remote: parent.key.is_none(),
        });
        let (trace_state, trace_flags) = self
            .context
            .map_or((String::new(), crate::header::SAMPLED), |context| (context.state, context.flags));
        let (span_id, links) = (self.span_id, self.links);
        self.span.map(|span| TracedSpan { span_id, parent, links, trace_state, trace_flags, span })
    }
}
