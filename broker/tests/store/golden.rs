//! The bytes of every stored type, frozen with what they mean. Each line of a file is a sealed
//! value in hex and, behind a tab, the disk struct it holds. They were written by earlier versions
//! of this program, so a failure means that existing stores can no longer be read: add a new
//! format byte and keep the old decoder, or undo the change. `GOLDEN_ACCEPT=1` writes new samples.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use broker::store::disk::DiskError;
use broker::store::disk::audit::{self, DiskAudit, DiskDropped, read_record, request_body};
use broker::store::disk::basic::DiskCommand;
use broker::store::disk::head::DiskHead;
use broker::store::disk::meta::{DiskIdentity, DiskMark, DiskTail, Tail, mark_payload, read_mark};
use broker::store::disk::outbox::{self, DiskOutbox, effects_record, letter_record};
use broker::store::disk::ranking::{DiskRanked, DiskRanking};
use broker::store::disk::receipt;
use broker::store::disk::seal::{open, seal};
use broker::store::disk::submission::{self, read_submission, submission_record};
use broker::store::{ChainHash, CommitNumber, OutboxSeq, Outgoing};
use broker_core::batch::{AuditRow, CommandRecord, OutboxRow};
use broker_core::engine::ranking::Steer;
use broker_core::engine::ranking::snapshot::{PartnerRecord, Snapshot};
use broker_core::request::PurchaseRequest;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::conformance::mark;
use crate::{arbitrary, samples};

const KEY: &[u8] = b"golden";

/// Values that between them have every variant named, as few as come along.
fn covering<S: Strategy>(
    strategy: &S,
    variants: &[&str],
    write: impl Fn(&S::Value) -> Vec<u8>,
    meaning: impl Fn(&[u8]) -> String,
) -> Vec<Vec<u8>> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut missing = variants.to_vec();
    let mut payloads = Vec::new();
    while !missing.is_empty() {
        let payload = write(&strategy.new_tree(&mut runner).unwrap().current());
        let text = meaning(&payload);
        let before = missing.len();
        missing.retain(|variant| !text.contains(variant));
        if missing.len() < before {
            payloads.push(payload);
        }
    }
    payloads
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

const HEAD_VARIANTS: &[&str] = &[
    "status: Pending",
    "status: Searching",
    "status: Quoted",
    "status: OutOfStock",
    "status: Ordering",
    "status: Ordered",
    "status: Expired",
    "status: Failed",
    "status: Canceled",
    "Reserving",
    "Authorizing",
    "ActionRequired",
    "step: Placing",
    "step: PlacementUnknown",
    "Capturing",
    "Completed",
    "step: Failed",
    "CancelOrder",
    "Void",
    "Refund",
    "Release",
    "LateOrder",
    "PriceAboveCap",
    "CaptureFailed",
    "UndoStuck",
    "VoidFrom(",
    "RefundFrom(",
    "KnownOrder(",
    "AtMost",
    "Exact",
    "shipping: Unknown",
    // Frozen.
    "(255, ",
];

const AUDIT_VARIANTS: &[&str] = &[
    "Created",
    "Admitted",
    "Affordable",
    "TooDear",
    "NoStock",
    "NoAnswer",
    "LateOffer",
    "Update {",
    "Cancel {",
    "AcceptQuote",
    "Reserved",
    "Released",
    "Confirmed",
    "outcome: Canceled",
    "NotFound",
    "Refused",
    "Authorized",
    "Declined",
    "ActionRequired",
    "Captured",
    "Voided",
    "Refunded",
    "outcome: Failed",
    "Timer(",
    "Lapsed",
    "PaymentReply",
    "ruling: Found",
    "ruling: NotFound",
    "ruling: Freeze",
    "ruling: Release",
    STEERED,
    DROPPED,
];

/// Not changes of a request.
const STEERED: &str = "Steered";
const DROPPED: &str = "Dropped";

const OUTBOX_VARIANTS: &[&str] = &[
    "Traced {",
    "Reserve {",
    "Release",
    "Place {",
    "command: Cancel",
    "Lookup",
    "Authorize {",
    "Capture {",
    "Void",
    "Refund",
    "Event {",
    "Notify {",
];

