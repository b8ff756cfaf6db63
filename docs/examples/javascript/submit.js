// @ts-check
// Buys a book from your own NATS client: node submit.js ISBN MAX_TOTAL_IN_CENTS
//
// Exit codes: 0 ordered, 7 ended without an order, 1 anything else (as the command line does).
// NATS_URL, NATS_USER, NATS_PASSWORD and BROKER_CUSTOMER say where and as whom.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, RequestError, TimeoutError } from "@nats-io/transport-node";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";

/** @typedef {{ amount: number, currency: string }} Money in minor units, never a fraction */
/** @typedef {{ partner_id: string, total: Money }} Quote */
/** @typedef {import("@nats-io/transport-node").NatsConnection} Connection */

const customer = process.env.BROKER_CUSTOMER ?? "alice";
const OPEN_FOR_MS = 60_000;
const PATIENCE_MS = 30_000; // after the deadline: an order sent in time may be confirmed later
const CLOSED = ["ordered", "expired", "failed", "canceled"];
const RESTING = [...CLOSED, "quoted", "out_of_stock"]; // mode `watch` goes on after these two

class Failed extends Error {}

/** The request's id and idempotency key. Make it once, before the first attempt to send. */
function uuid7() {
  const hex = Date.now().toString(16).padStart(12, "0") + randomBytes(10).toString("hex");
  const variant = ((parseInt(hex[16], 16) & 3) | 8).toString(16);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), "7" + hex.slice(13, 16)];
  return [...parts, variant + hex.slice(17, 20), hex.slice(20)].join("-");
}

/** @param {string} isbn @param {number} cents @param {object} more */
function wish(isbn, cents, more = {}) {
  return {
    request_id: uuid7(),
    item: { scheme: "isbn", value: isbn },
    max_total: { amount: cents, currency: "USD" }, // delivered: everything included
    expires_at: new Date(Date.now() + OPEN_FOR_MS).toISOString(),
    destination: { country: "US", postal_code: "94107" },
    payment_token: "tok_visa", // from the payment provider; never a card number
    ...more,
  };
}

/**
 * Silence does not tell whether it was done, and the same bytes are done only once: repeat.
 * @param {Connection} nc @param {string} operation
 * @param {{ request_id: string, [more: string]: unknown }} body
 */
async function ask(nc, operation, body) {
  const bytes = JSON.stringify(body);
  for (const pauseMs of [500, 1000, 2000, 4000, 8000]) {
    try {
      const subject = `purchase.api.${operation}.${customer}`;
      const reply = (await nc.request(subject, bytes, { timeout: 5000 })).json();
      if (reply.result === "accepted" || !reply.retryable) return reply;
      await sleep(reply.retry_after_ms ?? pauseMs);
    } catch (error) {
      // Nobody listens there now, or nobody answered in time.
      if (!(error instanceof RequestError || error instanceof TimeoutError)) throw error;
      await sleep(pauseMs);
    }
  }
  throw new Failed(`${operation} of ${body.request_id}: no answer; send the same bytes again later`);
}

/**
 * What the customer is told. Copies are possible: `notification_id` recognises them.
 * @param {import("@nats-io/jetstream").Consumer} mail @param {string} requestId
 * @param {string[]} endings
 */
async function outcome(mail, requestId, endings) {
  const giveUp = Date.now() + OPEN_FOR_MS + PATIENCE_MS;
  while (Date.now() < giveUp) {
    // Nothing within the time is no error, nor is a reconnect: the consumer remembers for us.
    const message = await mail.next({ expires: 5000 });
    if (message === null) continue;
    const told = message.json();
    message.ack(); // a real program stores it first
    if (told.request_id === requestId && endings.includes(told.outcome)) return told;
  }
  throw new Failed(`${requestId}: no outcome yet; it will be told, ask for it with \`get\``);
}

/** @param {Money} total */
function money({ amount, currency }) {
  const cents = String(amount % 100).padStart(2, "0");
  return `${Math.floor(amount / 100)}.${cents} ${currency}`;
}

/** @param {any} told */
function show({ outcome, request_id, request, receipt }) {
  /** @type {Quote | undefined} */
  const best = request.checkout?.quote ?? request.best_quote;
  console.log(outcome, request_id, ...(best ? [`${money(best.total)} at ${best.partner_id}`] : []));
  for (const beaten of receipt?.beaten.slice(0, 3) ?? []) {
    console.log(`  beaten: ${money(beaten.total)} at ${beaten.partner_id}`);
  }
  for (const { after_ms, why, asked } of receipt?.search?.rounds ?? []) {
    const turns = asked.map((/** @type {any} */ a) => `${a.partner_id} ${a.outcome} ${a.took_ms} ms`);
    console.log(`  asked after ${after_ms} ms, ${why}: ${turns.join(", ")}`);
  }
}

/** @param {Connection} nc @param {string} isbn @param {number} cents */
async function main(nc, isbn, cents) {
  // Before the first request. Durable: what is told while we are away waits for us.
  const durable = `customer_${customer}`;
  const consumers = (await jetstreamManager(nc, { checkAPI: false })).consumers;
  await consumers.info("NOTIFICATIONS", durable).catch(() =>
    consumers.add("NOTIFICATIONS", {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      filter_subject: `notify.${customer}.*`,
    }),
  );
  const mail = await jetstream(nc).consumers.get("NOTIFICATIONS", durable);

  const order = wish(isbn, cents);
  for (const word of ["accepted", "repeated"]) { // the second time as after a lost answer
    const reply = await ask(nc, "create", order);
    if (reply.result === "rejected") {
      throw new Failed(`refused ${reply.code} (${reply.number}): ${reply.detail}`);
    }
    console.log(`${word} ${order.request_id} replayed=${reply.replayed}`);
  }
  const told = await outcome(mail, order.request_id, RESTING);
  show(told);

  // One that stays open, as nobody sells at that price, until we change our mind.
  const other = wish(isbn, 1, { mode: "watch" });
  await ask(nc, "create", other);
  const { request_id } = other;
  await ask(nc, "cancel", { request_id, command_id: "cancel-1", reason: "found one" });
  show(await outcome(mail, request_id, CLOSED));

  const no = await ask(nc, "create", wish("978-0-306-40615-8", cents)); // a digit is wrong
  console.log(`refused ${no.code} (${no.number}) in ${no.field}: ${no.detail}`);
  return told.outcome === "ordered" ? 0 : 7;
}

const [isbn, cents] = process.argv.slice(2);
if (!cents) {
  console.error("usage: node submit.js ISBN MAX_TOTAL_IN_CENTS");
  process.exit(1);
}
const nc = await connect({
  servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222",
  user: process.env.NATS_USER,
  pass: process.env.NATS_PASSWORD,
  inboxPrefix: `_INBOX.${customer}`, // nobody else may read our answers
}).catch((error) => {
  console.error(`cannot connect: ${error.message}`);
  process.exit(1);
});
try {
  process.exitCode = await main(nc, isbn, Number(cents));
} catch (error) {
  console.error(error instanceof Failed ? error.message : error);
  process.exitCode = 1;
} finally {
  await nc.drain();
}
