//! The machines of overload control, each alone.

mod admission;
mod breaker;
mod concurrency;
mod gcra;
mod ladder;
mod retry_budget;
