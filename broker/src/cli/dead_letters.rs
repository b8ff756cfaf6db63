//! `broker dead-letters`: what the broker gave up, and what to do with it.

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use bytes::Bytes;
use clap::Subcommand;
use comfy_table::Cell;
use schemas::event::{DeadLetter, DeadPayload};
use schemas::stream::{name, of_subject};
use schemas::subject::AdminOperation;
use schemas::text::Text;
use schemas::{RejectReason, Timestamp, json};
use serde::Serialize;

use super::connect::{Connect, Session};
use super::error::CliError;
use super::incidents::{Who, ask, text};
use super::out;
use super::values::wire_name;
use crate::operator::letters::{DropDeadLetter, DropReply, Dropped};

/// Deleted letters leave gaps; so many of them are passed over for one list.
const GAP_MAX: u64 = 10_000;
/// Most characters of a detail in a list.
const DETAIL_CHARS_MAX: usize = 80;

#[derive(Debug, Subcommand)]
pub(super) enum DeadLetters {
    /// The newest ones.
    List {
        /// Most letters shown.
        #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
        limit: usize,
        /// Only with this reason, such as field_invalid.
        #[arg(long, value_parser = wire_name::<RejectReason>)]
        reason: Option<RejectReason>,
        #[command(flatten)]
        how: How,
    },
    /// One of them, with the original bytes and headers.
    Show {
        /// Its number in the list.
        number: u64,
        #[command(flatten)]
        how: How,
    },
    /// Publishes the original once more on its own subject. It goes the normal way: what was done
    /// before is not done again, and what is still wrong becomes a new letter.
    Replay {
        /// Their numbers in the list.
        #[arg(required = true)]
        numbers: Vec<u64>,
        /// Drop each letter once its original is stored again; then say who and why.
        #[arg(long, requires_all = ["actor", "reason"])]
        drop: bool,
        /// Who answers for dropping it.
        #[arg(long, env = "BROKER_ACTOR", value_name = "NAME", value_parser = text::<100>)]
        actor: Option<Text<100>>,
        /// Why it may be dropped.
        #[arg(long, value_name = "TEXT", value_parser = text::<500>)]
        reason: Option<Text<500>>,
        #[command(flatten)]
        how: How,
    },
    /// Lets the serving broker delete letters for ever. What each was about, who dropped it and why
    /// stands in the audit log before the letter goes. Safe to repeat.
    Drop {
        /// Their numbers in the list.
        #[arg(required = true)]
        numbers: Vec<u64>,
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct How {
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// A letter and its place in the stream.
#[derive(Debug, Serialize)]
struct Numbered {
    number: u64,
    /// When it was given up; `received_at` is when it was first seen.
    last_seen: Timestamp,
    #[serde(flatten)]
    letter: DeadLetter,
}

impl DeadLetters {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { limit, reason, how } => {
                let desk = Desk::open(&how).await?;
                let letters = desk.newest(limit, reason).await?;
                Ok(desk.session.out.show(&letters, |letters| table(letters))?)
            }
            Self::Show { number, how } => {
                let desk = Desk::open(&how).await?;
                let letter = desk.letter(number).await?;
                Ok(desk.session.out.show(&letter, sheet)?)
            }
            Self::Replay { numbers, drop, actor, reason, how } => {
                let desk = Desk::open(&how).await?;
                let who = actor.zip(reason).filter(|_| drop);
                let who = who.map(|(actor, reason)| Who { actor, reason });
                for number in numbers {
                    desk.replay(number).await?;
                    if let Some(who) = &who {
                        forget(&desk.session, number, who).await?;
                    }
                }
                Ok(())
            }
            Self::Drop { numbers, who, how } => {
                let session = how.connect.session(how.json).await?;
                for number in numbers {
                    forget(&session, number, &who).await?;
                }
                Ok(())
            }
        }
    }
}

struct Desk {
    session: Session,
    stream: Stream,
}

impl Desk {
    async fn open(how: &How) -> anyhow::Result<Self> {
        let session = how.connect.session(how.json).await?;
        let stream = session.jetstream().get_stream(name::DEAD_LETTERS).await;
        let stream = stream.map_err(|e| session.failed("open the stream of dead letters", e))?;
        Ok(Self { session, stream })
    }

    async fn newest(
        &self,
        limit: usize,
        reason: Option<RejectReason>,
    ) -> Result<Vec<Numbered>, CliError> {
        let state = &self.stream.cached_info().state;
        let (mut letters, mut gap) = (Vec::new(), 0);
        for number in (state.first_sequence.max(1)..=state.last_sequence).rev() {
            if letters.len() == limit || gap == GAP_MAX {
                break;
            }
            match self.find(number).await? {
                Some(letter) if reason.is_none_or(|reason| letter.letter.reason == reason) => {
                    letters.push(letter);
                }
                Some(_) => {}
                None => gap += 1,
            }
        }
        Ok(letters)
    }

    async fn letter(&self, number: u64) -> Result<Numbered, CliError> {
        self.find(number).await?.ok_or_else(|| CliError::NotFound {
            doing: format!("find dead letter {number}"),
            what: "a letter of that number".to_owned(),
            next: "`broker dead-letters list` shows those there are".to_owned(),
        })
    }

    async fn find(&self, number: u64) -> Result<Option<Numbered>, CliError> {
        let doing = || format!("read dead letter {number}");
        match self.stream.get_raw_message(number).await {
            Ok(message) => {
                let letter = json::decode(&message.payload, usize::MAX);
                let letter = letter.map_err(|e| self.session.failed(doing(), e))?;
                let ms = message.time.unix_timestamp_nanos() / 1_000_000;
                let last_seen = Timestamp::from_unix_ms(u64::try_from(ms).unwrap_or(0));
                Ok(Some(Numbered { number, last_seen, letter }))
            }
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(self.session.failed(doing(), error)),
        }
    }

