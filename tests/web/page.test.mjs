// The gateway's page in a browser, as people use it. What the page shows is never taken for what
// happened: the broker is asked through its HTTP API.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

const { GATEWAY_URL, CUSTOMER_TOKEN, OPERATOR_TOKEN, BOOK, BOOK_CENTS, FAST_STORES, CHROMIUM, PLAYWRIGHT } = process.env;
const { chromium } = await import(PLAYWRIGHT);

const TOTAL = Number(BOOK_CENTS);
const written = (cents) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
const PATIENCE_MS = 20_000;
let browser;

before(async () => {
  // The sandbox of Chromium refuses to work for root, as whom containers run tests.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  browser = await chromium.launch({ executablePath: CHROMIUM, args });
});
after(() => browser?.close());

// A test with a tab of its own, which may log no error.
function tried(name, path, steps, viewport = { width: 1100, height: 900 }) {
  test(name, async () => {
    const context = await browser.newContext({ viewport, locale: "en-US" });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const errors = [];
    page.on("console", (said) => said.type() === "error" && errors.push(said.text()));
    page.on("pageerror", (error) => errors.push(String(error)));
    try {
      await page.goto(GATEWAY_URL + path);
      await steps(page);
      assert.deepEqual(errors, []);
    } finally {
      await context.close();
    }
  });
}

async function api(path, token = CUSTOMER_TOKEN) {
  const answer = await fetch(GATEWAY_URL + path, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200, path);
  return answer.json();
}

async function enter(page, token = CUSTOMER_TOKEN) {
  await page.getByLabel("Token of").fill(token);
  await page.getByRole("button", { name: "Open" }).click();
}

// Fills in the form and presses the button; the request's id as the broker knows it.
async function buy(page, cents, mode = "one_shot") {
  const known = new Set((await api("/v1/purchase-requests?limit=100")).requests.map((one) => one.request_id));
  await page.getByLabel("ISBN or title").fill(BOOK);
  await page.getByLabel("Most in all").fill(written(cents));
  await page.getByLabel("If too dear").selectOption(mode);
  await page.getByRole("button", { name: "Buy at this price" }).click();
  await page.locator("#line li[data-event=created]").waitFor();
  const made = (await api("/v1/purchase-requests?limit=100")).requests.filter((one) => !known.has(one.request_id));
  assert.equal(made.length, 1, "one request was made");
  return made[0].request_id;
}

const title = (page, status) => page.locator("#one-title", { hasText: `: ${status}` }).waitFor();

tried("a book is ordered in the form and the receipt says why in plain words", "/", async (page) => {
  await enter(page);
  const id = await buy(page, TOTAL);
  await title(page, "ordered");
  const seen = await api(`/v1/purchase-requests/${id}`);
  assert.equal(seen.status, "ordered");
  assert.equal(seen.checkout.order_total.amount, TOTAL);
  assert.equal(seen.max_total.amount, TOTAL);
  const store = seen.checkout.quote.partner_id;
  const says = await page.locator("#one-says").textContent();
  assert.match(says, new RegExp(`Bought from ${store} for ${written(TOTAL)} USD\\. Order ${seen.checkout.order_id}\\.`));
  await page.locator("#verdict").waitFor();
  const verdict = await page.locator("#verdict").textContent();
  const { receipt } = await api(`/v1/purchase-requests/${id}/receipt`);
  assert.equal(receipt.winner.partner_id, store);
  assert.ok(verdict.startsWith(`${store} had the best price: ${written(TOTAL)} USD (item`), verdict);
  assert.ok(verdict.includes(`${receipt.answered} of ${receipt.eligible} stores answered`), verdict);
  const rows = await page.locator("#receipt tbody tr").count();
  assert.equal(rows, 1 + receipt.beaten.length + receipt.unaffordable.length);
});

tried("a request that keeps looking is canceled and stays canceled", "/", async (page) => {
  await enter(page);
  const id = await buy(page, TOTAL - 1, "watch");
  await title(page, "quoted");
  assert.equal((await api(`/v1/purchase-requests/${id}`)).status, "quoted");
  const button = page.getByRole("button", { name: "Cancel", exact: true });
  await button.click();
  await title(page, "canceled");
  assert.equal((await api(`/v1/purchase-requests/${id}`)).status, "canceled");
  assert.equal(await button.count(), 0);
});

tried("offers are drawn as they land while another store is still asked", "/", async (page) => {
  await enter(page);
  await page.evaluate(() => {
    window.drawn = [];
    const look = () => {
      const says = document.querySelector("#under-way")?.textContent;
      if (says) window.drawn.push([says, document.querySelectorAll("#receipt svg circle").length]);
    };
    new MutationObserver(look).observe(document.querySelector("#receipt"), { childList: true });
  });
  const id = await buy(page, TOTAL - 1, "watch");
  await title(page, "quoted");
  const drawn = await page.evaluate(() => window.drawn);
  const fast = drawn.find(([, dots]) => dots === Number(FAST_STORES));
  assert.ok(fast, JSON.stringify(drawn));
  assert.equal(fast[0], `${FAST_STORES} of ${Number(FAST_STORES) + 1} stores answered. Nothing within the limit yet.`);
  const { receipt } = await api(`/v1/purchase-requests/${id}/receipt`);
  assert.equal(receipt.verdict, "too_dear");
});

tried("a limit that was a cent too low is raised to the price, and the book is ordered", "/", async (page) => {
  await enter(page);
  const id = await buy(page, TOTAL - 1, "watch");
  await title(page, "quoted");
  await page.getByRole("button", { name: `Raise the limit to ${written(TOTAL)} USD` }).click();
  await title(page, "ordered");
  const seen = await api(`/v1/purchase-requests/${id}`);
  assert.equal(seen.status, "ordered");
  assert.equal(seen.max_total.amount, TOTAL);
});

