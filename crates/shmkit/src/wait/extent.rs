//! How many holders a slow check asks about.
//!
//! Each question costs a system call, and what a waiter waits for can have 1,023 holders. A check
//! asks about everything if something may have happened. A check that is made only because time has
//! passed asks about a few holders, and the next one about those that follow: that finds a death
//! which was not announced. The first such check after news still asks about everything: it finds a
//! death that was announced too early.

use super::remembered::{PLACE, Remembered};

/// How many holders a check asks about that is made only because time has passed.
const FEW: u32 = 32;
/// The place that makes the next check ask about everything. Any other place is a slot number
/// plus 1.
const WHOLE: u64 = 0;

/// How many holders a slow check asks about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent<'a> {
    /// All.
    Everything,
    /// A few, from where the last such check ended.
    Few(&'a Remembered),
}

impl<'a> Extent<'a> {
    /// Returns the extent of a check that is made because of news, or only because time has passed.
    pub(super) fn next(remembered: &'a Remembered, only_time_passed: bool) -> Self {
        match (only_time_passed, remembered.get(PLACE)) {
            (true, WHOLE) => remembered.set([(PLACE, WHOLE + 1)]),
            (true, _) => return Self::Few(remembered),
            (false, _) => remembered.set([(PLACE, WHOLE)]),
        }
        Self::Everything
    }

    /// Calls `ask` for the slots that this check asks about, of so many. It returns whether it
    /// asked about a holder: not every slot has one.
    pub(crate) fn each_slot(self, slots: u32, mut ask: impl FnMut(u32) -> bool) {
        let Self::Few(remembered) = self else { return (0..slots).for_each(|slot| _ = ask(slot)) };
        let first =
            remembered.get(PLACE).checked_sub(WHOLE + 1).and_then(|slot| slot.try_into().ok());
        let first = first.filter(|slot| *slot < slots).unwrap_or(0);
        let mut asked = 0;
        for slot in (first..slots).chain(0..first) {
            if asked == FEW {
                return remembered.set([(PLACE, WHOLE + 1 + u64::from(slot))]);
            }
            asked += u32::from(ask(slot));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// The slots that a check asks about, of 200. Only those with odd numbers have holders.
    fn asked(extent: Extent<'_>) -> Vec<u32> {
        let mut asked = Vec::new();
        extent.each_slot(200, |slot| {
            let has_holder = slot % 2 == 1;
            asked.extend(has_holder.then_some(slot));
            has_holder
        });
        asked
    }

    #[test]
    fn checks_that_ask_about_a_few_go_round() {
        let remembered = Remembered::default();
        let holders: Vec<_> = (0..200).filter(|slot| slot % 2 == 1).collect();
        assert_eq!(asked(Extent::next(&remembered, false)), holders);
        assert_eq!(asked(Extent::next(&remembered, true)), holders, "the first check after news");
        let rounds: Vec<_> = (0..25).flat_map(|_| asked(Extent::next(&remembered, true))).collect();
        assert_eq!(rounds, holders.repeat(8), "25 checks of 32 are 8 rounds of 100");
        assert_eq!(asked(Extent::next(&remembered, false)), holders);
    }

    #[test]
    fn a_check_asks_about_each_holder_once_although_there_are_few() {
        let remembered = Remembered::default();
        remembered.set([(PLACE, 1_000)]);
        for _ in 0..3 {
            let mut asked = Vec::new();
            Extent::next(&remembered, true).each_slot(7, |slot| {
                asked.push(slot);
                true
            });
            assert_eq!(asked, [0, 1, 2, 3, 4, 5, 6]);
        }
    }
}
