//! The host's clocks. Kernel programs stamp with `CLOCK_MONOTONIC`, which stands still in suspend; events carry
//! `CLOCK_BOOTTIME`, which does not. How far one is ahead of another only changes at a suspend, when somebody sets the
//! time of day, or by little while that is slewed; so it is sampled, not counted.

use wirespan_proto::event::Nanos;

/// Samples of which the best counts: the thread may lose its processor between two readings.
const TRIES: usize = 4;

/// A sample as good as this, in ns, needs no second.
const GOOD_NS: u64 = 500;

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours; the clocks exist on every Linux since 2.6.39, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Now, ns of `CLOCK_MONOTONIC`.
pub(crate) fn monotonic() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Now, on the clock of events.
pub(crate) fn boot() -> Nanos {
    Nanos(read(libc::CLOCK_BOOTTIME))
}

/// How far one clock is ahead of another. Stays the same until a sample proves it wrong, so that times that are put on
/// at different moments keep their distance to the nanosecond.
#[derive(Clone, Copy, Debug)]
pub struct Offset {
    clock: libc::clockid_t,
    base: libc::clockid_t,
    known: Option<u64>,
}

/// One look at both clocks: the offset lies in `least..=least + width`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    least: u64,
    width: u64,
}

impl Offset {
    /// Of `CLOCK_BOOTTIME` to `CLOCK_MONOTONIC`.
    pub(crate) const fn boot() -> Self {
        Self { clock: libc::CLOCK_BOOTTIME, base: libc::CLOCK_MONOTONIC, known: None }
    }

    /// Of the time of day, since 1970, to `CLOCK_BOOTTIME`.
    #[must_use]
    pub const fn day() -> Self {
        Self { clock: libc::CLOCK_REALTIME, base: libc::CLOCK_BOOTTIME, known: None }
    }

    /// Samples it. Nanoseconds; a clock that is behind counts as equal.
    pub fn now(&mut self) -> u64 {
        let sample = self.sample();
        self.learn(sample)
    }

    fn learn(&mut self, sample: Sample) -> u64 {
        let known = self.known.filter(|known| sample.allows(*known));
        *self.known.insert(known.unwrap_or(sample.least + sample.width / 2))
    }

    fn sample(&self) -> Sample {
        let mut best = Sample { least: 0, width: u64::MAX };
        for _ in 0..TRIES {
            let (before, at, after) = (read(self.base), read(self.clock), read(self.base));
            let sample = Sample { least: at.saturating_sub(after), width: after.saturating_sub(before) };
            if sample.width < best.width {
                best = sample;
            }
            if best.width <= GOOD_NS {
                break;
            }
        }
        best
    }
}

impl Sample {
    const fn allows(self, offset: u64) -> bool {
        self.least <= offset && offset - self.least <= self.width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_until_a_sample_contradicts_it() {
        let mut offset = Offset::boot();
        let samples = [(100, 60), (120, 40), (0, 5_000), (131, 10), (90, 90)];
        let told = samples.map(|(least, width)| offset.learn(Sample { least, width }));
        assert_eq!(told, [130, 130, 130, 136, 136]);
    }

    #[test]
    fn one_that_is_wrong_is_replaced() {
        let mut offset = Offset { known: Some(1), ..Offset::day() };
        assert!(offset.now() > 1_000_000_000_000_000_000, "it is after 2001");
    }

    #[test]
    fn a_sample_allows_its_whole_width() {
        let sample = Sample { least: 10, width: 5 };
        assert_eq!([9, 10, 15, 16].map(|offset| sample.allows(offset)), [false, true, true, false]);
    }
}
