//! The test harness of the Book Purchase Broker: real servers, real processes, an auditor.

pub mod nats_server;
