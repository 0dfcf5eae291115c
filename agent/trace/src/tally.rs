//! Comes in: examples, right or wrong. Goes out: the share of right ones, with a thought of it before the first.

/// Examples after which older ones count half.
const MEMORY: f32 = 1024.0;

/// Counts of examples; old ones fade.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    right: f32,
    wrong: f32,
}

impl Tally {
    /// One more example.
    pub(crate) fn add(&mut self, right: bool) {
        if self.examples() >= MEMORY {
            (self.right, self.wrong) = (self.right / 2.0, self.wrong / 2.0);
        }
        *if right { &mut self.right } else { &mut self.wrong } += 1.0;
    }

    /// An example turned out to be the other way round.
    pub(crate) fn mend(&mut self) {
        if self.wrong >= 1.0 {
            self.wrong -= 1.0;
            self.right += 1.0;
        }
    }

    /// Share of right ones, 0 to 1, where `weight` examples with the share `expected` are thought before the first.
    pub(crate) fn share(&self, expected: f32, weight: f32) -> f32 {
        (self.right + expected * weight) / (self.examples() + weight)
    }

    /// Right ones; less of those that are old.
    pub(crate) fn right(&self) -> f32 {
        self.right
    }

    /// Wrong ones; less of those that are old.
    pub(crate) fn wrong(&self) -> f32 {
        self.wrong
    }

    /// How many there were; less of those that are old.
    pub(crate) fn examples(&self) -> f32 {
        self.right + self.wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_examples_fade() {
        let mut tally = Tally::default();
        (0..100_000).for_each(|_| tally.add(false));
        (0..5_000).for_each(|_| tally.add(true));
        assert!(tally.share(0.5, 2.0) > 0.95, "{tally:?}");
    }
}
