//! The limits of what is asked, as machines of their own: integers only, `now` as an argument.

pub mod board;
pub mod breaker;
pub mod concurrency;
pub mod gcra;
pub mod ladder;
pub mod load;
pub mod retry_budget;
