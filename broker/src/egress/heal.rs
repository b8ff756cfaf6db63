//! Whether a stream still has what it acknowledged.
//!
//! A server can lose the tail of a stream (power cut without sync, a damaged file) or the whole
//! stream, and then gives its sequence numbers out again. What we published is still in the
//! outbox, so the place up to which the rows of that stream are settled is moved back and the lost
//! part is read from the store and sent again, while the other streams go on.

use crate::store::StreamMark;

/// What the server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub created_unix_ns: i128,
    pub last_sequence: u64,
    /// `Nats-Msg-Id` of the message at the marked sequence; `None` if there is no such message
    /// (any more), which proves nothing: streams discard old messages.
    pub id_at_mark: Option<String>,
    /// Outbox cursor in the headers of the stream's last message: its rows up to there had been
    /// acknowledged before.
    pub last_cursor: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Everything acknowledged is there, as far as can be seen.
    Intact,
    /// Rows after this one may be missing.
    Lost { what: &'static str, resume_after: u64 },
}

/// Compares a stream with what is known of it.
pub fn judge(mark: Option<&StreamMark>, seen: &Seen) -> Finding {
    let Some(mark) = mark else {
        return Finding::Intact;
    };
    if mark.created_unix_ns != seen.created_unix_ns {
        return Finding::Lost { what: "recreated", resume_after: 0 };
    }
    let resume_after = seen.last_cursor.unwrap_or(0);
    if seen.last_sequence < mark.sequence {
        return Finding::Lost { what: "shorter", resume_after };
    }
    match (&mark.message_id, &seen.id_at_mark) {
        (Some(known), Some(found)) if known != found => {
            // The number was given out again, so what came after it is not ours either.
            Finding::Lost { what: "renumbered", resume_after: 0 }
        }
        _ => Finding::Intact,
    }
}

/// What happened to a stream that others write to; there is nothing of it in the outbox. `last` is
/// its last sequence, `read` how far it was read before.
pub fn judge_source(
    mark: Option<&StreamMark>,
    created_unix_ns: i128,
    last: u64,
    read: u64,
) -> Option<&'static str> {
    let mark = mark?;
    if mark.created_unix_ns != created_unix_ns {
        return Some("recreated");
    }
    (last < mark.sequence.max(read)).then_some("shorter")
}

#[cfg(test)]
mod tests {
    use smol_str::SmolStr;

    use super::*;
    use crate::store::OutboxSeq;

    #[test]
    fn a_stream_that_grew_or_discarded_old_messages_is_intact() {
        assert_eq!(judge(None, &seen()), Finding::Intact);
        assert_eq!(judge(Some(&mark()), &seen()), Finding::Intact);
        let discarded = Seen { id_at_mark: None, ..seen() };
        assert_eq!(judge(Some(&mark()), &discarded), Finding::Intact);
    }

    #[test]
    fn a_stream_with_another_birthday_is_filled_from_the_beginning() {
        let other = Seen { created_unix_ns: 9, ..seen() };
        let lost = Finding::Lost { what: "recreated", resume_after: 0 };
        assert_eq!(judge(Some(&mark()), &other), lost);
    }

    #[test]
    fn a_shorter_stream_is_filled_from_where_its_last_message_was_sent() {
        let shorter = Seen { last_sequence: 40, last_cursor: Some(77), ..seen() };
        let lost = Finding::Lost { what: "shorter", resume_after: 77 };
        assert_eq!(judge(Some(&mark()), &shorter), lost);
        let empty = Seen { last_sequence: 0, last_cursor: None, ..seen() };
        let lost = Finding::Lost { what: "shorter", resume_after: 0 };
        assert_eq!(judge(Some(&mark()), &empty), lost);
    }

    #[test]
    fn another_message_under_a_known_number_is_a_loss() {
        let reused = Seen { id_at_mark: Some("other".to_owned()), ..seen() };
        let lost = Finding::Lost { what: "renumbered", resume_after: 0 };
        assert_eq!(judge(Some(&mark()), &reused), lost);
    }

    #[test]
    fn a_source_that_ends_before_what_was_read_has_lost_messages() {
        let lost = |created, last, read| judge_source(Some(&mark()), created, last, read);
        assert_eq!(lost(5, 50, 40), None);
        assert_eq!(lost(5, 49, 40), Some("shorter"));
        assert_eq!(lost(5, 55, 60), Some("shorter"));
        assert_eq!(lost(6, 90, 0), Some("recreated"));
        assert_eq!(judge_source(None, 5, 0, 0), None);
    }

    fn mark() -> StreamMark {
        StreamMark {
            stream: SmolStr::new("A"),
            created_unix_ns: 5,
            sequence: 50,
            message_id: Some(SmolStr::new("1-r-2-0")),
            outbox: Some(OutboxSeq(80)),
            settled: Some(OutboxSeq(79)),
        }
    }

    fn seen() -> Seen {
        Seen {
            created_unix_ns: 5,
            last_sequence: 60,
            id_at_mark: Some("1-r-2-0".to_owned()),
            last_cursor: Some(85),
        }
    }
}
