//! Every JetStream key-value bucket, declared once as plain data, as the streams are in
//! [`crate::stream`]. All buckets: file storage, one replica, one value per key, changed by
//! compare-and-set only.

use crate::stream::EVENT_BYTES_MAX;

/// One bucket. Its room and the age of its values are the operator's to change, in the
/// configuration of the role that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketSpec {
    pub name: &'static str,
    pub description: &'static str,
    /// Bytes of one value.
    pub max_value_size: usize,
}

/// Room for what stands in a record beside the notification.
const RECORD_BYTES_MAX: usize = 4 * 1024;

/// Notifications on their way to customers: `<customer_id>.<channel>.<delivery_id>`.
pub const NOTIFIER_DELIVERIES: BucketSpec = BucketSpec {
    name: "notifier_deliveries",
    description: "Each notification on its way to its customer by e-mail or webhook.",
    max_value_size: EVENT_BYTES_MAX + RECORD_BYTES_MAX,
};

/// Endpoints of customers that fail or are disabled: `<customer_id>.<channel>`.
pub const NOTIFIER_ENDPOINTS: BucketSpec = BucketSpec {
    name: "notifier_endpoints",
    description: "Endpoints of customers that fail or are disabled.",
    max_value_size: RECORD_BYTES_MAX,
};

/// What an Idempotency-Key stands for, by a digest of operation, customer and key.
pub const GATEWAY_KEYS: BucketSpec = BucketSpec {
    name: "gateway_keys",
    description: "Idempotency-Key of an HTTP call → id of its request.",
    max_value_size: RECORD_BYTES_MAX,
};

/// Calls to bookstores: `order.<partner_id>.<key>`, `hold.<partner_id>.<key>`.
pub const BRIDGE_CALLS: BucketSpec = BucketSpec {
    name: "bridge_calls",
    description: "What the bridge sent to bookstores, and what came of it.",
    max_value_size: 2 * RECORD_BYTES_MAX,
};

/// Every bucket of the product.
pub const fn all() -> [BucketSpec; 4] {
    [NOTIFIER_DELIVERIES, NOTIFIER_ENDPOINTS, GATEWAY_KEYS, BRIDGE_CALLS]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_different_and_usable_as_a_subject_token() {
        let names: std::collections::BTreeSet<_> = all().map(|bucket| bucket.name).into();
        assert_eq!(names.len(), all().len());
        let sound = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(names.iter().all(|name| name.chars().all(sound)));
    }

    /// A server takes 1 MiB in one message as it is shipped.
    #[test]
    fn every_value_fits_into_a_message() {
        assert!(all().iter().all(|bucket| bucket.max_value_size < 1024 * 1024));
    }
}
