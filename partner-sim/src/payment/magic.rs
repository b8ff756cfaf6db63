//! Payment tokens that script the provider, for tests that want one thing to happen and nothing
//! else. Anything after a colon is ignored, so that each request can have a token of its own:
//! `tok_declined:order-17`.
//!
//! | token | what happens |
//! |---|---|
//! | `tok_declined` | declined, final |
//! | `tok_action_required` | the customer must authenticate, and does: authorised later |
//! | `tok_action_declined` | the customer must authenticate, and fails: declined later |
//! | `tok_action_abandoned` | the customer must authenticate and never does |
//! | `tok_silent_once` | authorised, but the first answer is never sent |
//! | `tok_lost_once` | the first copy of authorise is lost: nothing done, nothing said |
//! | `tok_busy_once` | the first copy of authorise fails and changes nothing |
//! | `tok_capture_fails_once` | the first capture fails and changes nothing |
//! | `tok_capture_silent_once` | captured, but the first answer is never sent |
//! | `tok_capture_never` | every capture fails |
//! | `tok_void_fails_once` | the first void fails and changes nothing |
//! | `tok_refund_fails_once` | the first refund fails and changes nothing |
//! | `tok_lapses` | authorised for two seconds only |
//! | `tok_short` | authorised for one minor unit less than asked |
//! | `tok_foreign` | authorised for as much of another currency |
//! | anything else | authorised |

use schemas::id::PaymentToken;

/// The script behind a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Magic {
    None,
    Declined,
    ActionRequired,
    ActionDeclined,
    ActionAbandoned,
    SilentOnce,
    LostOnce,
    BusyOnce,
    CaptureFailsOnce,
    CaptureSilentOnce,
    CaptureNever,
    VoidFailsOnce,
    RefundFailsOnce,
    Lapses,
    Short,
    Foreign,
}

impl Magic {
    /// How long `tok_lapses` holds, milliseconds.
    pub const LAPSES_AFTER_MS: u64 = 2_000;

    pub fn of(token: &PaymentToken) -> Self {
        let name = token.as_str().split(':').next().unwrap_or_default();
        match name {
            "tok_declined" => Self::Declined,
            "tok_action_required" => Self::ActionRequired,
            "tok_action_declined" => Self::ActionDeclined,
            "tok_action_abandoned" => Self::ActionAbandoned,
            "tok_silent_once" => Self::SilentOnce,
            "tok_lost_once" => Self::LostOnce,
            "tok_busy_once" => Self::BusyOnce,
            "tok_capture_fails_once" => Self::CaptureFailsOnce,
            "tok_capture_silent_once" => Self::CaptureSilentOnce,
            "tok_capture_never" => Self::CaptureNever,
            "tok_void_fails_once" => Self::VoidFailsOnce,
            "tok_refund_fails_once" => Self::RefundFailsOnce,
            "tok_lapses" => Self::Lapses,
            "tok_short" => Self::Short,
            "tok_foreign" => Self::Foreign,
            _ => Self::None,
        }
    }
}
