//! The same quote messages over NATS without a broker: what the transport alone carries on this
//! machine, right after the run.
//!
//! Same subjects, same bodies (made by `schemas`, encoded once), same id header, as many questions
//! to a message as the run had, same connections; partners answer without reading. What is left
//! out is everything that is somebody's work: making and reading JSON, deciding, remembering.

mod partners;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_nats::{Client, HeaderMap, header::NATS_MESSAGE_ID};
use bytes::Bytes;
use futures_util::StreamExt;
use partner_sim::config::Connections;
use schemas::id::CallId;
use schemas::partner::{QUOTE_ITEMS_MAX, QuoteRequests};
use schemas::subject::{PartnerReplyKind, partner_quote, partner_quote_replies, partner_reply};
use schemas::{PartnerId, json};
use tests::harness::{Process, Program, book, wait};
use tests::nats_server::{NatsServer, NatsServerOptions};

pub(crate) use partners::{RawArgs, serve};

use super::market::question;
use super::plan::{Load, Plan};
use super::report::{Raw, Report};
use crate::process;

pub(crate) const RAW_ROLE: &str = "role-raw-partners";

const WINDOW: Duration = Duration::from_secs(5);
const WARM_UP: Duration = Duration::from_secs(1);
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Requests whose answers are awaited at the same time, if the run does not say.
const IN_FLIGHT: usize = 64;
/// So many questions and answers between two looks at the clock.
const SUBSCRIPTION_MESSAGES_MAX: usize = 1 << 20;

/// Measures the transport and compares: with the run's batches, and with a message per question.
pub(super) async fn measure(plan: &Plan, report: &Report, dir: &Path) -> anyhow::Result<Raw> {
    let per_message = (report.calls.per_message.round() as usize).clamp(1, QUOTE_ITEMS_MAX);
    let (calls_per_second, server_call_us) = carried(plan, per_message, dir).await?;
    let (single_per_second, single_call_us) = match per_message {
        1 => (calls_per_second, server_call_us),
        _ => carried(plan, 1, dir).await?,
    };
    Ok(Raw {
        calls_per_second,
        per_message,
        share: report.calls.per_second / calls_per_second,
        server_call_us,
        single_per_second,
        single_share: report.calls.per_second / single_per_second,
        single_call_us,
    })
}

/// Calls per second, and the server's CPU for each, microseconds.
async fn carried(plan: &Plan, per_message: usize, dir: &Path) -> anyhow::Result<(f64, f64)> {
    let options = NatsServerOptions::default();
    let server = tokio::task::spawn_blocking(move || NatsServer::start(options)).await??;
    let home = tempfile::tempdir_in(dir)?;
    let mut partners = start_partners(plan, &server, per_message, home.path())?;
    let asker = Asker::connect(plan, &server, per_message).await?;
    asker.until_all_answer().await?;
    let in_flight = match plan.load {
        Load::Closed { in_flight } => in_flight,
        Load::Open { .. } => IN_FLIGHT,
    };
    let pid = server.pid().context("nats-server is not running")?;
    let (calls, took, cpu) = asker.run(in_flight.div_ceil(per_message), pid).await?;
    partners.kill_9()?;
    let calls = calls as f64;
    Ok((calls / took.as_secs_f64(), cpu.as_secs_f64() * 1e6 / calls))
}

fn start_partners(
    plan: &Plan,
    server: &NatsServer,
    per_message: usize,
    dir: &Path,
) -> anyhow::Result<Process> {
    let own = plan.connections == Connections::Own;
    let this = std::env::current_exe().context("finding this executable")?;
    let arguments =
        [server.url(), plan.partners.to_string(), per_message.to_string(), own.to_string()];
    let program = Program::new(this).role(RAW_ROLE);
    let log = dir.join("raw-partners.log");
    let mut partners = Process::new("raw-partners", program, arguments.to_vec(), log);
    partners.start()?;
    Ok(partners)
}

/// The ids of `count` partners.
fn ids(count: u16) -> anyhow::Result<Vec<PartnerId>> {
    (1..=count).map(|n| Ok(PartnerId::parse(&format!("raw-{n:02}"))?)).collect()
}

/// Who asks all partners, again and again.
struct Asker {
    client: Client,
    /// Subject, reply subject and body of the question to each partner.
    questions: Vec<(String, String, Bytes)>,
    per_message: usize,
}

impl Asker {
    async fn connect(plan: &Plan, server: &NatsServer, items: usize) -> anyhow::Result<Self> {
        let client = async_nats::ConnectOptions::new()
            .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
            .connect(server.url())
            .await?;
        let question_to = |partner: PartnerId| {
            let reply_to = partner_reply(&partner, PartnerReplyKind::Quote);
            let question = |n: usize| {
                let call = CallId { epoch: 1, counter: 1_000_000 + n as u64 };
                question(book(0), call)
            };
            let items = (0..items).map(question).collect::<anyhow::Result<_>>()?;
            let body = json::encode(&QuoteRequests { reply_to: reply_to.clone(), items });
            anyhow::Ok((partner_quote(&partner), reply_to, Bytes::from(body)))
        };
        let questions = ids(plan.partners)?.into_iter().map(question_to);
        let questions = questions.collect::<anyhow::Result<_>>()?;
        Ok(Self { client, questions, per_message: items })
    }

    /// The partners connect at their own pace.
    async fn until_all_answer(&self) -> anyhow::Result<()> {
        for (subject, _, body) in &self.questions {
            let one = wait::until(format!("{subject} is answered"), READY_WITHIN, async || {
                let answer = self.client.request(subject.clone(), body.clone()).await;
                Ok(answer.is_ok().then_some(()))
            });
            one.await?;
        }
        Ok(())
    }

    async fn ask_all(&self, call: &mut u64) -> anyhow::Result<()> {
        for (subject, reply, body) in &self.questions {
            *call += 1;
            let mut headers = HeaderMap::new();
            headers.insert(NATS_MESSAGE_ID, format!("1-{call}").as_str());
            let (subject, reply) = (subject.clone(), reply.clone());
            self.client
                .publish_with_reply_and_headers(subject, reply, headers, body.clone())
                .await?;
        }
        Ok(())
    }

    /// Calls answered in the window, its length, and the server's CPU meanwhile.
    async fn run(
        &self,
        in_flight: usize,
        server: u32,
    ) -> anyhow::Result<(u64, Duration, Duration)> {
        let mut answers = self.client.subscribe(partner_quote_replies()).await?;
        self.client.flush().await?;
        let mut call = 1_000_000;
        for _ in 0..in_flight.max(1) {
            self.ask_all(&mut call).await?;
        }
        let (started, partners) = (Instant::now(), self.questions.len());
        let (mut answered, mut counted) = (0_usize, None);
        loop {
            answers.next().await.context("the answers ended")?;
            answered += 1;
            if !answered.is_multiple_of(partners) {
                continue;
            }
            let elapsed = started.elapsed();
            match counted {
                None if elapsed >= WARM_UP => {
                    counted = Some((answered, elapsed, process::cpu_time(server)?));
                }
                Some((before, from, cpu)) if elapsed >= WARM_UP + WINDOW => {
                    let calls = ((answered - before) * self.per_message) as u64;
                    return Ok((calls, elapsed - from, process::cpu_time(server)? - cpu));
                }
                _ => {}
            }
            self.ask_all(&mut call).await?;
        }
    }
}
