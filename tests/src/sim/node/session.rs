//! What happens once per connection, before anything is published on it: the streams are compared
//! with their marks, by the shipped rules.

use broker::egress::heal::{Finding, judge, judge_source};
use broker::egress::session::TARGETS;
use broker_core::batch::SourceStream;

use super::egress::SESSION_PAUSE_MS;
use super::{Died, Node};
use crate::sim::scene::Scene;

impl Node {
    pub(super) fn open_session(&mut self, scene: &mut Scene) -> Result<bool, Died> {
        let Some(connection) = self.connection else { return Ok(false) };
        if !scene.network.broker_can_ask(scene.now) {
            if self.egress.retry_at.is_none_or(|at| at <= scene.now) {
                self.egress.retry_at = Some(scene.now.saturating_add(SESSION_PAUSE_MS));
            }
            return Ok(false);
        }
        self.may_die(scene)?;
        self.egress.retry_at = None;
        self.compare_targets(scene);
        self.compare_sources(scene);
        self.egress.session = Some(connection);
        self.egress.resend_in_flight(scene);
        Ok(true)
    }

    fn compare_targets(&mut self, scene: &Scene) {
        for name in TARGETS {
            let stream = scene.jetstream.by_name(name).expect("targets are declared");
            let mark = self.egress.marks.mark(name);
            let marked = mark.map_or(0, |mark| mark.sequence);
            let seen = scene.jetstream.seen_by_session(stream, marked);
            let finding = judge(mark, &seen);
            let is_new = finding != Finding::Intact;
            self.egress.marks.found(name, seen.created_unix_ns, is_new);
            if let Finding::Lost { resume_after, .. } = finding {
                self.egress.rewind(name, resume_after);
            }
        }
    }

    fn compare_sources(&mut self, scene: &Scene) {
        for source in SourceStream::ALL {
            let name = source.name();
            let stream = scene.jetstream.by_name(name).expect("sources are declared");
            let (created, last) = scene.jetstream.state(stream);
            let read = self.egress.marks.read_of(source);
            let lost = judge_source(self.egress.marks.mark(name), created, last, read);
            self.egress.marks.found_source(source, created, last, lost.is_some());
        }
    }
}