const RECEIPT_VARIANTS: &[&str] = &[
    "Buy",
    "TooDear",
    "NoStock",
    "NoAnswer",
    "Cheapest",
    "Balanced",
    "Fast",
    "currency: None",
    "currency: Some",
    "quotes: []",
    "came: Offer",
    "came: NoStock",
    "came: Unsuitable",
    "came: Invalid",
    "came: Refused",
    "came: TimedOut",
    "came: Down",
    "came: Canceled",
    "came: NotSent",
    "came: Shadow",
    "why: Everybody",
    "why: BestRanked",
    "why: NothingAffordable",
    "why: Slow",
    "why: BetterLikely",
    "ended: AllEnded",
    "ended: FirstFit",
    "ended: ClearlyBelow",
    "ended: GraceOver",
    "ended: NotWorthAsking",
    "ended: HardStop",
    "why: DoesNotServe",
    "why: Banned",
    "why: NotNeeded",
    "Named(",
    "source: Shared",
    "source: Remembered",
    "passed_over: [\"",
    "why: RateLimited",
    "why: AskedForPause",
    "why: BreakerOpen",
    "why: Degraded",
    "TierOneOnly",
    "CachedOffers",
];

const RANKED_VARIANTS: &[&str] =
    &["First", "Second", "Third", "Shadow", "Pin", "Ban", "steering: None"];

const SUBMISSION_VARIANTS: &[&str] = &[
    "DiskTrace {",
    "address: None",
    "line2: Some",
    "line2: None",
    "region: Some",
    "region: None",
    "OneShot",
    "Watch",
    "New",
    "LikeNew",
    "VeryGood",
    "Good",
    "Acceptable",
];

/// What a payload holds, and the payload that this program would write for it.
type Reading = (String, Vec<u8>);

fn path(name: &str) -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store");
    tests.join(format!("{name}.hex"))
}

/// Adds samples of what the file does not have yet. What earlier versions wrote stays.
fn accept(
    name: &str,
    variants: &[&str],
    payloads: impl FnOnce(&[&str]) -> Vec<Vec<u8>>,
    read: &impl Fn(&[u8]) -> Reading,
) {
    let mut frozen = std::fs::read_to_string(path(name)).unwrap_or_default();
    let missing: Vec<&str> =
        variants.iter().copied().filter(|variant| !frozen.contains(variant)).collect();
    if missing.is_empty() && !frozen.is_empty() {
        return;
    }
    for payload in payloads(&missing) {
        let line = format!("{}\t{}", hex(&seal(KEY, &payload)), read(&payload).0);
        if !frozen.lines().any(|known| known == line) {
            writeln!(frozen, "{line}").unwrap();
        }
    }
    std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
    std::fs::write(path(name), frozen).unwrap();
}

/// Every frozen value still reads as what it was, and would be written as it was; no variant is
/// missing among them.
fn golden(
    name: &str,
    variants: &[&str],
    payloads: impl FnOnce(&[&str]) -> Vec<Vec<u8>>,
    read: impl Fn(&[u8]) -> Reading,
) {
    if std::env::var_os("GOLDEN_ACCEPT").is_some() {
        accept(name, variants, payloads, &read);
    }
    let frozen = std::fs::read_to_string(path(name)).unwrap_or_default();
    assert!(!frozen.is_empty(), "{name}.hex is missing");
    for variant in variants {
        assert!(frozen.contains(variant), "no sample in {name}.hex has {variant}");
    }
    for (line, number) in frozen.lines().zip(1..) {
        let (sealed, meaning) = line.split_once('\t').unwrap();
        let sealed = unhex(sealed);
        let payload = open(KEY, &sealed).unwrap();
        let (found, again) = read(payload);
        assert_eq!(found, meaning, "{name}.hex, line {number}");
        assert_eq!(hex(&again), hex(payload), "{name}.hex, line {number}");
    }
}

fn bytes<T: serde::Serialize>(disk: &T) -> Vec<u8> {
    postcard::to_stdvec(disk).unwrap()
}

fn read<'a, T: serde::Deserialize<'a>>(payload: &'a [u8]) -> T {
    postcard::from_bytes(payload).unwrap()
}

