//! Comes in: what two observers saw on one connection, each in order. Goes out: which of the one's is which of the other's.
//! Refuses: pairs that were not at the same time.

/// From, to: nanoseconds since the UNIX epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Begin.
    pub start: u64,
    /// End.
    pub end: u64,
}

/// Observers stamp at different points of a call, and access logs count whole milliseconds.
const MARGIN_NS: u64 = 2_000_000;

impl Interval {
    /// Is this at the same time as that?
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.start <= other.end.saturating_add(MARGIN_NS) && other.start <= self.end.saturating_add(MARGIN_NS)
    }
}

/// For each of `ones` its place in `others`. Where both saw as many, the n-th is the n-th, whatever overlaps
/// (pipelining). Where one missed some, time tells: exchanges of a connection that are not pipelined do not overlap.
#[must_use]
pub fn align(ones: &[Interval], others: &[Interval]) -> Vec<Option<usize>> {
    if ones.len() == others.len() {
        return (0..ones.len()).map(Some).collect();
    }
    let mut next = 0;
    ones.iter().map(|one| take_next(*one, others, &mut next)).collect()
}

/// Of the others from `next` on that meet it, the one that begins nearest.
fn take_next(one: Interval, others: &[Interval], next: &mut usize) -> Option<usize> {
    let rest = others.iter().enumerate().skip(*next);
    let meeting = rest.filter(|(_, other)| one.meets(**other));
    let (at, _) = meeting.min_by_key(|(_, other)| other.start.abs_diff(one.start))?;
    *next = at + 1;
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: &[(u64, u64)]) -> Vec<Interval> {
        millis
            .iter()
            .map(|(start, end)| Interval { start: start * 1_000_000, end: end * 1_000_000 })
            .collect()
    }

    #[test]
    fn as_many_are_paired_in_order() {
        assert_eq!(align(&at(&[(0, 9), (0, 9)]), &at(&[(1, 5), (5, 9)])), [Some(0), Some(1)]);
    }

    #[test]
    fn a_gap_is_bridged_by_time() {
        let truth = at(&[(0, 9), (20, 29), (40, 49), (60, 69)]);
        assert_eq!(align(&at(&[(1, 8), (41, 48)]), &truth), [Some(0), Some(2)]);
    }

    #[test]
    fn what_met_nobody_has_no_partner() {
        assert_eq!(align(&at(&[(30, 35), (41, 48)]), &at(&[(40, 49)])), [None, Some(0)]);
    }
}