tried("what is wrong with a wish is told beside the form, and nothing is made", "/", async (page) => {
  await enter(page);
  await page.locator("#requests li").first().waitFor();
  const before = await api("/v1/purchase-requests?limit=100");
  await page.getByLabel("ISBN or title").fill(BOOK);
  await page.getByLabel("Most in all").fill("24.999");
  await page.getByRole("button", { name: "Buy at this price" }).click();
  await page.locator("#say", { hasText: "must be an amount" }).waitFor();
  assert.deepEqual((await api("/v1/purchase-requests?limit=100")).requests.length, before.requests.length);
});

tried("a request is found again by its address after the page was loaded anew", "/", async (page) => {
  await enter(page);
  const id = await buy(page, TOTAL);
  await title(page, "ordered");
  await page.goto(`${GATEWAY_URL}/#${id}`);
  await page.reload();
  await title(page, "ordered");
  await page.locator("#line li[data-event=ordered]").waitFor();
});

const letters = async () => (await api("/v1/operator/dead-letters?limit=100", OPERATOR_TOKEN)).letters;

tried("an operator replays a dead letter, and it goes the normal way again", "/operator", async (page) => {
  const [before] = await letters();
  await enter(page, OPERATOR_TOKEN);
  const letter = page.locator(`#letters [data-letter="${before.number}"]`);
  await letter.locator("summary").click();
  await letter.getByRole("button", { name: "Replay" }).click();
  await page.locator("#say", { hasText: `Letter ${before.number} was published again.` }).waitFor();
  // What is still wrong with it makes a letter anew, which names the one before.
  const anew = page.locator(`#letters [data-letter="${before.number + 1}"]`);
  await anew.waitFor();
  const now = await letters();
  assert.equal(now[0].headers["Broker-Replay-Of"], String(before.number));
  assert.equal(now[0].payload.data, before.payload.data);
});

tried("an operator drops a letter for ever only with a reason", "/operator", async (page) => {
  const [last] = await letters();
  await enter(page, OPERATOR_TOKEN);
  const letter = page.locator(`#letters [data-letter="${last.number}"]`);
  await letter.locator("summary").click();
  const drop = letter.getByRole("button", { name: "Drop for ever" });
  page.once("dialog", (dialog) => dialog.dismiss());
  await drop.click();
  assert.equal((await letters())[0].number, last.number);
  page.once("dialog", (dialog) => dialog.accept("tried by hand"));
  await drop.click();
  await page.locator("#say", { hasText: "the audit log has it" }).waitFor();
  assert.ok((await letters()).every((one) => one.number !== last.number));
});

const focused = (page) => page.evaluate(() => {
  const at = document.activeElement;
  return at.name || at.id || at.textContent.trim();
});

async function tabs(page, times) {
  const seen = [];
  for (let n = 0; n < times; n++) {
    await page.keyboard.press("Tab");
    seen.push(await focused(page));
  }
  return seen;
}

tried("a book is bought and a request canceled by keyboard alone", "/", async (page) => {
  assert.deepEqual(await tabs(page, 6), ["To the content", "Requests", "Operator", "API", "token", "Open"]);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.type(CUSTOMER_TOKEN);
  await page.keyboard.press("Enter");
  await page.locator("#wish").waitFor();
  while (await focused(page) !== "book") await page.keyboard.press("Tab");
  await page.keyboard.type(BOOK);
  assert.deepEqual(await tabs(page, 1), ["price"]);
  await page.keyboard.type(written(TOTAL - 1));
  const rest = ["currency", "quantity", "minutes", "country", "postal_code", "payment_token", "strategy", "mode", "buy"];
  assert.deepEqual(await tabs(page, rest.length), rest);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("k"); // keep looking
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await title(page, "quoted");
  assert.equal(await focused(page), "one-title", "what became of it has the focus");
  assert.deepEqual(await tabs(page, 2), ["cancel", "raise"]);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await title(page, "canceled");
  const [last] = (await api("/v1/purchase-requests?limit=1")).requests;
  assert.deepEqual([last.isbn, last.status, last.mode], [BOOK, "canceled", "watch"]);
});

const PHONE = { width: 360, height: 740 };
const fits = async (page) => {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= PHONE.width, `the page is ${width} px wide`);
};

tried("on a phone nothing is cut off: buying", "/", async (page) => {
  await fits(page);
  await enter(page);
  await buy(page, TOTAL);
  await page.locator("#receipt svg").waitFor();
  await fits(page);
}, PHONE);

tried("on a phone nothing is cut off: operators", "/operator", async (page) => {
  await enter(page, OPERATOR_TOKEN);
  await page.locator("#partners tbody tr").first().waitFor();
  for (const summary of await page.locator("#letters summary").all()) await summary.click();
  await fits(page);
}, PHONE);

tried("on a phone nothing is cut off: the contract", "/docs", async (page) => {
  const operations = page.locator("main summary");
  await operations.first().waitFor();
  for (const summary of await operations.all()) await summary.click();
  await fits(page);
}, PHONE);

// A figure of this machine, told and not judged.
tried("how long the first look takes", "/", async (page) => {
  const { paint, bytes } = await page.evaluate(async () => {
    const paint = await new Promise((done) => {
      new PerformanceObserver((list) => {
        const first = list.getEntriesByName("first-contentful-paint")[0];
        if (first) done(first.startTime);
      }).observe({ type: "paint", buffered: true });
    });
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return { paint, bytes: all.reduce((sum, one) => sum + one.transferSize, 0) };
  });
  console.log(`first contentful paint after ${Math.round(paint)} ms, ${bytes} bytes transferred`);
});
