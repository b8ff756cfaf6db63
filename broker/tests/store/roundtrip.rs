//! Whatever the domain can hold, the disk gives back; whatever the disk holds, reading it ends in
//! a value or an error.

use std::sync::Arc;

use broker::store::disk::audit::{read_record, record, request_body};
use broker::store::disk::basic::DiskCommand;
use broker::store::disk::head::DiskHead;
use broker::store::disk::outbox::{self, effects_record};
use broker::store::disk::ranking::{DiskRanked, DiskRanking};
use broker::store::disk::receipt;
use broker::store::disk::submission::{read_submission, submission_record};
use broker::store::disk::{DiskError, seal};
use broker::store::{AuditBody, ChainHash, CommitNumber, Outgoing};
use broker_core::batch::CommandRecord;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::arbitrary;

fn bytes<T: Serialize>(disk: &T) -> Vec<u8> {
    postcard::to_stdvec(disk).unwrap()
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> T {
    postcard::from_bytes(bytes).unwrap()
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn submissions_come_back(submission in arbitrary::submission()) {
        let stored = submission_record(&submission);
        prop_assert_eq!(read_submission(submission.id, &stored), Ok(submission));
    }

    #[test]
    fn heads_come_back(request in arbitrary::request()) {
        let stored = bytes(&DiskHead::from(&request));
        let head = read::<DiskHead<'_>>(&stored);
        prop_assert_eq!(head.version(), request.version);
        let found = head.into_domain(Arc::clone(&request.submission));
        prop_assert_eq!(found, Ok(request));
    }

    #[test]
    fn receipts_come_back(receipt in arbitrary::receipt()) {
        prop_assert_eq!(receipt::read(&receipt::write(&receipt)), Ok(receipt));
    }

    #[test]
    fn rankings_come_back(snapshot in arbitrary::ranking()) {
        let partners = snapshot.partners.iter().map(|record| {
            let stored = bytes(&DiskRanked::from(record));
            read::<DiskRanked<'_>>(&stored).into_domain(record.id.clone()).unwrap()
        });
        let stored = bytes(&DiskRanking::from(&snapshot));
        let found = read::<DiskRanking>(&stored).into_domain(partners.collect());
        prop_assert_eq!(found, Ok(snapshot));
    }

    #[test]
    fn commands_come_back(command in arbitrary::command()) {
        let stored = bytes(&DiskCommand::from(&command));
        prop_assert_eq!(CommandRecord::try_from(read::<DiskCommand<'_>>(&stored)), Ok(command));
    }

    #[test]
    fn audit_records_come_back(
        request in arbitrary::request_id(),
        rows in proptest::collection::vec(arbitrary::audit_row(), 1..4),
        hash in any::<[u8; 32]>(),
    ) {
        let stored = record(ChainHash(hash), &request_body(request, &rows));
        let found = read_record(CommitNumber(7), &stored).unwrap();
        prop_assert_eq!(found.body, AuditBody::Request { request, rows });
        prop_assert_eq!(found.hash, ChainHash(hash));
    }

    #[test]
    fn outbox_records_come_back((request, rows) in arbitrary::outbox_rows()) {
        let at = request.terms.expires_at;
        let stored = effects_record(request.id(), at, &rows);
        let submission = |_| Ok::<_, DiskError>(Arc::clone(&request.submission));
        let found = outbox::read_record(&stored, submission).unwrap();
        prop_assert_eq!(found, (at, rows.into_iter().map(Outgoing::Effect).collect()));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        request in arbitrary::request(),
    ) {
        let submission = |_| Ok::<_, DiskError>(Arc::clone(&request.submission));
        // Only the absence of a panic is asked for: most of these are errors.
        let _read = outbox::read_record(&bytes, submission);
        let _read = read_record(CommitNumber(1), &bytes);
        let _read = seal::open(b"key", &bytes);
        let head = postcard::from_bytes::<DiskHead<'_>>(&bytes);
        let _read = head.map(|head| head.into_domain(Arc::clone(&request.submission)));
        let _read = receipt::read(&bytes);
        let _read = postcard::from_bytes::<DiskRanking>(&bytes).map(|r| r.into_domain(Vec::new()));
    }
}
