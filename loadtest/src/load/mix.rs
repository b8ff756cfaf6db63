//! Which strategies customers choose, and how often each.

use std::fmt;
use std::str::FromStr;

use anyhow::Context;
use rand::{Rng, RngExt};
use schemas::purchase::Strategy;

pub(super) const STRATEGIES: [Strategy; 3] =
    [Strategy::Balanced, Strategy::Cheapest, Strategy::Fast];

/// The name on the wire.
pub(super) const fn label(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Cheapest => "cheapest",
        Strategy::Balanced => "balanced",
        Strategy::Fast => "fast",
    }
}

/// Shares of the strategies, in the order of [`STRATEGIES`]; they need not add up to a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix([u32; 3]);

impl Mix {
    /// What a shop's customers might choose.
    pub(super) const USUAL: Self = Self([70, 20, 10]);
    /// Everybody is asked, and everybody's answer is waited for.
    pub(super) const ONLY_CHEAPEST: Self = Self([0, 1, 0]);

    pub(super) fn draw(self, dice: &mut impl Rng) -> Strategy {
        let mut left = dice.random_range(0..self.0.iter().sum::<u32>());
        for (strategy, share) in STRATEGIES.into_iter().zip(self.0) {
            if left < share {
                return strategy;
            }
            left -= share;
        }
        STRATEGIES[0]
    }
}

impl FromStr for Mix {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut shares = [0; 3];
        for part in text.split(',') {
            let (name, share) = part.split_once('=').unwrap_or((part, "1"));
            let index = STRATEGIES.iter().position(|strategy| label(*strategy) == name.trim());
            let index = index.with_context(|| format!("{name} is no strategy"))?;
            shares[index] =
                share.trim().parse::<u16>().with_context(|| format!("the share of {name}"))?.into();
        }
        anyhow::ensure!(shares.iter().any(|share| *share > 0), "all shares are 0");
        Ok(Self(shares))
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = STRATEGIES.into_iter().zip(self.0).filter(|(_, share)| *share > 0);
        for (n, (strategy, share)) in named.enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{}={share}", label(strategy))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn one_name_is_a_mix_and_unknown_names_and_no_shares_are_refused() {
        assert_eq!("cheapest".parse::<Mix>().unwrap(), Mix([0, 1, 0]));
        assert_eq!("balanced=70,cheapest=20,fast=10".parse::<Mix>().unwrap(), Mix::USUAL);
        assert_eq!(Mix::USUAL.to_string().parse::<Mix>().unwrap(), Mix::USUAL);
        for wrong in ["quick", "fast=x", "fast=0", ""] {
            assert!(wrong.parse::<Mix>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn strategies_are_drawn_as_often_as_their_shares_say() {
        let mut dice = ChaCha8Rng::seed_from_u64(1);
        let drawn: Vec<Strategy> = (0..10_000).map(|_| Mix::USUAL.draw(&mut dice)).collect();
        let share = |of| drawn.iter().filter(|one| **one == of).count();
        assert!((6_800..7_200).contains(&share(Strategy::Balanced)));
        assert!((800..1_200).contains(&share(Strategy::Fast)));
    }
}