    async fn replay(&self, number: u64) -> anyhow::Result<()> {
        let letter = self.letter(number).await?.letter;
        let body = original(number, &letter)?;
        let subject = letter.subject.clone();
        let doing = || format!("replay dead letter {number} on {subject}");
        let headers = headers(number, &letter);
        if of_subject(&subject).is_some() {
            let jetstream = self.session.jetstream();
            let stored = jetstream.publish_with_headers(subject.clone(), headers, body).await;
            let stored = stored.map_err(|e| self.session.failed(doing(), e))?;
            stored.await.map_err(|e| self.session.failed(doing(), e))?;
        } else {
            let sent = self.session.client.publish_with_headers(subject.clone(), headers, body);
            sent.await.map_err(|e| self.session.failed(doing(), e))?;
            self.session.client.flush().await.map_err(|e| self.session.failed(doing(), e))?;
        }
        let done = serde_json::json!({ "replayed": number, "subject": subject });
        Ok(self.session.out.next(&done, |_| format!("{number} published on {subject}"))?)
    }
}

async fn forget(session: &Session, number: u64, who: &Who) -> anyhow::Result<()> {
    let doing = format!("drop dead letter {number}");
    let Who { actor, reason } = who.clone();
    let word = DropDeadLetter { number, actor, reason };
    match ask(session, AdminOperation::DropDeadLetter, &doing, &word).await? {
        DropReply::Dropped(done) => Ok(session.out.next(&done, |done| {
            let Dropped { dropped, actor, said_at, .. } = done;
            format!("{dropped} dropped by {actor} at {said_at}")
        })?),
        DropReply::Rejected(problem) => {
            Err(CliError::Refused { doing, problem: problem.into() }.into())
        }
    }
}

/// The bytes as they came, or why they cannot be had.
fn original(number: u64, letter: &DeadLetter) -> Result<Bytes, CliError> {
    let cannot = |why| CliError::Usage(format!("dead letter {number} cannot be replayed: {why}"));
    letter.original().map(Bytes::from).map_err(cannot)
}

fn headers(number: u64, letter: &DeadLetter) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in letter.replayed_headers(number) {
        headers.insert(name, value);
    }
    headers
}

fn table(letters: &[Numbered]) -> String {
    if letters.is_empty() {
        return "no dead letters".to_owned();
    }
    let mut table = out::table(["NUMBER", "RECEIVED", "REASON", "SUBJECT", "BYTES", "DETAIL"]);
    for Numbered { number, letter, .. } in letters {
        let mut detail: String = letter.detail.chars().take(DETAIL_CHARS_MAX).collect();
        if detail.len() < letter.detail.len() {
            detail.push('…');
        }
        table.add_row([
            Cell::new(number),
            Cell::new(letter.received_at),
            Cell::new(letter.reason.label()),
            Cell::new(&letter.subject),
            Cell::new(letter.payload_bytes),
            Cell::new(detail),
        ]);
    }
    out::trimmed(&table)
}

fn sheet(numbered: &Numbered) -> String {
    let Numbered { number, last_seen, letter } = numbered;
    let reason = format!("{} ({})", letter.reason.label(), letter.reason.number());
    let mut rows = vec![
        ("number", Cell::new(number)),
        ("reason", Cell::new(reason)),
        ("detail", Cell::new(&letter.detail)),
        ("first seen", Cell::new(letter.received_at)),
        ("last seen", Cell::new(last_seen)),
        ("stream", Cell::new(&letter.stream)),
        ("subject", Cell::new(&letter.subject)),
        ("bytes", Cell::new(letter.payload_bytes)),
    ];
    for (name, value) in &letter.headers {
        rows.push(("header", Cell::new(format!("{name}: {value}"))));
    }
    let body = match &letter.payload {
        DeadPayload::Text(text) => text.clone(),
        DeadPayload::Base64(text) => format!("(base64) {text}"),
        DeadPayload::Withheld => "(withheld: it holds what looks like a card number)".to_owned(),
    };
    format!("{}\n\n{body}", out::sheet(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(payload: &[u8], headers: &[(&'static str, &'static str)]) -> DeadLetter {
        let about = ("PURCHASE_CREATES", "subject");
        let why = (RejectReason::Malformed, "no JSON".to_owned());
        DeadLetter::new(about, why, Timestamp::ZERO, payload, headers.iter().copied())
    }

    #[test]
    fn the_original_bytes_come_back_whatever_they_were() {
        for bytes in [&b"{oops"[..], &[0xff, 0, 7]] {
            assert_eq!(original(1, &letter(bytes, &[])).unwrap(), bytes);
        }
    }

    #[test]
    fn what_was_not_kept_whole_is_not_replayed() {
        let long = vec![b'x'; schemas::event::DEAD_PAYLOAD_BYTES_MAX + 1];
        let cut = original(7, &letter(&long, &[])).unwrap_err().to_string();
        assert!(cut.starts_with("dead letter 7") && cut.contains("its beginning"), "{cut}");
        let card = original(8, &letter(b"4111111111111111", &[])).unwrap_err().to_string();
        assert!(card.contains("card number"), "{card}");
    }

    #[test]
    fn a_replay_is_no_copy_to_the_server() {
        let letter = letter(b"x", &[("Nats-Msg-Id", "1"), ("traceparent", "00-1")]);
        let headers = headers(9, &letter);
        assert!(headers.get("Nats-Msg-Id").is_none());
        assert_eq!(headers.get("traceparent").unwrap().as_str(), "00-1");
        assert_eq!(headers.get("Broker-Replay-Of").unwrap().as_str(), "9");
    }
}
