//! Comes in: spans that belong together. Goes out: traces, whole where they end in time, else in parts. Refuses: to
//! hold a finished span beyond the bounded wait.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use wirespan_span::span::{Key, Nanos};

use crate::{room, trace::TraceId};

/// More traces than this that only wait for stragglers, and they wait a tenth of the time: what is touched again when it is given on
/// should still be in the processor's cache.
const CROWD: usize = 128;

/// Names a trace under assembly; never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupId(u64);

/// The held spans of one trace.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: TraceId,
    /// Has the id been told to anyone: by a header, in a part given on, in a link?
    pub(crate) fixed: bool,
    pub(crate) members: Vec<Key>,
    pub(crate) open: usize,
    /// Members whose parent may still become known.
    held_back: usize,
    /// Spans that ever joined.
    pub(crate) joined: usize,
    /// When the oldest finished member ended.
    finished: Option<Nanos>,
    /// Since when no member has been open.
    idle: Option<Nanos>,
}

impl Group {
    pub(crate) const fn held(&self) -> usize {
        self.members.len().saturating_sub(self.open)
    }
}

/// All traces under assembly.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: FxHashMap<GroupId, Group>,
    /// Those whose id came with a header.
    by_id: FxHashMap<TraceId, GroupId>,
    last: u64,
    /// Idle groups and groups with finished members, each with the time since when, in order. An entry may be
    /// stale; the group knows.
    idle: VecDeque<(Nanos, GroupId)>,
    waiting: VecDeque<(Nanos, GroupId)>,
}

impl Groups {
    pub(crate) fn begin(&mut self, id: TraceId) -> GroupId {
        self.last += 1;
        let group = Group {
            id,
            fixed: false,
            members: Vec::new(),
            open: 0,
            held_back: 0,
            joined: 0,
            finished: None,
            idle: None,
        };
        self.groups.insert(GroupId(self.last), group);
        GroupId(self.last)
    }

    /// The group of a trace that a header names.
    pub(crate) fn named(&mut self, id: TraceId) -> GroupId {
        if let Some(group) = self.by_id.get(&id) {
            return *group;
        }
        let name = self.begin(id);
        self.by_id.insert(id, name);
        self.fixed_id(name);
        name
    }

    pub(crate) fn get(&self, name: GroupId) -> Option<&Group> {
        self.groups.get(&name)
    }

    /// The group's trace id, which from now on stays.
    pub(crate) fn fixed_id(&mut self, name: GroupId) -> Option<TraceId> {
        let group = self.groups.get_mut(&name)?;
        group.fixed = true;
        Some(group.id)
    }

    pub(crate) fn join(&mut self, name: GroupId, key: Key) {
        if let Some(group) = self.groups.get_mut(&name) {
            group.members.push(key);
            group.open += 1;
            group.joined += 1;
            group.idle = None;
        }
    }

    /// A member ended. Gives the number of finished members.
    pub(crate) fn finished(&mut self, name: GroupId, now: Nanos) -> usize {
        let Some(group) = self.groups.get_mut(&name) else { return 0 };
        group.open = group.open.saturating_sub(1);
        if group.finished.is_none() {
            group.finished = Some(now);
            self.waiting.push_back((now, name));
        }
        let held = group.held();
        self.rest(name, now);
        held
    }

    /// A member is taken back.
    pub(crate) fn leave(&mut self, name: GroupId, key: Key, open: bool, now: Nanos) {
        let Some(group) = self.groups.get_mut(&name) else { return };
        group.members.retain(|member| *member != key);
        group.open = group.open.saturating_sub(usize::from(open));
        if group.members.is_empty() {
            self.remove(name);
        } else {
            self.rest(name, now);
        }
    }

    /// Waits, as long as finished spans may, for what will become known of a member.
    pub(crate) fn hold(&mut self, name: GroupId) {
        if let Some(group) = self.groups.get_mut(&name) {
            group.held_back += 1;
            group.idle = None;
        }
    }

    /// All that could become known of the member is.
    pub(crate) fn release(&mut self, name: GroupId, now: Nanos) {
        if let Some(group) = self.groups.get_mut(&name) {
            group.held_back = group.held_back.saturating_sub(1);
            self.rest(name, now);
        }
    }

    /// Notes since when the group is idle.
    fn rest(&mut self, name: GroupId, now: Nanos) {
        if let Some(group) = self.groups.get_mut(&name)
            && group.open == 0
            && group.held_back == 0
            && group.idle.is_none()
        {
            group.idle = Some(now);
            self.idle.push_back((now, name));
        }
    }

