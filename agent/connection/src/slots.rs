//! Comes in: values named by a socket's cookie. Goes out: the same by cookie, by slot, or the one used least recently,
//! each in constant time. Slots are numbered densely, so that a sweep can walk them a few at a time.

use rustc_hash::FxHashMap;

use crate::event::Cookie;

/// Number of a slot.
pub(crate) type Index = u32;

/// No slot.
const NONE: Index = Index::MAX;

#[derive(Debug)]
struct Slot<T> {
    /// Boxed, so that growing the table moves pointers only and an empty slot costs little.
    value: Option<Box<T>>,
    /// Used after this one; for a free slot, the next free one.
    newer: Index,
    /// Used before this one.
    older: Index,
}

/// A table in the order of use.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    by_cookie: FxHashMap<u64, Index>,
    free: Index,
    newest: Index,
    oldest: Index,
}

impl<T> Slots<T> {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), by_cookie: FxHashMap::default(), free: NONE, newest: NONE, oldest: NONE }
    }

    /// Values in the table.
    pub(crate) fn len(&self) -> usize {
        self.by_cookie.len()
    }

    /// Slots, used and free. Every index is below it.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The slot of `cookie`.
    pub(crate) fn find(&self, cookie: Cookie) -> Option<Index> {
        self.by_cookie.get(&cookie.0).copied()
    }

    /// The value in a slot.
    pub(crate) fn get_mut(&mut self, index: Index) -> Option<&mut T> {
        self.slots.get_mut(index as usize)?.value.as_deref_mut()
    }

    /// The slot used least recently.
    pub(crate) fn oldest(&self) -> Option<Index> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Adds a value as the newest; `cookie` is not in the table.
    pub(crate) fn insert(&mut self, cookie: Cookie, value: Box<T>) -> Index {
        let index = self.vacancy();
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.value = Some(value);
        }
        self.by_cookie.insert(cookie.0, index);
        self.link(index);
        index
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, cookie: Cookie) -> Option<Box<T>> {
        let index = self.by_cookie.remove(&cookie.0)?;
        self.unlink(index);
        let free = self.free;
        let slot = self.slots.get_mut(index as usize)?;
        slot.newer = free;
        self.free = index;
        slot.value.take()
    }

    /// Makes a slot the newest.
    pub(crate) fn touch(&mut self, index: Index) {
        if self.newest != index {
            self.unlink(index);
            self.link(index);
        }
    }

    fn vacancy(&mut self) -> Index {
        if let Some(slot) = self.slots.get(self.free as usize) {
            return std::mem::replace(&mut self.free, slot.newer);
        }
        self.slots.push(Slot { value: None, newer: NONE, older: NONE });
        (self.slots.len() - 1) as Index
    }

    fn link(&mut self, index: Index) {
        let older = std::mem::replace(&mut self.newest, index);
        if let Some(slot) = self.slots.get_mut(index as usize) {
            (slot.newer, slot.older) = (NONE, older);
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = index,
            None => self.oldest = index,
        }
    }

    fn unlink(&mut self, index: Index) {
        let Some(&Slot { newer, older, .. }) = self.slots.get(index as usize) else { return };
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }
}
