// @ts-check
// Buys a book over HTTP, with nothing but what Node.js has: node submit-http.js ISBN MAX_TOTAL_IN_CENTS
//
// Exit codes: 0 ordered, 7 ended without an order, 1 anything else (as the command line does).
// GATEWAY_URL and BROKER_TOKEN say where and as whom; `broker token` makes tokens.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** @typedef {{ amount: number, currency: string }} Money in minor units, never a fraction */
/** @typedef {{ partner_id: string, total: Money }} Quote */

const gateway = process.env.GATEWAY_URL ?? "http://127.0.0.1:8090";
const token = process.env.BROKER_TOKEN ?? "";
const REQUESTS = "/v1/purchase-requests";
const OPEN_FOR_MS = 60_000;
const PATIENCE_MS = 30_000; // after the deadline: an order sent in time may be confirmed later
const CLOSED = ["ordered", "expired", "failed", "canceled"];
const RESTING = [...CLOSED, "quoted", "out_of_stock"]; // mode `watch` goes on after these two

class Failed extends Error {}
class Refused extends Error {
  /** @param {any} problem */
  constructor(problem) {
    super(`refused ${problem.code} (${problem.number}): ${problem.detail}`);
    this.problem = problem;
  }
}

/** The idempotency key, and the request's id. Make it once, before the first attempt to send. */
function uuid7() {
  const hex = Date.now().toString(16).padStart(12, "0") + randomBytes(10).toString("hex");
  const variant = ((parseInt(hex[16], 16) & 3) | 8).toString(16);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), "7" + hex.slice(13, 16)];
  return [...parts, variant + hex.slice(17, 20), hex.slice(20)].join("-");
}

/** @param {string} isbn @param {number} cents @param {object} more */
function wish(isbn, cents, more = {}) {
  return {
    item: { scheme: "isbn", value: isbn },
    max_total: { amount: cents, currency: "USD" }, // delivered: everything included
    expires_at: new Date(Date.now() + OPEN_FOR_MS).toISOString(),
    destination: { country: "US", postal_code: "94107" },
    payment_token: "tok_visa", // from the payment provider; never a card number
    ...more,
  };
}

/**
 * Silence does not tell whether it was done, and with the same key it is done only once: repeat.
 * @param {string} method @param {string} path @param {object} [body] @param {string} [key]
 * @returns {Promise<{ answer: any, replayed: boolean }>}
 */
async function ask(method, path, body, key) {
  /** @type {Record<string, string>} */
  const headers = { Authorization: `Bearer ${token}` };
  if (body) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  for (let pauseMs of [500, 1000, 2000, 4000, 8000]) {
    try {
      const signal = AbortSignal.timeout(15_000);
      const said = await fetch(gateway + path, { method, headers, body: body && JSON.stringify(body), signal });
      const answer = await said.json();
      if (said.ok) return { answer, replayed: said.headers.get("Idempotent-Replayed") === "true" };
      if (!answer.retryable) throw new Refused(answer);
      pauseMs = 1000 * Number(said.headers.get("Retry-After") ?? pauseMs / 1000);
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    await sleep(pauseMs);
  }
  throw new Failed(`${method} ${path}: no answer; send the same call with the same key again later`);
}

/**
 * What happens to the request; goes on behind the last event after a lost connection.
 * @param {string} requestId @param {AbortSignal} signal
 */
async function* events(requestId, signal) {
  /** @type {Record<string, string>} */
  const headers = { Authorization: `Bearer ${token}` };
  for (;;) {
    try {
      const said = await fetch(`${gateway}${REQUESTS}/${requestId}/events`, { headers, signal });
      if (!said.ok || !said.body) throw new Error(`status ${said.status}`);
      let text = "";
      for await (const chunk of said.body.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const lines = text.split("\n");
        text = lines.pop() ?? "";
        for (const line of lines) {
          if (line.startsWith("id: ")) headers["Last-Event-ID"] = line.slice(4);
          if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
        }
      }
    } catch (error) {
      if (signal.aborted) return;
    }
    await sleep(1000);
  }
}

/** @param {string} requestId @param {string[]} endings */
async function outcome(requestId, endings) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), OPEN_FOR_MS + PATIENCE_MS);
  try {
    for await (const told of events(requestId, stop.signal)) {
      if (endings.includes(told.status)) return told.request;
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
  throw new Failed(`${requestId}: no outcome yet; ask for it later`);
}

/** @param {Money} total */
function money({ amount, currency }) {
  const cents = String(amount % 100).padStart(2, "0");
  return `${Math.floor(amount / 100)}.${cents} ${currency}`;
}

/** @param {any} request */
async function show(request) {
  const { request_id, status } = request;
  /** @type {Quote | undefined} */
  const best = request.checkout?.quote ?? request.best_quote;
  console.log(status, request_id, ...(best ? [`${money(best.total)} at ${best.partner_id}`] : []));
  const { receipt } = (await ask("GET", `${REQUESTS}/${request_id}/receipt`)).answer;
  for (const beaten of receipt?.beaten.slice(0, 3) ?? []) {
    console.log(`  beaten: ${money(beaten.total)} at ${beaten.partner_id}`);
  }
  for (const { after_ms, why, asked } of receipt?.search?.rounds ?? []) {
    const turns = asked.map((/** @type {any} */ a) => `${a.partner_id} ${a.outcome} ${a.took_ms} ms`);
    console.log(`  asked after ${after_ms} ms, ${why}: ${turns.join(", ")}`);
  }
}

/** @param {string} isbn @param {number} cents */
async function main(isbn, cents) {
  const key = uuid7();
  const order = wish(isbn, cents);
  for (const word of ["accepted", "repeated"]) { // the second time as after a lost answer
    const { answer, replayed } = await ask("POST", REQUESTS, order, key);
    console.log(`${word} ${answer.request_id} replayed=${replayed}`);
  }
  const told = await outcome(key, RESTING);
  await show(told);

  // One that stays open, as nobody sells at that price, until we change our mind.
  const other = (await ask("POST", REQUESTS, wish(isbn, 1, { mode: "watch" }), uuid7())).answer.request_id;
  await ask("POST", `${REQUESTS}/${other}/cancel`, { reason: "found one" }, uuid7());
  await show(await outcome(other, CLOSED));

  try {
    await ask("POST", REQUESTS, wish("978-0-306-40615-8", cents), uuid7()); // a digit is wrong
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const [{ code, pointer, detail }] = error.problem.errors;
    console.log(`refused ${code} (${error.problem.number}) in ${pointer}: ${detail}`);
  }
  return told.status === "ordered" ? 0 : 7;
}

const [isbn, cents] = process.argv.slice(2);
if (!cents) {
  console.error("usage: node submit-http.js ISBN MAX_TOTAL_IN_CENTS");
  process.exit(1);
}
try {
  process.exitCode = await main(isbn, Number(cents));
} catch (error) {
  console.error(error instanceof Failed || error instanceof Refused ? error.message : error);
  process.exitCode = 1;
}
