//! Quote questions to partners and the answers of live ones, on core NATS: losing a message here
//! costs a retry, not money. Answers of all partners come to one subscription; the subject of each
//! says who speaks.

pub mod asked;
pub mod listen;
pub mod send;
