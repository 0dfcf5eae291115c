//! Comes in: slots that want looking after. Goes out: the same, first come first served. Bounded by the number of slots.

use std::collections::VecDeque;

use crate::slots::Index;

/// Slots in the order they joined, none twice.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    order: VecDeque<Index>,
    member: Vec<bool>,
}

impl Queue {
    /// Appends a slot, unless it stands in the queue.
    pub(crate) fn push(&mut self, index: Index) {
        let at = index as usize;
        if at >= self.member.len() {
            self.member.resize(at + 1, false);
        }
        if let Some(member) = self.member.get_mut(at)
            && !std::mem::replace(member, true)
        {
            self.order.push_back(index);
        }
    }

    /// Takes the first out.
    pub(crate) fn pop(&mut self) -> Option<Index> {
        let index = self.order.pop_front()?;
        if let Some(member) = self.member.get_mut(index as usize) {
            *member = false;
        }
        Some(index)
    }

    /// How many stand in it.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}
