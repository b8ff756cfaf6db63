//! Chance that replays. Each partner has its own seed, and every question asked of chance has its
//! own ChaCha stream, named by a salt (what is drawn) and a subject (for whom). A draw therefore
//! depends neither on what was drawn before nor on the order in which messages arrive, and adding
//! a fault disturbs no other draw.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use schemas::Digest;

use crate::fault::{Fault, Permille};

/// What a draw decides, besides faults (whose salts are their numbers).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Salt {
    Latency = 101,
    ReorderBy = 102,
    DuplicateAfter = 103,
    Visible = 104,
    Condition = 106,
    OnHand = 107,
    Carried = 108,
}

/// Which kind of message is drawn for; lanes do not share streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Quote = 1,
    Command = 2,
    Payment = 3,
}

/// The subject of a draw, usually a key and the number of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roll(u64);

impl Roll {
    pub(crate) fn of_text(text: &str, copy: u64) -> Self {
        Self(mix(fnv1a(text.as_bytes()), copy))
    }

    pub(crate) fn of_numbers(a: u64, b: u64) -> Self {
        Self(mix(a, b))
    }
}

/// The chance of one partner or provider.
#[derive(Debug, Clone)]
pub struct Dice {
    seed: [u8; 32],
    fixed: u64,
}

impl Dice {
    /// `owner` separates partners that share a world seed.
    pub fn new(seed: u64, owner: &str) -> Self {
        let digest = Digest::of(format!("partner-sim/{seed}/{owner}").as_bytes());
        Self { seed: *digest.as_bytes(), fixed: mix(seed, fnv1a(owner.as_bytes())) }
    }

    /// Whether a fault strikes. `NEVER` costs nothing.
    pub(crate) fn strikes(&self, lane: Lane, fault: Fault, roll: Roll, chance: Permille) -> bool {
        !chance.is_never() && self.draw(lane, fault.salt(), roll) % 1000 < u64::from(chance.get())
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub(crate) fn below(&self, lane: Lane, salt: Salt, roll: Roll, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.draw(lane, salt as u64, roll) % bound }
    }

    /// A lasting fact about a subject (the price level of a book, say): cheap, always the same.
    pub(crate) fn fact(&self, salt: Salt, subject: u64) -> u64 {
        mix(self.fixed ^ (salt as u64), subject)
    }

    // The bias of `%` on 64 random bits is far below one permille.
    fn draw(&self, lane: Lane, salt: u64, roll: Roll) -> u64 {
        let mut stream = ChaCha8Rng::from_seed(self.seed);
        stream.set_stream(mix(roll.0, (lane as u64) << 32 | salt));
        stream.next_u64()
    }
}

/// Two numbers into one, well spread (the finaliser of SplitMix64). Stable across platforms.
pub(crate) const fn mix(a: u64, b: u64) -> u64 {
    let mut z = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_does_not_depend_on_other_draws() {
        let dice = Dice::new(7, "alpha");
        let roll = Roll::of_text("key", 1);
        let alone = dice.below(Lane::Command, Salt::Latency, roll, 1 << 40);
        dice.strikes(Lane::Command, Fault::Lost, roll, Permille::new(500));
        assert_eq!(alone, dice.below(Lane::Command, Salt::Latency, roll, 1 << 40));
    }

    #[test]
    fn partners_of_one_seed_have_different_luck() {
        let roll = Roll::of_text("key", 1);
        let of = |owner: &str| Dice::new(7, owner).below(Lane::Quote, Salt::Latency, roll, 1 << 40);
        assert_ne!(of("alpha"), of("beta"));
    }

    #[test]
    fn a_fault_strikes_about_as_often_as_its_permille_says() {
        let dice = Dice::new(7, "alpha");
        let hits = (0..10_000)
            .filter(|n| {
                let roll = Roll::of_numbers(*n, 0);
                dice.strikes(Lane::Quote, Fault::Silent, roll, Permille::new(100))
            })
            .count();
        assert!((850..1150).contains(&hits), "{hits} of 10,000 at 100 permille");
    }
}
