//! Which message an input makes the engine decide: asked by a driver before it hands the input
//! over, so that a message at which the engine panics can be named.

use super::Engine;
use super::input::Input;
use crate::batch::StreamPosition;

impl Engine {
    /// The message of a stream that `input` is, or that has waited for it. `None` for what came
    /// from no stream, and for what the engine does by itself.
    pub fn in_hand(&self, input: &Input) -> Option<StreamPosition> {
        match input {
            Input::Create { source, .. }
            | Input::Command { source, .. }
            | Input::Partner { source, .. }
            | Input::Payment { source, .. } => *source,
            Input::Loaded { request, .. } => {
                self.hot.get(request)?.queue.front().and_then(|work| work.source)
            }
            Input::Committed { token } => {
                let hot = self.hot.get(self.commits.get(token)?)?;
                hot.queue.front().and_then(|work| work.source)
            }
            // Its work is decided again.
            Input::Conflicted { token } => {
                let hot = self.hot.get(self.commits.get(token)?)?;
                hot.committing.as_ref().and_then(|flight| flight.work.source)
            }
            Input::Recover(_)
            | Input::Get { .. }
            | Input::Quotes { .. }
            | Input::PartnerDown { .. }
            | Input::NotSent { .. }
            | Input::Steer { .. }
            | Input::ShowRanking { .. }
            | Input::ShowSweeps { .. }
            | Input::RankingKept(_)
            | Input::Operator { .. }
            | Input::Lapsed { .. }
            | Input::Timers { .. }
            | Input::Tick => None,
        }
    }
}
