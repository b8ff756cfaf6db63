import { amount, call, clock, complain, element, follow, minor, money, newKey, say, token } from "./api.js";
import { offers, plot, quotes as seen } from "./plot.js";

const $ = (id) => document.getElementById(id);
const OPEN = new Set(["pending", "searching", "quoted", "out_of_stock", "ordering"]);
const known = new Map();
let chosen, stop, next, glance, canBuy = false, tokens = new Map();

const WORDS = {
  created: "Accepted, and safely written down.", updated: "Changed.", quoted: "In stock, but above the limit.",
  out_of_stock: "No store has it.", ordering: "A store was chosen; buying.", ordered: "Bought.",
  completed: "Paid.", expired: "The time was up before it could be bought.", failed: "It could not be bought.",
  canceled: "Canceled.", cancel_requested: "Cancel asked for; the order's own outcome decides.",
  cancel_refused: "The store keeps the order.", incident: "A person has to look at it.",
};

function row(view) {
  const price = view.checkout?.order_total || view.checkout?.quote?.total || view.best_quote?.total;
  return element("li", {}, element("button", { "data-id": view.request_id, "aria-current": String(view.request_id === chosen), onclick: () => choose(view.request_id) },
    element("span", {}, view.isbn), element("span", { class: `status ${view.status}` }, view.status.replaceAll("_", " ")),
    element("span", { class: "soft" }, `at most ${money(view.max_total)}${price ? `, best ${money(price)}` : ""}`),
    element("span", { class: "soft" }, clock(view.created_at))));
}

function draw() {
  const wanted = $("filter").value;
  const all = [...known.values()].filter((view) => !wanted || view.status === wanted);
  all.sort((a, b) => (a.request_id < b.request_id ? 1 : -1));
  const focused = document.activeElement?.dataset?.id;
  $("requests").replaceChildren(...all.map(row));
  if (focused) $("requests").querySelector(`[data-id="${focused}"]`)?.focus();
}

function learn(view) {
  const before = known.get(view.request_id);
  if (before && before.version > view.version) return;
  known.set(view.request_id, view);
  draw();
  if (view.request_id === chosen) show(view);
}

async function load(cursor) {
  const status = $("filter").value;
  const query = new URLSearchParams({ limit: "30", ...(status && { status }), ...(cursor && { cursor }) });
  const page = await call("GET", `/v1/purchase-requests?${query}`);
  for (const view of page.requests) known.set(view.request_id, view);
  next = page.next;
  $("more").hidden = !next;
  draw();
}

// What is open is looked at again; the chosen one is followed event by event.
async function refresh() {
  try {
    if (document.visibilityState === "visible" && token.get()) await load();
  } catch { /* the next look tells */ }
  setTimeout(refresh, 3000);
}

function show(view) {
  $("one").hidden = false;
  $("one-title").textContent = `${view.isbn}: ${view.status.replaceAll("_", " ")}`;
  const order = view.checkout;
  let text = `${view.quantity} at most ${money(view.max_total)}, until ${clock(view.expires_at)}.`;
  if (view.status === "ordered") text = `Bought from ${order.quote.partner_id} for ${money(order.order_total || order.quote.total)}. Order ${order.order_id}.`;
  else if (view.best_quote) text += ` Best so far: ${money(view.best_quote.total)} at ${view.best_quote.partner_id}.`;
  if (view.failure) text += ` Reason: ${view.failure.replaceAll("_", " ")}. ${view.failure_detail || ""}`;
  if (view.incident) text += " A person is looking at it.";
  $("one-says").textContent = text;
  const can = [];
  if (canBuy && OPEN.has(view.status) && !view.cancel_requested) {
    can.push(element("button", { class: "danger", id: "cancel", onclick: () => act(cancel) }, "Cancel"));
  }
  if (canBuy && view.status === "quoted") {
    can.push(element("button", { id: "raise", onclick: () => act(raise) }, `Raise the limit to ${money(view.best_quote.total)}`));
    const input = element("input", { id: "accept-token", placeholder: "token of the notification", "aria-label": "Token of the quoted notification", value: tokens.get(view.request_id) || "", oninput: (event) => tokens.set(view.request_id, event.target.value) });
    can.push(input, element("button", { id: "accept", onclick: () => act(accept) }, "Accept the quote"));
  }
  const focused = document.activeElement?.id;
  $("one-can").replaceChildren(...can);
  if (focused && $("one-can").contains($(focused))) $(focused).focus();
}

async function act(what) {
  try { learn(await what(known.get(chosen))); say("Done."); } catch (error) { complain(error); }
}

const cancel = (view) => call("POST", `/v1/purchase-requests/${view.request_id}/cancel`, undefined, { "Idempotency-Key": newKey() });
// In force only for the request as it is seen here.
const raise = (view) => call("PATCH", `/v1/purchase-requests/${view.request_id}`, { max_total: view.best_quote.total }, { "Idempotency-Key": newKey(), "If-Match": `"${view.version}"` });
const accept = (view) => call("POST", `/v1/purchase-requests/${view.request_id}/accept-quote`, { accept_token: $("accept-token").value.trim() }, { "Idempotency-Key": newKey() });

function choose(id) {
  chosen = id;
  stop?.abort();
  stop = new AbortController();
  $("line").replaceChildren();
  $("receipt").replaceChildren();
  draw();
  if (known.has(id)) show(known.get(id));
  $("one-title").focus();
  follow(`/v1/purchase-requests/${id}/events`, heard, stop.signal);
  receipt(id);
}

function heard(event) {
  if (event.request_id !== chosen) return;
  const price = event.request.checkout?.order_total || event.request.best_quote?.total;
  $("line").append(element("li", { "data-event": event.event }, `${WORDS[event.event] || event.event}${price ? ` ${money(price)}` : ""} `, element("span", { class: "soft" }, clock(event.at))));
  learn(event.request);
  receipt(event.request_id);
}

