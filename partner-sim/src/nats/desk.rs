//! Where messages meet the stores: handle in memory, queue the records for the file in the same
//! order, sort the answers into "now" and "later".

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use schemas::id::Key;
use schemas::partner::QuoteRequests;
use schemas::{PartnerId, Timestamp};
use tokio::sync::oneshot;

use super::audit::Questions;
use super::journal::{Journal, Later, Line};
use crate::delivery::Scheduled;
use crate::ledger::LedgerEntry;
use crate::partner::{Partner, PartnerAnswer, PartnerRequest};
use crate::payment::{PaymentProvider, PaymentRequest};
use crate::world::World;

/// A message ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) subject: String,
    /// With an id it goes through JetStream, without one it is a live quote.
    pub(crate) message_id: Option<String>,
    pub(crate) body: Bytes,
}

/// An answer whose instant has not come; it is in the file under this number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delayed {
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) message: Outgoing,
}

/// What handling a command came to.
pub(crate) struct Handled {
    /// Told once the records are on disk.
    pub(crate) synced: oneshot::Receiver<()>,
    pub(crate) now: Vec<Outgoing>,
    pub(crate) later: Vec<Delayed>,
}

/// Names a record in the order of appearance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Order(PartnerId, Key),
    Reservation(PartnerId, Key),
    Payment(Key),
}

/// Records in the order in which they first appeared: pages of a growing ledger stay stable.
#[derive(Default)]
struct Index {
    seen: HashSet<Name>,
    partners: Vec<Name>,
    payments: Vec<Name>,
}

pub(crate) struct Desk {
    partners: BTreeMap<PartnerId, Mutex<Partner>>,
    /// Partners that do not listen on NATS.
    elsewhere: BTreeSet<PartnerId>,
    provider: Mutex<PaymentProvider>,
    index: Mutex<Index>,
    journal: Journal,
    next_number: AtomicU64,
    question_messages: AtomicU64,
    question_items: AtomicU64,
}

impl Desk {
    /// Puts earlier records back; returns the answers that an earlier life still owed.
    pub(super) fn new(
        mut world: World,
        journal: Journal,
        lines: Vec<Line>,
        elsewhere: BTreeSet<PartnerId>,
    ) -> (Self, Vec<Delayed>) {
        let mut owed = BTreeMap::new();
        let mut records = Vec::new();
        let mut index = Index::default();
        let mut next_number = 1;
        for line in lines {
            match line {
                Line::Record(record) => {
                    index.add(&record);
                    records.push(record);
                }
                Line::Later(later) => {
                    next_number = next_number.max(later.number + 1);
                    owed.insert(later.number, later);
                }
                Line::Sent { number } => {
                    owed.remove(&number);
                }
            }
        }
        let strangers = world.restore(records);
        if strangers > 0 {
            tracing::warn!(strangers, "the ledger file has records of partners not configured now");
        }
        world.track_changes();
        let lock = |(id, partner)| (id, Mutex::new(partner));
        let desk = Self {
            partners: world.partners.into_iter().map(lock).collect(),
            elsewhere,
            provider: Mutex::new(world.provider),
            index: Mutex::new(index),
            journal,
            next_number: AtomicU64::new(next_number),
            question_messages: AtomicU64::default(),
            question_items: AtomicU64::default(),
        };
        (desk, owed.into_values().map(Delayed::from).collect())
    }

    /// Whether it is to be heard on NATS.
    pub(crate) fn has_partner(&self, id: &PartnerId) -> bool {
        self.partners.contains_key(id) && !self.elsewhere.contains(id)
    }

    /// Live quotes: no record, no file. `None` if there is no such partner here.
    pub(crate) fn quote(
        &self,
        id: &PartnerId,
        questions: QuoteRequests,
        now: Timestamp,
    ) -> Option<Vec<Scheduled<PartnerAnswer>>> {
        let mut partner = lock(self.partners.get(id)?);
        self.question_messages.fetch_add(1, Ordering::Relaxed);
        self.question_items.fetch_add(questions.items.len() as u64, Ordering::Relaxed);
        Some(partner.handle(PartnerRequest::Quote(questions), now))
    }

    /// How many live quotes were asked for.
    pub(crate) fn questions(&self) -> Questions {
        Questions {
            messages: self.question_messages.load(Ordering::Relaxed),
            items: self.question_items.load(Ordering::Relaxed),
        }
    }

    /// A command, or a queued quote. `None` if there is no such partner here.
    pub(crate) fn partner(
        &self,
        id: &PartnerId,
        request: PartnerRequest,
        now: Timestamp,
    ) -> Option<Handled> {
        let mut partner = lock(self.partners.get(id)?);
        let answers = partner.handle(request, now).into_iter().map(|answer| {
            let PartnerAnswer { subject, message_id, message } = answer.value;
            let body = Bytes::from(message.encode());
            (answer.at, Outgoing { subject, message_id, body })
        });
        let changes = partner.take_changes();
        // Queued while the partner is locked, so that the file has the same order as the memory.
        Some(self.record(changes, answers, now))
    }

