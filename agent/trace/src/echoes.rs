//! Comes in: rare names in the requests that processes read. Goes out: the one open request that has a name in common with a
//! call of its process. Refuses: names that came before, and to choose among several requests: such a name is not rare.

use rustc_hash::{FxHashMap, FxHashSet};
use wirespan_span::span::{Key, Tokens};

/// Names that are remembered before the older half is forgotten.
const MAX_SEEN: usize = 32_768;

/// A name, in the process that read it.
type Name = (u32, u64);

/// Open requests by process and rare name. Bounded.
#[derive(Debug, Default)]
pub(crate) struct Echoes {
    /// `None`: a second request had the same name.
    open: FxHashMap<Name, Option<Key>>,
    /// Names of this half of the time, and of the one before.
    seen: [FxHashSet<Name>; 2],
}

impl Echoes {
    /// A process read a request.
    pub(crate) fn reads(&mut self, pid: u32, tokens: &Tokens, request: Key) {
        for name in tokens.iter().map(|token| (pid, token)) {
            if self.is_new(name) {
                self.open.insert(name, Some(request));
            } else if let Some(open) = self.open.get_mut(&name) {
                *open = open.filter(|open| *open == request);
            }
        }
    }

    /// It is answered.
    pub(crate) fn leave(&mut self, pid: u32, tokens: &Tokens, request: Key) {
        for name in tokens.iter().map(|token| (pid, token)) {
            if self.open.get(&name).is_some_and(|open| open.is_none_or(|open| open == request)) {
                self.open.remove(&name);
            }
        }
    }

    /// The only request that a call's names point at.
    pub(crate) fn of(&self, pid: u32, tokens: &Tokens) -> Option<Key> {
        let mut named = tokens.iter().filter_map(|token| *self.open.get(&(pid, token))?);
        let first = named.next()?;
        named.all(|request| request == first).then_some(first)
    }

    fn is_new(&mut self, name: Name) -> bool {
        let [now, before] = &mut self.seen;
        if now.len() >= MAX_SEEN / 2 {
            std::mem::swap(now, before);
            now.clear();
        }
        now.insert(name) && !before.contains(&name)
    }
}
