//! The payment provider: idempotent by key, scripted by token.
#![allow(clippy::unwrap_used)] // Fixtures of tests fail by panicking.

use partner_sim::fault::{Fault, Permille};
use partner_sim::ledger::Asked;
use partner_sim::payment::{PaymentFaults, PaymentRequest, PaymentSettings};
use partner_sim::{PaymentAnswer, PaymentProvider, Scheduled};
use schemas::id::{Key, MessageId, PaymentToken};
use schemas::partner::CommandHeader;
use schemas::payment::{Authorize, Capture, PaymentLookup, PaymentOutcome, Refund, Void};
use schemas::{Currency, DurationMs, Money, ProviderId, RequestId, Timestamp};

const NOW: Timestamp = Timestamp::from_unix_ms(1_700_000_000_000);

fn after(ms: u64) -> Timestamp {
    NOW.saturating_add(DurationMs(ms))
}

fn usd(minor: u64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

fn key() -> Key {
    Key::parse("pay").unwrap()
}

fn provider(settings: PaymentSettings) -> PaymentProvider {
    PaymentProvider::new(ProviderId::parse("simpay").unwrap(), settings, 7)
}

fn calm() -> PaymentProvider {
    provider(PaymentSettings::default())
}

fn header(copy: u32, operation: &str) -> CommandHeader {
    CommandHeader {
        id: MessageId::parse(&format!("0-r-{operation}-{copy}")).unwrap(),
        request_id: RequestId::from_parts(1_700_000_000_000, 1),
        attempt: 1,
        reply_to: format!("payment.simpay.reply.0.{operation}"),
    }
}

fn authorize(copy: u32, token: &str) -> PaymentRequest {
    PaymentRequest::Authorize(Authorize {
        header: header(copy, "authorize"),
        payment_key: key(),
        amount: usd(2_500),
        payment_token: PaymentToken::parse(token).unwrap(),
        not_after: after(2_000),
    })
}

fn capture(copy: u32, minor: u64) -> PaymentRequest {
    let header = header(copy, "capture");
    PaymentRequest::Capture(Capture { header, payment_key: key(), amount: usd(minor) })
}

fn void(copy: u32) -> PaymentRequest {
    PaymentRequest::Void(Void { header: header(copy, "void"), payment_key: key() })
}

fn refund(copy: u32) -> PaymentRequest {
    PaymentRequest::Refund(Refund { header: header(copy, "refund"), payment_key: key() })
}

fn lookup(copy: u32) -> PaymentRequest {
    PaymentRequest::Lookup(PaymentLookup { header: header(copy, "lookup"), payment_key: key() })
}

fn outcomes(answers: &[Scheduled<PaymentAnswer>]) -> Vec<PaymentOutcome> {
    answers.iter().map(|answer| answer.value.reply.outcome.clone()).collect()
}

fn ask(provider: &mut PaymentProvider, request: PaymentRequest, at: Timestamp) -> PaymentOutcome {
    match &outcomes(&provider.handle(request, at))[..] {
        [outcome] => outcome.clone(),
        other => panic!("expected one answer, got {other:?}"),
    }
}

fn is_authorized(outcome: &PaymentOutcome) -> bool {
    matches!(outcome, PaymentOutcome::Authorized { amount, .. } if *amount == usd(2_500))
}

#[test]
fn money_is_authorised_captured_and_refunded_once_however_often_it_is_asked() {
    let mut provider = calm();
    for copy in 0..3 {
        assert!(is_authorized(&ask(&mut provider, authorize(copy, "tok_1"), NOW)));
    }
    for copy in 0..3 {
        let captured = PaymentOutcome::Captured { amount: usd(2_000) };
        assert_eq!(ask(&mut provider, capture(copy, 2_000), NOW), captured);
    }
    for copy in 0..3 {
        let refunded = PaymentOutcome::Refunded { amount: usd(2_000) };
        assert_eq!(ask(&mut provider, refund(copy), NOW), refunded);
    }
    let record = provider.payment(&key()).unwrap();
    let steps: Vec<_> = record.steps.iter().map(|s| (s.operation, s.amount.minor())).collect();
    assert_eq!(steps, [(Asked::Authorize, 2_500), (Asked::Capture, 2_000), (Asked::Refund, 2_000)]);
    assert_eq!(record.net_captured_minor(), 0);
}

#[test]
fn a_voided_key_can_never_be_authorised_again() {
    let mut provider = calm();
    ask(&mut provider, authorize(1, "tok_1"), NOW);
    assert_eq!(ask(&mut provider, void(1), NOW), PaymentOutcome::Voided);
    assert_eq!(ask(&mut provider, authorize(2, "tok_1"), NOW), PaymentOutcome::Voided);
    assert!(!provider.payment(&key()).unwrap().is_open(NOW));
}

#[test]
fn a_void_or_lookup_that_overtakes_the_authorise_fences_it() {
    for fence in [void(1), lookup(1)] {
        let mut provider = calm();
        let gone = PaymentOutcome::NotFound { final_for_key: true };
        assert_eq!(ask(&mut provider, fence, NOW), gone);
        assert_eq!(ask(&mut provider, authorize(1, "tok_1"), NOW), gone);
        assert!(provider.payment(&key()).unwrap().steps.is_empty());
    }
}

#[test]
fn a_provider_that_does_not_fence_says_so() {
    let mut provider = provider(PaymentSettings { fences: false, ..PaymentSettings::default() });
    let unsure = PaymentOutcome::NotFound { final_for_key: false };
    assert_eq!(ask(&mut provider, void(1), NOW), unsure);
    assert_eq!(ask(&mut provider, lookup(1), NOW), unsure);
    assert!(is_authorized(&ask(&mut provider, authorize(1, "tok_1"), NOW)));
}

#[test]
fn more_than_authorised_is_never_captured() {
    let mut provider = calm();
    ask(&mut provider, authorize(1, "tok_1"), NOW);
    let answer = ask(&mut provider, capture(1, 2_501), NOW);
    assert!(matches!(answer, PaymentOutcome::Failed { .. }), "{answer:?}");
    assert!(provider.payment(&key()).unwrap().step(Asked::Capture).is_none());
}

#[test]
fn a_captured_payment_cannot_be_voided() {
    let mut provider = calm();
    ask(&mut provider, authorize(1, "tok_1"), NOW);
    let captured = ask(&mut provider, capture(1, 2_500), NOW);
    assert_eq!(ask(&mut provider, void(1), NOW), captured);
}

#[test]
fn a_late_authorise_is_not_acted_on() {
    let mut provider = calm();
    let answer = ask(&mut provider, authorize(1, "tok_1"), after(2_001));
    assert!(matches!(answer, PaymentOutcome::Failed { .. }), "{answer:?}");
    assert!(provider.payment(&key()).unwrap().steps.is_empty());
}

#[test]
fn a_declined_token_stays_declined() {
    let mut provider = calm();
    for copy in 0..2 {
        let answer = ask(&mut provider, authorize(copy, "tok_declined:order-17"), NOW);
        assert!(matches!(answer, PaymentOutcome::Declined { .. }), "{answer:?}");
    }
}

#[test]
fn authentication_is_answered_twice_the_second_time_later() {
    let mut provider = calm();
    let answers = provider.handle(authorize(1, "tok_action_required"), NOW);
    let resolved = answers.iter().find(|a| a.at == after(1_000)).unwrap();
    assert_eq!(resolved.value.subject, "payment.simpay.reply.0.authorize");
    assert!(is_authorized(&resolved.value.reply.outcome));
    let first = answers.iter().find(|a| a.at == NOW).unwrap();
    assert!(matches!(first.value.reply.outcome, PaymentOutcome::ActionRequired { .. }));
    assert_ne!(first.value.message_id, resolved.value.message_id);
    // A copy in the meantime learns the state, but starts nothing again.
    let copy = ask(&mut provider, authorize(2, "tok_action_required"), after(500));
    assert!(matches!(copy, PaymentOutcome::ActionRequired { .. }), "{copy:?}");
    assert!(is_authorized(&ask(&mut provider, lookup(1), after(1_000))));
}

#[test]
fn authentications_can_fail_or_never_come() {
    let mut failing = calm();
    failing.handle(authorize(1, "tok_action_declined"), NOW);
    let answer = ask(&mut failing, lookup(1), after(1_000));
    assert!(matches!(answer, PaymentOutcome::Declined { .. }), "{answer:?}");
    let mut abandoned = calm();
    abandoned.handle(authorize(1, "tok_action_abandoned"), NOW);
    let answer = ask(&mut abandoned, lookup(1), after(1_000_000));
    assert!(matches!(answer, PaymentOutcome::ActionRequired { .. }), "{answer:?}");
}

#[test]
fn a_void_during_authentication_wins() {
    let mut provider = calm();
    provider.handle(authorize(1, "tok_action_required"), NOW);
    assert_eq!(ask(&mut provider, void(1), after(500)), PaymentOutcome::Voided);
    assert_eq!(ask(&mut provider, lookup(1), after(2_000)), PaymentOutcome::Voided);
    assert!(provider.payment(&key()).unwrap().steps.is_empty());
}

#[test]
fn tokens_script_silence_loss_and_failure_once() {
    let mut silent = calm();
    assert!(silent.handle(authorize(1, "tok_silent_once"), NOW).is_empty());
    assert!(silent.payment(&key()).unwrap().is_open(NOW));
    assert!(is_authorized(&ask(&mut silent, authorize(2, "tok_silent_once"), NOW)));

    let mut lossy = calm();
    assert!(lossy.handle(authorize(1, "tok_lost_once"), NOW).is_empty());
    assert!(!lossy.payment(&key()).unwrap().is_open(NOW));
    assert!(is_authorized(&ask(&mut lossy, authorize(2, "tok_lost_once"), NOW)));

    let mut busy = calm();
    let answer = ask(&mut busy, authorize(1, "tok_busy_once"), NOW);
    assert!(matches!(answer, PaymentOutcome::Failed { .. }), "{answer:?}");
    assert!(is_authorized(&ask(&mut busy, authorize(2, "tok_busy_once"), NOW)));
}

#[test]
fn tokens_script_every_later_operation() {
    let failing_once = |token: &str, prepare: &[PaymentRequest], op: fn(u32) -> PaymentRequest| {
        let mut provider = calm();
        ask(&mut provider, authorize(1, token), NOW);
        for request in prepare {
            ask(&mut provider, request.clone(), NOW);
        }
        let first = ask(&mut provider, op(1), NOW);
        assert!(matches!(first, PaymentOutcome::Failed { .. }), "{token}: {first:?}");
        let second = ask(&mut provider, op(2), NOW);
        assert!(!matches!(second, PaymentOutcome::Failed { .. }), "{token}: {second:?}");
    };
    failing_once("tok_capture_fails_once", &[], |copy| capture(copy, 2_500));
    failing_once("tok_void_fails_once", &[], void);
    failing_once("tok_refund_fails_once", &[capture(1, 2_500)], refund);

    let mut never = calm();
    ask(&mut never, authorize(1, "tok_capture_never"), NOW);
    for copy in 0..5 {
        let answer = ask(&mut never, capture(copy, 2_500), NOW);
        assert!(matches!(answer, PaymentOutcome::Failed { .. }), "{answer:?}");
    }
    assert_eq!(ask(&mut never, void(1), NOW), PaymentOutcome::Voided);

    let mut mute = calm();
    ask(&mut mute, authorize(1, "tok_capture_silent_once"), NOW);
    assert!(mute.handle(capture(1, 2_500), NOW).is_empty());
    assert_eq!(mute.payment(&key()).unwrap().net_captured_minor(), 2_500);
}

#[test]
fn an_authorisation_lapses_and_then_reads_as_voided() {
    let mut provider = calm();
    ask(&mut provider, authorize(1, "tok_lapses"), NOW);
    assert!(provider.payment(&key()).unwrap().is_open(after(1_999)));
    assert!(!provider.payment(&key()).unwrap().is_open(after(2_000)));
    assert_eq!(ask(&mut provider, capture(1, 2_500), after(2_000)), PaymentOutcome::Voided);
}

#[test]
fn every_permille_fault_of_the_provider_strikes() {
    let mut settings = PaymentSettings::default();
    let often = Permille::new(200);
    settings.answers.silent_permille = often;
    settings.answers.duplicate_permille = often;
    settings.answers.reorder_permille = often;
    settings.answers.late_permille = often;
    settings.faults = PaymentFaults {
        declined_permille: often,
        action_required_permille: often,
        lost_permille: often,
        failed_permille: often,
    };
    let mut provider = provider(settings);
    for n in 0..200u32 {
        let PaymentRequest::Authorize(one) = authorize(n, "tok_1") else { unreachable!() };
        let payment_key = Key::parse(&format!("pay-{n}")).unwrap();
        provider.handle(PaymentRequest::Authorize(Authorize { payment_key, ..one }), NOW);
    }
    for fault in [
        Fault::Silent,
        Fault::Duplicate,
        Fault::Reorder,
        Fault::Late,
        Fault::Declined,
        Fault::ActionRequired,
        Fault::Lost,
        Fault::Failed,
    ] {
        let struck = provider.faults_struck().get(&fault).copied().unwrap_or(0);
        assert!((5..100).contains(&struck), "{fault:?} struck {struck} of 200");
    }
}

#[test]
fn tokens_script_a_hold_of_less_and_of_other_money() {
    let eur = Money::new(2_500, Currency::parse("EUR").unwrap()).unwrap();
    for (token, held) in [("tok_short", usd(2_499)), ("tok_foreign", eur)] {
        let mut provider = calm();
        for copy in 0..2 {
            let told = ask(&mut provider, authorize(copy, token), NOW);
            let amount = match told {
                PaymentOutcome::Authorized { amount, .. } => amount,
                other => panic!("{token}: {other:?}"),
            };
            assert_eq!(amount, held, "{token}");
        }
        assert!(matches!(
            ask(&mut provider, capture(1, 2_500), NOW),
            PaymentOutcome::Failed { .. }
        ));
        assert_eq!(ask(&mut provider, void(1), NOW), PaymentOutcome::Voided);
    }
}
