//! Answers to a partition that nobody serves. Streams keep the answers to all of them, so each has
//! to be given up by name: one that nobody reads would be neither used nor told.

use super::{PARTITION, is_answer};

/// Digits of a partition that are worth repeating.
const DIGITS_MAX: usize = 10;

/// Where an answer went, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// As the sender wrote it; absent if it is no number.
    pub partition: Option<String>,
    /// The subject that is read.
    pub here: String,
}

/// `None` for an answer to the partition that is served, and for whatever is no answer.
pub fn elsewhere(subject: &str) -> Option<Elsewhere> {
    if !is_answer(subject) {
        return None;
    }
    let mut tokens: Vec<&str> = subject.split('.').collect();
    let partition = std::mem::replace(tokens.get_mut(3)?, PARTITION);
    if partition == PARTITION {
        return None;
    }
    let is_number =
        partition.len() <= DIGITS_MAX && partition.bytes().all(|byte| byte.is_ascii_digit());
    let partition = is_number.then(|| partition.to_owned());
    Some(Elsewhere { partition, here: tokens.join(".") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_another_partition_is_told_where_it_belongs() {
        for (subject, partition, here) in [
            ("partner.acme.reply.7.place", Some("7"), "partner.acme.reply.0.place"),
            ("partner.acme.reply.00.notice", Some("00"), "partner.acme.reply.0.notice"),
            ("payment.sim.reply.12.void", Some("12"), "payment.sim.reply.0.void"),
            ("partner.acme.reply.x.place", None, "partner.acme.reply.0.place"),
            ("payment.sim.reply.4111111111111111.void", None, "payment.sim.reply.0.void"),
        ] {
            let partition = partition.map(str::to_owned);
            let here = here.to_owned();
            assert_eq!(elsewhere(subject), Some(Elsewhere { partition, here }), "{subject}");
        }
    }

    #[test]
    fn what_is_read_and_what_is_no_answer_is_not_elsewhere() {
        for subject in [
            "partner.acme.reply.0.place",
            "payment.sim.reply.0.void",
            // Live quotes are kept by no stream.
            "partner.acme.reply.7.quote",
            "partner.acme.reply.7.place.x",
            "partner.acme.place",
            "purchase.create.reply",
        ] {
            assert_eq!(elsewhere(subject), None, "{subject}");
        }
    }
}
