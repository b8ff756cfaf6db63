//! The messages of a run, sorted once by what they are.

use std::collections::BTreeMap;

use broker_core::request::Version;
use schemas::event::DeadLetter;
use schemas::subject::{PartnerReplyKind, parse_partner_reply, parse_payment_reply};
use schemas::{PartnerId, RequestId, json, stream};

use super::{Case, Evidence};
use crate::auditor::{Seen, peek};

/// What no single case owns.
#[derive(Default)]
pub(in crate::auditor) struct Mail<'a> {
    /// Messages in the broker's own streams under an id that its store never gives.
    pub(in crate::auditor) strays: Vec<&'a Seen>,
    /// Creates as the stream keeps them.
    pub(in crate::auditor) creates: Vec<&'a Seen>,
    /// Answers of stores and provider in their streams that name no request or attempt, or that
    /// went to a partition that nobody serves.
    pub(in crate::auditor) mumbled: Vec<&'a Seen>,
    /// Answers in their streams.
    pub(in crate::auditor) replies: usize,
    /// Live and queued offers, with who sent them.
    pub(in crate::auditor) quotes: Vec<(PartnerId, &'a Seen)>,
    /// Everything else outside streams: questions, calls of the micro service.
    pub(in crate::auditor) others: Vec<&'a Seen>,
    pub(in crate::auditor) letters: Vec<Letter<'a>>,
    /// Dead letters that no type can read.
    pub(in crate::auditor) illegible: Vec<&'a Seen>,
    /// Last sequence seen of each stream.
    pub(in crate::auditor) last: BTreeMap<&'static str, u64>,
}

pub(in crate::auditor) struct Letter<'a> {
    pub(in crate::auditor) seen: &'a Seen,
    pub(in crate::auditor) letter: DeadLetter,
}

/// A message under an id of the broker's store.
pub(in crate::auditor) struct Posted<'a> {
    pub(in crate::auditor) seen: &'a Seen,
    pub(in crate::auditor) version: Version,
    pub(in crate::auditor) index: usize,
    /// Place among all messages of the run.
    pub(in crate::auditor) nth: usize,
}

impl<'a> Mail<'a> {
    pub(super) fn sort(evidence: &'a Evidence, cases: &mut BTreeMap<RequestId, Case<'a>>) -> Self {
        let incarnation = evidence.incarnation.to_string();
        let mut mail = Self::default();
        for (nth, seen) in evidence.messages.iter().enumerate() {
            let Some((stream, sequence)) = seen.stored else {
                mail.outside(seen);
                continue;
            };
            let last = mail.last.entry(stream).or_default();
            *last = sequence.max(*last);
            match stream {
                stream::name::PARTNER_COMMANDS
                | stream::name::PAYMENT_COMMANDS
                | stream::name::PURCHASE_EVENTS
                | stream::name::NOTIFICATIONS => match id(&incarnation, seen) {
                    Some((request, version, index)) => {
                        let posted = Posted { seen, version, index, nth };
                        cases.entry(request).or_default().posted.push(posted);
                    }
                    None => mail.strays.push(seen),
                },
                stream::name::PARTNER_REPLIES => mail.partner(seen, cases),
                stream::name::PAYMENT_REPLIES => match parse_payment_reply(&seen.subject) {
                    Some(_) => mail.spoken(None, seen, cases),
                    None => mail.mumbled.push(seen),
                },
                stream::name::PURCHASE_CREATES => mail.creates.push(seen),
                stream::name::DEAD_LETTERS => match json::decode(&seen.body, usize::MAX) {
                    Ok(letter) => mail.letters.push(Letter { seen, letter }),
                    Err(_) => mail.illegible.push(seen),
                },
                stream::name::PARTNER_QUOTES => mail.others.push(seen),
                _ => {}
            }
        }
        for case in cases.values_mut() {
            case.posted.sort_by_key(|posted| (posted.version, posted.index, posted.nth));
        }
        mail
    }

    fn outside(&mut self, seen: &'a Seen) {
        match parse_partner_reply(&seen.subject) {
            Some((partner, PartnerReplyKind::Quote | PartnerReplyKind::QuoteQueued)) => {
                self.quotes.push((partner, seen));
            }
            Some(_) | None => self.others.push(seen),
        }
    }

    fn partner(&mut self, seen: &'a Seen, cases: &mut BTreeMap<RequestId, Case<'a>>) {
        match parse_partner_reply(&seen.subject) {
            Some((partner, PartnerReplyKind::QuoteQueued)) => self.quotes.push((partner, seen)),
            Some((partner, _)) => self.spoken(Some(partner), seen, cases),
            None => self.mumbled.push(seen),
        }
    }

    fn spoken(
        &mut self,
        who: Option<PartnerId>,
        seen: &'a Seen,
        cases: &mut BTreeMap<RequestId, Case<'a>>,
    ) {
        self.replies += 1;
        match about(&seen.body) {
            Some((request, attempt)) => {
                let spoken = &mut cases.entry(request).or_default().spoken;
                if !spoken.iter().any(|(said, of)| *of == attempt && *said == who) {
                    spoken.push((who, attempt));
                }
            }
            None => self.mumbled.push(seen),
        }
    }
}

/// Request and attempt that an answer speaks of.
fn about(body: &[u8]) -> Option<(RequestId, u8)> {
    let request = RequestId::parse(peek::text(body, "\"request_id\":")?).ok()?;
    Some((request, u8::try_from(peek::number(body, "\"attempt\":")?).ok()?))
}

/// Request, version and index of `<incarnation>-<request>-<version>-<index>`.
fn id(incarnation: &str, seen: &Seen) -> Option<(RequestId, Version, usize)> {
    let rest = seen.message_id.as_deref()?.strip_prefix(incarnation)?.strip_prefix('-')?;
    let (rest, index) = rest.rsplit_once('-')?;
    let (request, version) = rest.rsplit_once('-')?;
    let request = RequestId::parse(request).ok()?;
    Some((request, Version(version.parse().ok()?), index.parse().ok()?))
}
