//! Comes in: statements that were prepared, by name. Goes out: what they say when they are executed. Refuses: more of
//! them than the bounds allow; the oldest goes first, and its executions say that the statement is unknown.

use std::{collections::BTreeMap, sync::Arc};

use super::digest::Digest;
use crate::settings::Settings;

/// Prepared statements of one connection.
pub(crate) struct Statements<K> {
    kept: BTreeMap<K, (u64, Arc<Digest>)>,
    /// Names by age.
    ages: BTreeMap<u64, K>,
    /// Number of the next one.
    next: u64,
    bytes: usize,
}

impl<K> Default for Statements<K> {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), ages: BTreeMap::new(), next: 0, bytes: 0 }
    }
}

impl<K: Ord + Clone> Statements<K> {
    /// Keeps a statement; one of the same name goes.
    pub(crate) fn keep(&mut self, name: K, digest: Arc<Digest>, settings: &Settings) {
        self.bytes += digest.size();
        self.ages.insert(self.next, name.clone());
        if let Some((age, before)) = self.kept.insert(name, (self.next, digest)) {
            self.ages.remove(&age);
            self.bytes -= before.size();
        }
        self.next += 1;
        while self.kept.len() > settings.max_statements || self.bytes > settings.max_statement_bytes {
            let Some((_, oldest)) = self.ages.pop_first() else { return };
            self.forget(&oldest);
        }
    }

    /// What the statement says.
    pub(crate) fn get(&self, name: &K) -> Option<Arc<Digest>> {
        self.kept.get(name).map(|(_, digest)| Arc::clone(digest))
    }

    /// It was closed.
    pub(crate) fn forget(&mut self, name: &K) {
        if let Some((age, digest)) = self.kept.remove(name) {
            self.ages.remove(&age);
            self.bytes -= digest.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Arc<Digest> {
        Arc::new(Digest { text: text.into(), ..Digest::default() })
    }

    #[test]
    fn the_oldest_goes_first() {
        let settings = Settings { max_statements: 2, ..Settings::default() };
        let mut statements = Statements::default();
        for name in [1, 2, 1, 3] {
            statements.keep(name, digest("x"), &settings);
        }
        assert_eq!([1, 2, 3].map(|name| statements.get(&name).is_some()), [true, false, true]);
        statements.forget(&1);
        assert!(statements.get(&1).is_none());
    }

    #[test]
    fn bytes_are_bounded() {
        let settings = Settings { max_statement_bytes: 1000, ..Settings::default() };
        let mut statements = Statements::default();
        statements.keep(1, digest(&"x".repeat(500)), &settings);
        statements.keep(2, digest(&"x".repeat(500)), &settings);
        assert_eq!([1, 2].map(|name| statements.get(&name).is_some()), [false, true]);
        statements.keep(3, digest(&"x".repeat(1000)), &settings);
        assert_eq!(statements.bytes, 0);
    }
}
