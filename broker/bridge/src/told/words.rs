//! News in words, for people.

use std::fmt;

use super::{HoldNews, OrderNews};

impl fmt::Display for OrderNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed { order_id, total } => write!(f, "confirmed as {order_id} for {total}"),
            Self::Canceled { order_id: Some(order_id) } => write!(f, "{order_id} is canceled"),
            Self::Canceled { order_id: None } => f.write_str("canceled"),
            Self::Pending { .. } => f.write_str("taken, the outcome follows"),
            Self::Refused { reason, is_final: true } => write!(f, "refused for good: {reason}"),
            Self::Refused { reason, is_final: false } => write!(f, "refused: {reason}"),
            Self::NotFound => f.write_str("not found"),
            Self::TooMany(wait) => write!(f, "too many calls, again in {} ms", wait.as_ms()),
            Self::Unknown(why) => write!(f, "nothing is known: {why}"),
        }
    }
}

impl fmt::Display for HoldNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved { reservation_id, valid_until } => {
                write!(f, "held as {reservation_id} until {valid_until}")
            }
            Self::Released => f.write_str("released"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::NotFound => f.write_str("not found"),
            Self::TooMany(wait) => write!(f, "too many calls, again in {} ms", wait.as_ms()),
            Self::Unknown(why) => write!(f, "nothing is known: {why}"),
        }
    }
}
