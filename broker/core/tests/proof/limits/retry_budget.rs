use broker_core::engine::limits::retry_budget::{Earnings, RetryBudget};
use proptest::prelude::*;

use crate::support::at;

const EARNINGS: Earnings = Earnings { burst: 3, per_s: 1, per_first_permille: 100 };

#[test]
fn what_was_saved_up_goes_at_once_then_one_for_each_second_or_ten_first_messages() {
    let mut budget = RetryBudget::new(EARNINGS, at(0));
    let spent = (0..10).filter(|_| budget.spend(EARNINGS, at(0))).count();
    assert_eq!(spent, 3);
    assert_eq!(budget.ready_at(EARNINGS), at(1000));
    assert!(!budget.spend(EARNINGS, at(999)));
    assert!(budget.spend(EARNINGS, at(1000)));
    (0..9).for_each(|_| budget.first(EARNINGS, at(1000)));
    assert!(!budget.spend(EARNINGS, at(1000)));
    budget.first(EARNINGS, at(1000));
    assert!(budget.spend(EARNINGS, at(1000)));
}

proptest! {
    #[test]
    fn it_never_gives_more_than_it_was_given(
        burst in 0_u32..20, per_s in 0_u32..20, share in 0_u16..1001,
        steps in proptest::collection::vec((any::<bool>(), 0_u64..2000), 0..300),
    ) {
        let earnings = Earnings { burst, per_s, per_first_permille: share };
        let mut budget = RetryBudget::new(earnings, at(0));
        let (mut now, mut firsts, mut spent) = (0_u64, 0_u64, 0_u64);
        for (first, passed) in steps {
            now += passed;
            if first {
                budget.first(earnings, at(now));
                firsts += 1;
            } else {
                spent += u64::from(budget.spend(earnings, at(now)));
            }
            let given = u64::from(burst) * 1000 + now * u64::from(per_s) + firsts * u64::from(share);
            prop_assert!(spent * 1000 <= given);
        }
    }
}
