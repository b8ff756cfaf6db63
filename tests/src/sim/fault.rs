//! The faults of the simulator, by name: what options switch on, what coverage counts, and what
//! the fault table of `tests/README.md` refers to as `sim:<label>`.

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $label:literal;)*) => {
        /// One kind of trouble.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault { $($(#[$doc])* $name,)* }

        impl Fault {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

faults! {
    // The network between any two.
    /// A core message (question, answer, call, reply) is lost.
    CoreLost = "core_lost";
    /// A core message arrives twice.
    CoreDoubled = "core_doubled";
    /// A message overtakes another.
    Delayed = "delayed";
    /// A publish never reaches the server.
    PublishLost = "publish_lost";
    /// The server stored a publish; its acknowledgement is lost.
    AckLost = "ack_lost";
    /// A publish whose sender was told nothing is stored seconds later.
    GhostPublish = "ghost_publish";
    /// The broker reaches the server, nothing comes back; or the reverse; or neither.
    Partition = "partition";
    // The server.
    /// The server is killed and comes back.
    ServerKilled = "server_killed";
    /// It forgot ids inside the deduplication window.
    DedupAmnesia = "dedup_amnesia";
    /// It forgot recent acks of a consumer: messages come back although acknowledged.
    ConsumerRollback = "consumer_rollback";
    /// It delivers a message again for no reason, or after its ack wait.
    Redelivered = "redelivered";
    /// It counts deliveries from one again.
    DeliveryCountReset = "delivery_count_reset";
    /// It lost the tail of a stream and gives the sequences out again.
    TailTruncated = "tail_truncated";
    /// A stream was deleted and made again.
    StreamRecreated = "stream_recreated";
    /// It refuses publishes for a while (full).
    StreamFull = "stream_full";
    // The store.
    /// A commit fails; after the restart nothing of it is there.
    CommitFailedLost = "commit_failed_lost";
    /// A commit fails; after the restart it is there.
    CommitFailedDurable = "commit_failed_durable";
    /// The process dies with writes that were handed over and not synced.
    UnsyncedTailLost = "unsynced_tail_lost";
    /// Commits take long.
    StoreSlow = "store_slow";
    // Processes.
    /// The broker dies before it performs an output.
    CrashAtOutput = "crash_at_output";
    /// The broker dies between two inputs.
    CrashAtInput = "crash_at_input";
    /// The broker dies while it recovers.
    CrashInRecovery = "crash_in_recovery";
    /// The broker stays down longer than requests live.
    LongOutage = "long_outage";
    /// The broker stands still and goes on with what it knew.
    BrokerPaused = "broker_paused";
    /// A second broker on the same store: the first one is deposed and does not know it.
    Deposed = "deposed";
    /// The bookstores' process dies and comes back with its ledger.
    PartiesCrash = "parties_crash";
    // Clocks.
    /// The broker's wall clock jumps ahead.
    ClockAhead = "clock_ahead";
    /// The broker's wall clock is set back.
    ClockBack = "clock_back";
    /// Partners' and broker's clocks differ, within the margin.
    ClockSkew = "clock_skew";
    // Bad messages.
    /// Bytes that are no message, on a subject of the broker.
    Garbage = "garbage";
    /// A proper answer from somebody who was not asked, or for another's order.
    Impostor = "impostor";
    /// An old answer is sent once more.
    Replayed = "replayed";
}
