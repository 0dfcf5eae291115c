//! Names of topics by their ids (KIP-516). Comes in: what metadata of any connection tells. Goes out: the name. Refuses: more
//! of them than fit; the ones learned first are forgotten first.
//!
//! A client asks one broker for names and sends ids to another, so connections share what they learned. Ids are unique
//! in the world: no connection can be misled by another's.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use smol_str::SmolStr;

/// A topic's id.
pub type TopicId = [u8; 16];

/// Topics remembered. Their names are no longer than a setting allows.
const MAX_TOPICS: usize = 4096;

/// Names of topics, shared by all connections that have clones of it.
#[derive(Clone, Debug, Default)]
pub struct Topics(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    names: BTreeMap<TopicId, SmolStr>,
    order: VecDeque<TopicId>,
}

impl Topics {
    /// The name of a topic, where it was told.
    #[must_use]
    pub fn name(&self, id: &TopicId) -> Option<SmolStr> {
        self.known().names.get(id).cloned()
    }

    /// A name was told.
    pub fn learn(&self, id: TopicId, name: SmolStr) {
        let mut known = self.known();
        if known.names.insert(id, name).is_none() {
            known.order.push_back(id);
        }
        if known.order.len() > MAX_TOPICS
            && let Some(oldest) = known.order.pop_front()
        {
            known.names.remove(&oldest);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is remembered is no choice: settings are the same whatever was learned.
impl PartialEq for Topics {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Topics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shared_and_the_oldest_is_forgotten() {
        let topics = Topics::default();
        let shared = topics.clone();
        let id = |number: usize| (number as u128).to_be_bytes();
        (0..=MAX_TOPICS).for_each(|number| topics.learn(id(number), number.to_string().into()));
        assert_eq!(shared.name(&id(0)), None);
        assert_eq!(shared.name(&id(MAX_TOPICS)).as_deref(), Some("4096"));
    }
}
