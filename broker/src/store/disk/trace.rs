//! The customer's own trace, where there is one.

use schemas::TraceContext;
use serde::{Deserialize, Serialize};

use super::DiskError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskTrace {
    trace: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

impl From<TraceContext> for DiskTrace {
    fn from(context: TraceContext) -> Self {
        let (trace, span) = (context.trace_id(), context.span_id());
        Self { trace, span, sampled: context.is_sampled() }
    }
}

impl TryFrom<DiskTrace> for TraceContext {
    type Error = DiskError;
    fn try_from(disk: DiskTrace) -> Result<Self, DiskError> {
        Self::new(disk.trace, disk.span, disk.sampled)
            .ok_or_else(|| DiskError::new("trace", "an id of zeros"))
    }
}