const cost = (quote, currency) => ["item", "shipping", "tax", "fee"].filter((part) => quote[part] !== undefined).map((part) => `${part} ${amount(quote[part], currency)}`).join(", ");

// How soon to look again: a sweep lasts a second or two, and between sweeps little happens.
const PAUSE = { pending: 400, searching: 400, quoted: 2000, out_of_stock: 2000 };

function underWay(sweep) {
  const best = sweep.offers.filter((offer) => offer.affordable).sort((a, b) => a.total.amount - b.total.amount)[0];
  return [
    element("h3", {}, "Asking stores now"),
    element("p", { id: "under-way" }, `${sweep.answered} of ${sweep.eligible} stores answered. ${best ? `Best so far: ${money(best.total)} at ${best.partner_id}.` : "Nothing within the limit yet."}`),
    element("div", { class: "scroll" }, plot(offers(sweep), sweep.max_total)),
  ];
}

async function receipt(id) {
  clearTimeout(glance);
  let answer = {};
  try { answer = await call("GET", `/v1/purchase-requests/${id}/receipt`); } catch { /* the next look tells */ }
  if (id !== chosen) return;
  clearTimeout(glance);
  const pause = answer.running ? PAUSE.searching : PAUSE[known.get(id)?.status];
  if (pause) glance = setTimeout(() => receipt(id), document.visibilityState === "visible" ? pause : 5000);
  if (answer.running) return $("receipt").replaceChildren(...underWay(answer.running));
  const found = answer.receipt;
  if (!found) return;
  const currency = found.max_total.currency;
  const verdict = {
    buy: () => `${found.winner.partner_id} had the best price: ${money(found.winner.total)} (${cost(found.winner, currency)}).`,
    too_dear: () => "Somebody has it, but nobody within the limit.",
    no_stock: () => "Enough stores answered, and none has it.",
    no_answer: () => "Too few stores answered to say anything.",
  }[found.verdict]();
  const skipped = (found.search?.skipped || []).reduce((sum, one) => sum + one.count, 0);
  const quotes = [
    ...(found.winner ? [["bought", found.winner]] : []),
    ...found.beaten.map((quote) => ["beaten", quote]),
    ...found.unaffordable.map((quote) => [quote.why.replaceAll("_", " "), quote]),
  ];
  const rows = quotes.map(([what, quote]) => element("tr", {}, element("td", {}, quote.partner_id), element("td", { class: "number" }, quote.total ? money(quote.total) : "?"), element("td", {}, what), element("td", {}, cost(quote, currency))));
  const head = element("tr", {}, element("th", { scope: "col" }, "Store"), element("th", { scope: "col", class: "number" }, "In all"), element("th", { scope: "col" }, "What came of it"), element("th", { scope: "col" }, "Made of"));
  $("receipt").replaceChildren(
    element("h3", {}, "Receipt"),
    element("p", { id: "verdict" }, `${verdict} ${found.answered} of ${found.eligible} stores answered${skipped ? `, ${skipped} were not asked` : ""}.`),
    element("div", { class: "scroll" }, plot(seen(found), found.max_total)), element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))));
}

async function enter() {
  if (!token.get()) return;
  try {
    const me = await call("GET", "/v1/me");
    if (me.scope !== "requester" && me.scope !== "read_only") {
      $("me").textContent = `${me.name} (${me.scope})`;
      return say(me.scope === "operator" ? "This token is an operator's: see the page Operator." : "This token is no customer's.", true);
    }
    canBuy = me.scope === "requester";
    $("me").textContent = `${me.customer_id} (${me.name})`;
    $("enter").hidden = true;
    $("leave").hidden = $("all").hidden = false;
    $("wish").hidden = !canBuy;
    await load();
    if (location.hash.length > 1) choose(location.hash.slice(1));
  } catch (error) {
    token.forget();
    complain(error);
  }
}

$("token-form").addEventListener("submit", (event) => { event.preventDefault(); token.set($("token").value.trim()); $("token").value = ""; enter(); });
$("leave").addEventListener("click", () => { token.forget(); location.reload(); });
$("filter").addEventListener("change", () => load().catch(complain));
$("more").addEventListener("click", () => load(next).catch(complain));

// One key for one wish: pressed twice, or sent again after a lost answer, it is bought once.
let wishKey = newKey(), until;
const newWish = () => { wishKey = newKey(); until = undefined; };
$("wish-form").addEventListener("input", newWish);
$("wish-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wish = Object.fromEntries(new FormData(event.target));
  const currency = wish.currency.toUpperCase(), total = minor(wish.price, currency);
  if (total === undefined) return say("The price must be an amount such as 24.99.", true);
  until ??= new Date(Date.now() + Number(wish.minutes) * 60000).toISOString();
  const isIsbn = /^[\dxX -]{10,17}$/.test(wish.book.trim());
  const body = {
    item: { scheme: isIsbn ? "isbn" : "title", value: wish.book.trim() },
    quantity: Number(wish.quantity), max_total: { amount: total, currency },
    expires_at: until,
    destination: { country: wish.country.toUpperCase(), postal_code: wish.postal_code },
    payment_token: wish.payment_token, strategy: wish.strategy, mode: wish.mode,
  };
  $("buy").disabled = true;
  try {
    const view = await call("POST", "/v1/purchase-requests", body, { "Idempotency-Key": wishKey });
    newWish();
    say("Accepted.");
    learn(view);
    choose(view.request_id);
  } catch (error) {
    if (error.status < 500) newWish();
    complain(error);
  } finally {
    $("buy").disabled = false;
  }
});

enter().then(refresh);
