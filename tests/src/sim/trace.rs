//! A running hash over everything that happened: two runs of the same choices must agree on it.

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a over words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(OFFSET)
    }
}

impl Trace {
    pub fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(PRIME).rotate_left(23);
    }

    /// Length, beginning and end; the whole is covered by the hash chain of the store.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in [bytes.first_chunk::<8>(), bytes.last_chunk::<8>()].into_iter().flatten() {
            self.word(u64::from_le_bytes(*chunk));
        }
    }

    pub fn value(self) -> u64 {
        self.0
    }
}