#[test]
fn heads_are_frozen() {
    let meaning = |payload: &[u8]| format!("{:?}", read::<DiskHead<'_>>(payload));
    let write = |request: &PurchaseRequest| bytes(&DiskHead::from(request));
    let samples = |wanted: &[&str]| covering(&arbitrary::request(), wanted, write, meaning);
    golden("head", HEAD_VARIANTS, samples, |payload| {
        let head: DiskHead<'_> = read(payload);
        let submission = Arc::new(samples::submission(1));
        let request = head.into_domain(submission).unwrap();
        (meaning(payload), bytes(&DiskHead::from(&request)))
    });
}

#[test]
fn submissions_are_frozen() {
    let meaning = |payload: &[u8]| match submission::split(payload).unwrap() {
        (disk, None) => format!("{disk:?}"),
        (disk, Some(trace)) => format!("{disk:?} {trace:?}"),
    };
    let write = submission_record;
    let samples = |wanted: &[&str]| covering(&arbitrary::submission(), wanted, write, meaning);
    golden("submission", SUBMISSION_VARIANTS, samples, |payload| {
        let submission = read_submission(samples::id(1), payload).unwrap();
        (meaning(payload), submission_record(&submission))
    });
}

#[test]
fn receipts_are_frozen() {
    let meaning = |payload: &[u8]| {
        let parts = receipt::split(payload).unwrap();
        let search = parts.search.map(|search| format!(" {search:?}")).unwrap_or_default();
        let sharing = parts.sharing.map(|sharing| format!(" {sharing:?}")).unwrap_or_default();
        let degraded = parts.degraded.map(|how| format!(" {how:?}")).unwrap_or_default();
        format!("{:?}{search}{sharing}{degraded}", parts.receipt)
    };
    let samples =
        |wanted: &[&str]| covering(&arbitrary::receipt(), wanted, receipt::write, meaning);
    golden("receipt", RECEIPT_VARIANTS, samples, |payload| {
        (meaning(payload), receipt::write(&receipt::read(payload).unwrap()))
    });
}

#[test]
fn rankings_are_frozen() {
    let meaning = |payload: &[u8]| format!("{:?}", read::<DiskRanking>(payload));
    let write = |snapshot: &Snapshot| bytes(&DiskRanking::from(snapshot));
    let samples = |wanted: &[&str]| covering(&arbitrary::ranking(), wanted, write, meaning);
    golden("ranking", &["number", "counts: []"], samples, |payload| {
        let snapshot = read::<DiskRanking>(payload).into_domain(Vec::new()).unwrap();
        (meaning(payload), bytes(&DiskRanking::from(&snapshot)))
    });
}

#[test]
fn ranked_partners_are_frozen() {
    let meaning = |payload: &[u8]| format!("{:?}", read::<DiskRanked<'_>>(payload));
    let write = |record: &PartnerRecord| bytes(&DiskRanked::from(record));
    let samples = |wanted: &[&str]| covering(&arbitrary::ranked(), wanted, write, meaning);
    golden("ranked", RANKED_VARIANTS, samples, |payload| {
        let id = samples::quote(1).partner;
        let record = read::<DiskRanked<'_>>(payload).into_domain(id).unwrap();
        (meaning(payload), bytes(&DiskRanked::from(&record)))
    });
}

#[test]
fn commands_are_frozen() {
    let sample = |_: &[&str]| vec![bytes(&DiskCommand::from(&samples::command("cmd-1", 300)))];
    golden("command", &[], sample, |payload| {
        let disk: DiskCommand<'_> = read(payload);
        let meaning = format!("{disk:?}");
        let command = CommandRecord::try_from(disk).unwrap();
        (meaning, bytes(&DiskCommand::from(&command)))
    });
}

#[test]
fn audit_records_are_frozen() {
    let body = |payload: &[u8]| audit::split(payload).unwrap().1.to_vec();
    let meaning = |payload: &[u8]| format!("{:?}", read::<DiskAudit<'_>>(&body(payload)));
    let hash = ChainHash([7; 32]);
    let write = |row: &AuditRow| {
        audit::record(hash, &request_body(samples::id(1), std::slice::from_ref(row)))
    };
    let samples = |wanted: &[&str]| {
        let of_requests: Vec<&str> = wanted
            .iter()
            .copied()
            .filter(|variant| ![STEERED, DROPPED].contains(variant))
            .collect();
        let mut payloads = covering(&arbitrary::audit_row(), &of_requests, write, meaning);
        for steer in [Some(Steer::Pin), Some(Steer::Ban), None] {
            payloads.push(audit::record(hash, &audit::word_body(&samples::word(steer, 3))));
        }
        let letter = audit::letter_body("PARTNER_REPLIES", samples::at(5), OutboxSeq(9));
        payloads.push(audit::record(hash, &letter));
        let dropped = audit::dropped_body(&samples::dropped(12, b"letter"));
        payloads.push(audit::record(hash, &dropped));
        payloads
    };
    golden("audit", AUDIT_VARIANTS, samples, |payload| {
        let record = read_record(CommitNumber(1), payload).unwrap();
        (meaning(payload), audit::record(record.hash, &audit::body_of(&record)))
    });
}

#[test]
fn places_of_dropped_letters_are_frozen() {
    let sample = |_: &[&str]| {
        let digest = samples::dropped(12, b"letter").digest;
        vec![bytes(&DiskDropped::new(CommitNumber(300), digest))]
    };
    golden("dropped", &[], sample, |payload| {
        let disk: DiskDropped = read(payload);
        (format!("{disk:?}"), bytes(&DiskDropped::new(disk.commit(), disk.digest())))
    });
}

/// The chain is a format too: another hash and every store is refused.
#[test]
fn the_hash_of_a_record_never_changes() {
    let hash = audit::link(ChainHash::GENESIS, CommitNumber(1), b"body");
    let expected = "fdb5da6246848d2748d5b20471c51ad08d03fd7a1c8df413c13bc54185a18711";
    assert_eq!(hex(&hash.0), expected);
}

#[test]
fn outbox_records_are_frozen() {
    let meaning = |payload: &[u8]| format!("{:?}", read::<DiskOutbox<'_>>(payload));
    let at = samples::at(3);
    let write = |(request, rows): &(PurchaseRequest, Vec<OutboxRow>)| {
        effects_record(request.id(), at, rows)
    };
    let samples = |wanted: &[&str]| {
        let mut payloads = covering(&arbitrary::outbox_rows(), wanted, write, meaning);
        payloads.push(letter_record(&samples::letter(b"poison")));
        payloads
    };
    golden("outbox", OUTBOX_VARIANTS, samples, |payload| {
        let submission = |_| Ok::<_, DiskError>(Arc::new(samples::submission(1)));
        let (at, outgoing) = outbox::read_record(payload, submission).unwrap();
        let mut request = samples::id(1);
        let mut rows = Vec::new();
        let mut again = Vec::new();
        for outgoing in outgoing {
            match outgoing {
                Outgoing::Effect(row) => {
                    request = row.request;
                    rows.push(row);
                }
                Outgoing::DeadLetter(letter) => again = letter_record(&letter),
            }
        }
        if !rows.is_empty() {
            again = effects_record(request, at, &rows);
        }
        (meaning(payload), again)
    });
}

#[test]
fn the_identity_is_frozen() {
    let payloads = |_: &[&str]| vec![bytes(&DiskIdentity { store_format: 1, incarnation: 0xfeed })];
    golden("identity", &[], payloads, |payload| {
        let disk: DiskIdentity = read(payload);
        (format!("{disk:?}"), bytes(&disk))
    });
}

#[test]
fn the_tail_is_frozen() {
    let tail = Tail {
        commit: CommitNumber(300),
        last_at: samples::at(0),
        outbox_last: OutboxSeq(70_000),
        outbox_sent: OutboxSeq(5),
        applied: [1, 2, 300, u64::MAX],
    };
    golden(
        "tail",
        &[],
        |_| vec![bytes(&DiskTail::from(&tail))],
        |payload| {
            let disk: DiskTail = read(payload);
            let meaning = format!("{disk:?}");
            (meaning, bytes(&DiskTail::from(&Tail::try_from(disk).unwrap())))
        },
    );
}

#[test]
fn stream_marks_are_frozen() {
    let published = mark("PURCHASE_EVENTS", 1_795_176_000_123_456_789, 12);
    golden(
        "mark",
        &["settled"],
        |_| vec![mark_payload(&published)],
        |payload| {
            let (disk, _) = postcard::take_from_bytes::<DiskMark<'_>>(payload).unwrap();
            let known = read_mark("PURCHASE_EVENTS", payload).unwrap();
            let settled =
                known.settled.map(|seq| format!(" settled {}", seq.0)).unwrap_or_default();
            (format!("{disk:?}{settled}"), mark_payload(&known))
        },
    );
}
