//! Comes in: how long before some things others happened. Goes out: how much more often they did so than by chance.
//! Refuses: nothing; of what it has seen little of it knows little.
//!
//! Of two things that have nothing to do with each other one lies equally often at any time before the other. What causes the
//! other lies more often at some times before it, and these are short. So what is counted above the level of chance is
//! causes (a cross-correlogram).

use std::f32::consts::SQRT_2;

/// Delays below this are one class, ns.
const SHORTEST: u64 = 4096;

/// Classes of delays: from [`SHORTEST`] on half octaves.
const CLASSES: usize = 25;

/// Delays from here on are not looked at, ns.
pub(crate) const LONGEST: u64 = SHORTEST << 12;

/// The first of the classes that are taken for chance alone: programs that wait for nothing go on sooner.
const CHANCE: usize = 22;

/// Effects after which older ones count half.
const MEMORY: f32 = 4096.0;

/// Above the level of chance is what is so many standard deviations above it.
const NOISE: f32 = 2.0;

/// Effects after which all is reckoned anew.
const RECKON: u32 = 16;

/// How long before effects of one kind causes of one kind lay, in one process.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    counts: [f32; CLASSES],
    effects: f32,
    /// Effects since all was reckoned.
    news: u32,
    /// Causes above the level of chance, for each effect and ns.
    excess: [f32; CLASSES],
    chance: f32,
    explained: f32,
    /// Causes lie no further back, ns.
    reach: u64,
}

impl Delays {
    /// Before one more effect causes lay so far back, ns.
    pub(crate) fn learn(&mut self, delays: impl Iterator<Item = u64>) {
        for delay in delays {
            if let Some(count) = self.counts.get_mut(class(delay)) {
                *count += 1.0;
            }
        }
        self.effects += 1.0;
        self.news += 1;
        if self.news >= RECKON {
            self.reckon();
        }
    }

    /// Effects seen; less of those that are old.
    pub(crate) const fn effects(&self) -> f32 {
        self.effects
    }

    /// How often a cause of this very effect lies so far back, for each effect and ns.
    pub(crate) fn causal(&self, delay: u64) -> f32 {
        self.excess.get(class(delay)).copied().unwrap_or_default()
    }

    /// How often one lies at any time before it by chance, for each effect and ns.
    pub(crate) const fn chance(&self) -> f32 {
        self.chance
    }

    /// The share of effects that have a cause of this kind; more than 1 where they have several.
    pub(crate) const fn explained(&self) -> f32 {
        self.explained
    }

    /// Causes lie no further back than this, ns, but for a few: to where the highest hill ends.
    pub(crate) const fn reach(&self) -> u64 {
        self.reach
    }

    fn reckon(&mut self) {
        self.news = 0;
        let far: f32 = self.counts.iter().skip(CHANCE).sum();
        let width_of_far: f32 = (CHANCE..CLASSES).map(width).sum();
        self.chance = far / self.effects / width_of_far;
        self.explained = 0.0;
        for (class, (excess, count)) in self.excess.iter_mut().zip(&self.counts).enumerate().take(CHANCE) {
            let by_chance = self.chance * self.effects * width(class);
            let above = count - by_chance;
            self.explained += above / self.effects;
            let clear = (above - NOISE * by_chance.max(1.0).sqrt()).max(0.0);
            *excess = clear / self.effects / width(class);
        }
        let peak = (0..CHANCE).max_by(|a, b| self.excess[*a].total_cmp(&self.excess[*b])).unwrap_or_default();
        let last = (peak..CHANCE).take_while(|class| self.excess[*class] > 0.0).last().unwrap_or(peak);
        self.reach = end(last) as u64;
        if self.effects >= MEMORY {
            self.effects /= 2.0;
            self.counts.iter_mut().for_each(|count| *count /= 2.0);
        }
    }
}

/// The class of a delay; none has a number of [`CLASSES`] or more.
fn class(delay: u64) -> usize {
    let Some(octave) = (delay / SHORTEST).checked_ilog2() else { return 0 };
    let above = delay as f32 / (SHORTEST << octave) as f32;
    1 + 2 * octave as usize + usize::from(above >= SQRT_2)
}

/// Where a class ends, ns.
fn end(class: usize) -> f32 {
    SHORTEST as f32 * SQRT_2.powi(class as i32)
}

/// How wide a class is, ns.
fn width(class: usize) -> f32 {
    if class == 0 { end(0) } else { end(class) - end(class - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_each_other() {
        assert_eq!([0, SHORTEST - 1].map(class), [0, 0]);
        assert_eq!(
            [SHORTEST, 5792, 5793, 2 * SHORTEST, LONGEST - 1, LONGEST].map(class),
            [1, 1, 2, 3, 24, 25]
        );
        let all: f32 = (0..CLASSES).map(width).sum();
        assert!((all - LONGEST as f32).abs() < 1000.0, "{all}");
    }

    /// A cause 100 µs before each effect, and others at any time.
    #[test]
    fn causes_stand_out_from_chance() {
        let mut delays = Delays::default();
        for number in 0..1600_u64 {
            delays.learn([100_000, number * 10_000].into_iter());
        }
        assert!((0.9..=1.1).contains(&delays.explained()), "{delays:?}");
        assert!(delays.causal(100_000) > 100.0 * delays.causal(1_000_000), "{delays:?}");
        assert!((5e-8..7e-8).contains(&delays.chance()), "{delays:?}");
    }

    #[test]
    fn chance_alone_explains_nothing() {
        let mut delays = Delays::default();
        for number in 0..1600_u64 {
            delays.learn([number * 10_000].into_iter());
        }
        assert!(delays.explained() < 0.1, "{delays:?}");
    }
}