    /// Can the two be one trace?
    pub(crate) fn compatible(&self, a: GroupId, b: GroupId) -> bool {
        match (self.get(a), self.get(b)) {
            (Some(a), Some(b)) => a.id == b.id || !(a.fixed && b.fixed),
            _ => false,
        }
    }

    /// Makes one trace of two compatible ones. Gives the name that stays and the members that must be told of it.
    pub(crate) fn merge(&mut self, a: GroupId, b: GroupId) -> (GroupId, Vec<Key>) {
        let members = |name| self.get(name).map_or(0, |group| group.members.len());
        let (stays, goes) = if members(a) < members(b) { (b, a) } else { (a, b) };
        let id_of = if self.get(b).is_some_and(|group| group.fixed) { b } else { a };
        if a == b || !self.compatible(a, b) {
            return (a, Vec::new());
        }
        let id = self.get(id_of).map(|group| (group.id, group.fixed));
        let gone = self.groups.remove(&goes);
        let (Some(stay), Some(gone), Some((id, fixed))) = (self.groups.get_mut(&stays), gone, id) else {
            return (a, Vec::new());
        };
        for id in [stay.id, gone.id, id] {
            if self.by_id.get(&id) == Some(&goes) {
                self.by_id.insert(id, stays);
            }
        }
        (stay.id, stay.fixed) = (id, fixed);
        stay.members.extend_from_slice(&gone.members);
        stay.open += gone.open;
        stay.held_back += gone.held_back;
        stay.joined += gone.joined;
        stay.idle = None;
        stay.finished = earliest(stay.finished, gone.finished);
        let (finished, now) = (stay.finished, stay.finished.unwrap_or_default());
        self.waiting.extend(finished.map(|time| (time, stays)));
        self.rest(stays, now);
        (stays, gone.members)
    }

    /// A group that is due at `now`, with respect to the two waits.
    pub(crate) fn due(&mut self, now: Nanos, grace_ns: u64, wait_ns: u64) -> Option<GroupId> {
        self.due_idle(now, grace_ns).or_else(|| self.due_waiting(now, wait_ns))
    }

    fn due_idle(&mut self, now: Nanos, grace_ns: u64) -> Option<GroupId> {
        loop {
            let grace_ns = if self.idle.len() > CROWD { grace_ns / 10 } else { grace_ns };
            self.idle.front().filter(|(since, _)| now.since(*since) >= grace_ns)?;
            let (since, name) = self.idle.pop_front()?;
            if self.get(name).is_some_and(|group| group.idle == Some(since)) {
                return Some(name);
            }
        }
    }

    fn due_waiting(&mut self, now: Nanos, wait_ns: u64) -> Option<GroupId> {
        while self.waiting.front().is_some_and(|(since, _)| now.since(*since) >= wait_ns) {
            let (since, name) = self.waiting.pop_front()?;
            if self.get(name).is_some_and(|group| group.finished == Some(since)) {
                return Some(name);
            }
        }
        None
    }

    /// Takes all members out, to be given on; those still open are put back by [`Self::keep`].
    pub(crate) fn take(&mut self, name: GroupId) -> Option<(TraceId, Vec<Key>)> {
        let group = self.groups.get_mut(&name)?;
        group.finished = None;
        Some((group.id, std::mem::take(&mut group.members)))
    }

    /// The members that stay open. Without one the group ends.
    pub(crate) fn keep(&mut self, name: GroupId, members: Vec<Key>) {
        if members.is_empty() {
            self.remove(name);
        } else if let Some(group) = self.groups.get_mut(&name) {
            group.fixed = true;
            group.open = members.len();
            group.held_back = 0;
            group.members = members;
        }
    }

    fn remove(&mut self, name: GroupId) {
        if let Some(group) = self.groups.remove(&name)
            && self.by_id.get(&group.id) == Some(&name)
        {
            self.by_id.remove(&group.id);
        }
        self.leave_queue();
    }

    /// Takes what is over off the front of the queue of those that wait, which is as short as what is held then.
    fn leave_queue(&mut self) {
        while let Some((since, name)) = self.waiting.front()
            && self.groups.get(name).is_none_or(|group| group.finished != Some(*since))
        {
            self.waiting.pop_front();
        }
    }

    /// Gives back room that only a crowd had needed.
    pub(crate) fn fit(&mut self) {
        room::fit(&mut self.groups);
    }

    pub(crate) fn names(&self) -> Vec<GroupId> {
        let mut names: Vec<_> = self.groups.keys().copied().collect();
        names.sort_unstable();
        names
    }
}

fn earliest(a: Option<Nanos>, b: Option<Nanos>) -> Option<Nanos> {
    a.into_iter().chain(b).min()
}
