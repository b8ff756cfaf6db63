//! The wires: who reaches whom. Between broker and server lies the link that faults cut; customers
//! and stores reach the server whenever it is up.

use schemas::Timestamp;

/// A cut between the broker's host and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    pub until: Timestamp,
    /// What the broker sends does not arrive.
    pub out: bool,
    /// What is sent to the broker does not arrive.
    pub back: bool,
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub server_up: bool,
    /// Counts the lives of the server. What is under way when it dies is gone.
    pub generation: u64,
    pub partition: Option<Partition>,
}

impl Default for Network {
    fn default() -> Self {
        Self { server_up: true, generation: 1, partition: None }
    }
}

impl Network {
    /// A message of this life of the server can still arrive.
    pub fn carries(&self, generation: u64) -> bool {
        self.server_up && self.generation == generation
    }

    /// What the broker says now reaches the server.
    pub fn broker_is_heard(&self, now: Timestamp) -> bool {
        self.server_up && !self.cut(now).is_some_and(|cut| cut.out)
    }

    /// What is said to the broker now reaches it.
    pub fn broker_hears(&self, now: Timestamp) -> bool {
        self.server_up && !self.cut(now).is_some_and(|cut| cut.back)
    }

    /// Questions and their answers get through.
    pub fn broker_can_ask(&self, now: Timestamp) -> bool {
        self.broker_is_heard(now) && self.broker_hears(now)
    }

    fn cut(&self, now: Timestamp) -> Option<Partition> {
        self.partition.filter(|cut| now < cut.until)
    }
}
