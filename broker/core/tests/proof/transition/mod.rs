//! Every handler of the transition function, as sentences. Each assertion shows the whole
//! transition: rows, head, timers and all effects in order.

mod cancel;
mod capture;
mod checkout;
mod compensation;
mod create;
mod fence;
mod frozen;
mod lapse;
mod operator;
mod order_undone;
mod payment;
mod placement;
mod search;
mod unknown;
mod update;
