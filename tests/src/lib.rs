//! The test harness of the Book Purchase Broker: real servers, real processes, an auditor.

pub mod auditor;
pub mod chaos;
pub mod clients;
pub mod demo;
mod fetched;
pub mod fuzz;
pub mod harness;
pub mod mail_server;
pub mod nats_server;
pub mod sim;
pub mod web;