    pub(crate) fn payment(&self, request: PaymentRequest, now: Timestamp) -> Handled {
        let mut provider = lock(&self.provider);
        let answers = provider.handle(request, now).into_iter().map(|answer| {
            let body = Bytes::from(schemas::json::encode(&answer.value.reply));
            let message_id = Some(answer.value.message_id);
            (answer.at, Outgoing { subject: answer.value.subject, message_id, body })
        });
        let changes = provider.take_changes();
        self.record(changes, answers, now)
    }

    /// A delayed answer was published; the next life need not repeat it.
    pub(crate) fn sent(&self, number: u64) {
        self.journal.note(&[Line::Sent { number }]);
    }

    /// Waits until everything handled so far is on disk.
    pub(crate) fn barrier(&self) -> oneshot::Receiver<()> {
        self.journal.append(&[])
    }

    /// Records `offset..offset + limit` of orders and reservations, and how many there are.
    pub(crate) fn partner_records(&self, offset: usize, limit: usize) -> (Vec<LedgerEntry>, usize) {
        let (names, total) = page(&lock(&self.index).partners, offset, limit);
        (names.iter().filter_map(|name| self.find(name)).collect(), total)
    }

    pub(crate) fn payment_records(&self, offset: usize, limit: usize) -> (Vec<LedgerEntry>, usize) {
        let (names, total) = page(&lock(&self.index).payments, offset, limit);
        (names.iter().filter_map(|name| self.find(name)).collect(), total)
    }

    fn record(
        &self,
        changes: Vec<LedgerEntry>,
        answers: impl Iterator<Item = (Timestamp, Outgoing)>,
        now: Timestamp,
    ) -> Handled {
        let mut at_once = Vec::new();
        let mut later = Vec::new();
        for (at, message) in answers {
            if at <= now {
                at_once.push(message);
            } else {
                let number = self.next_number.fetch_add(1, Ordering::Relaxed);
                later.push(Delayed { number, at, message });
            }
        }
        {
            let mut index = lock(&self.index);
            changes.iter().for_each(|record| index.add(record));
        }
        let mut lines: Vec<Line> = changes.into_iter().map(Line::Record).collect();
        lines.extend(later.iter().map(|delayed| Line::Later(Later::from(delayed))));
        Handled { synced: self.journal.append(&lines), now: at_once, later }
    }

    fn find(&self, name: &Name) -> Option<LedgerEntry> {
        match name {
            Name::Order(id, key) => {
                let order = lock(self.partners.get(id)?).order(key)?.clone();
                Some(LedgerEntry::Order(Box::new(order)))
            }
            Name::Reservation(id, key) => {
                let reservation = lock(self.partners.get(id)?).reservation(key)?.clone();
                Some(LedgerEntry::Reservation(Box::new(reservation)))
            }
            Name::Payment(key) => {
                let payment = lock(&self.provider).payment(key)?.clone();
                Some(LedgerEntry::Payment(Box::new(payment)))
            }
        }
    }
}

impl Index {
    fn add(&mut self, record: &LedgerEntry) {
        let name = match record {
            LedgerEntry::Order(o) => Name::Order(o.partner.clone(), o.placement_key.clone()),
            LedgerEntry::Reservation(r) => {
                Name::Reservation(r.partner.clone(), r.reservation_key.clone())
            }
            LedgerEntry::Payment(p) => Name::Payment(p.payment_key.clone()),
        };
        if self.seen.insert(name.clone()) {
            match name {
                Name::Payment(_) => self.payments.push(name),
                Name::Order(..) | Name::Reservation(..) => self.partners.push(name),
            }
        }
    }
}

fn page(names: &[Name], offset: usize, limit: usize) -> (Vec<Name>, usize) {
    let from = offset.min(names.len());
    let to = from.saturating_add(limit).min(names.len());
    (names[from..to].to_vec(), names.len())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("a holder panics only when stock is oversold, and then nothing may go on")
}

impl Delayed {
    /// Owed to somebody who does not listen on NATS.
    pub(crate) fn is_for_http(&self) -> bool {
        crate::http::is_for_http(&self.message.subject)
    }
}

impl From<&Delayed> for Later {
    fn from(delayed: &Delayed) -> Self {
        Self {
            number: delayed.number,
            at: delayed.at,
            subject: delayed.message.subject.clone(),
            message_id: delayed.message.message_id.clone(),
            body: String::from_utf8_lossy(&delayed.message.body).into_owned(),
        }
    }
}

impl From<Later> for Delayed {
    fn from(later: Later) -> Self {
        let Later { number, at, subject, message_id, body } = later;
        Self { number, at, message: Outgoing { subject, message_id, body: body.into() } }
    }
}
