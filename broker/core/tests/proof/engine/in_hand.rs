//! The driver asks which message an input is about, before the engine takes it.

use broker_core::batch::{SourceStream, StreamPosition};
use broker_core::engine::input::{Input, Origin};
use broker_core::engine::output::Output;

use super::rig::{Rig, customer};
use crate::support::*;

const FIRST: StreamPosition = StreamPosition { stream: SourceStream::PurchaseCreates, sequence: 7 };
const SECOND: StreamPosition =
    StreamPosition { stream: SourceStream::PurchaseCommands, sequence: 3 };

#[test]
fn the_message_in_hand_is_also_known_when_it_waited_for_its_request() {
    let Rig { mut engine, now, .. } = Rig::new(vec![plain("a")]);
    let request = submission().id;
    let create =
        Input::Create { origin: Origin(1), source: Some(FIRST), submission: submission().into() };
    assert_eq!(engine.in_hand(&create), Some(FIRST));
    engine.handle(create, now);
    let event = cancel();
    let digest = schemas::Digest::of(b"cancel");
    let (origin, source, customer) = (Origin(2), Some(SECOND), customer());
    let command = Input::Command { origin, source, customer, request, digest, event };
    assert_eq!(engine.in_hand(&command), Some(SECOND));
    engine.handle(command, now);
    // The create waits to be read, the cancel for the create.
    let loaded = Input::Loaded { request, stored: None };
    assert_eq!(engine.in_hand(&loaded), Some(FIRST));
    engine.handle(loaded, now);
    let token = std::iter::from_fn(|| engine.poll_output()).find_map(|output| match output {
        Output::Commit { token, .. } => Some(token),
        _ => None,
    });
    let token = token.expect("the create is committed");
    assert_eq!(engine.in_hand(&Input::Conflicted { token }), Some(FIRST));
    assert_eq!(engine.in_hand(&Input::Committed { token }), Some(SECOND));
    assert_eq!(engine.in_hand(&Input::Tick), None);
}
