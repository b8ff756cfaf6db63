//! The engine: what it sequences, asks and answers, with synthetic partners and a store in memory.

mod answers;
mod calls;
mod copies;
mod durability;
mod hedging;
mod holds;
mod in_hand;
mod keeping;
mod lateness;
mod learning;
mod market;
mod memory;
mod overload;
mod planning;
mod put_off;
mod receipts;
mod remembering;
mod repeats;
mod rig;
mod sharing;
mod showing_load;
mod soak;
mod steering;
mod strategy;
mod update;
mod worth;
