import { call, clock, complain, element, minor, money, say, token } from "./api.js";

const $ = (id) => document.getElementById(id);

const cell = (text, number) => element("td", number ? { class: "number" } : {}, text === undefined ? "–" : String(text));
const percent = (permille) => (permille === undefined ? undefined : `${(permille / 10).toFixed(1)} %`);
const tier = (value) => (typeof value === "object" ? Object.keys(value)[0] : value);

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}

async function sweeps() {
  const { sweeps } = await call("GET", "/v1/operator/sweeps");
  const best = (sweep) => sweep.offers.filter((offer) => offer.affordable).sort((a, b) => a.total.amount - b.total.amount)[0];
  const row = (sweep) => element("tr", {}, cell(sweep.isbn), cell(sweep.customer_id), cell(money(sweep.max_total), true), cell(clock(sweep.started_at)),
    cell(`${sweep.answered} of ${sweep.eligible}`, true), cell(best(sweep) && `${money(best(sweep).total)} at ${best(sweep).partner_id}`));
  $("sweeps").replaceChildren(sweeps.length ? table(["Book", "Customer", "At most", "Since", "Answered", "Best so far"], sweeps.map(row)) : element("p", {}, "None at this moment."));
}

async function partners() {
  const { partners } = await call("GET", "/v1/operator/partners");
  $("partners").replaceChildren(table(
    ["Store", "Tier", "Circuit", "p50", "p95", "In time", "In stock", "Kept", "Won", "At once", "Answers"],
    partners.map((one) => element("tr", {}, cell(one.partner_id), cell(tier(one.tier)), cell(one.circuit),
      cell(one.p50_ms === undefined ? undefined : `${one.p50_ms} ms`, true), cell(one.p95_ms === undefined ? undefined : `${one.p95_ms} ms`, true),
      cell(percent(one.in_time_permille), true), cell(percent(one.in_stock_permille), true), cell(percent(one.kept_permille), true),
      cell(percent(one.won_permille), true), cell(one.concurrency_limit, true), cell(one.answers, true)))));
}

async function letters() {
  const { letters } = await call("GET", "/v1/operator/dead-letters?limit=20");
  if (!letters.length) return $("letters").replaceChildren(element("p", {}, "None."));
  $("letters").replaceChildren(...letters.map((one) => element("details", { "data-letter": one.number },
    element("summary", {}, `${one.number}: ${one.reason.replaceAll("_", " ")} on ${one.subject}, ${clock(one.received_at)}`),
    element("p", {}, one.detail),
    element("pre", {}, one.payload.encoding === "withheld" ? "(withheld: it holds what looks like a card number)" : one.payload.data),
    element("div", { class: "buttons" },
      element("button", { class: "replay", onclick: () => act(`/v1/operator/dead-letters/${one.number}/replay`, undefined, `Letter ${one.number} was published again.`) }, "Replay"),
      element("button", { class: "danger drop", onclick: () => drop(one.number) }, "Drop for ever")))));
}

async function act(path, body, done) {
  try { await call("POST", path, body); say(done); await look(); } catch (error) { complain(error); }
}

function drop(number) {
  const reason = prompt(`Why may letter ${number} be deleted for ever?`);
  if (reason) act(`/v1/operator/dead-letters/${number}/drop`, { reason }, `Letter ${number} is gone; the audit log has it.`);
}

function evidence(one) {
  const known = [
    ["customer", one.customer], ["book", `${one.isbn} × ${one.quantity}, at most ${money(one.max_total)}`],
    ["what is wrong", one.incident?.replaceAll("_", " ")], ["frozen since", one.frozen_at && clock(one.frozen_at)],
  ];
  const attempt = one.attempt;
  if (attempt) known.push(["attempt", attempt.number], ["store", attempt.partner], ["step", attempt.step], ["key at the store", attempt.placement_key],
    ["at most", money(attempt.price_cap)], ["may be accepted until", attempt.not_after && clock(attempt.not_after)], ["money held", money(attempt.authorized)],
    ["unknown since", attempt.unknown_since && clock(attempt.unknown_since)], ["look-ups", attempt.lookups], ["order", attempt.order_id]);
  return known.filter(([, value]) => value !== undefined && value !== "" && value !== null)
    .map(([what, value]) => element("tr", {}, element("th", { scope: "row" }, what), element("td", {}, String(value))));
}

function incident(one) {
  const word = element("input", { required: true, maxlength: 500, "aria-label": "How do you know?", placeholder: "How do you know? The audit log keeps it." });
  const order = element("input", { maxlength: 64, "aria-label": "The store's order number", placeholder: "the store's order number" });
  const total = element("input", { inputmode: "decimal", "aria-label": "Total of the order", placeholder: "total, such as 24.99" });
  const resolve = (resolution) => {
    if (!word.value.trim()) return say("Say how you know it.", true);
    const body = { resolution, reason: word.value.trim() };
    if (resolution !== "release") body.attempt = one.attempt?.number;
    if (resolution === "found") {
      const currency = one.max_total.currency, paid = minor(total.value, currency);
      if (!order.value.trim() || paid === undefined) return say("An order that was found has a number and a total.", true);
      body.order_id = order.value.trim();
      body.total = { amount: paid, currency };
    }
    act(`/v1/operator/incidents/${one.request_id}/resolve`, body, "Written down.");
  };
  const buttons = one.attempt
    ? [element("button", { class: "found", onclick: () => resolve("found") }, "The order stands"), element("button", { class: "danger not-found", onclick: () => resolve("not_found") }, "There is no such order")]
    : [];
  if (one.frozen_at) buttons.push(element("button", { class: "release", onclick: () => resolve("release") }, "Let it go on"));
  return element("details", { "data-request": one.request_id, open: true }, element("summary", {}, `${one.request_id}: ${one.status}`),
    element("table", {}, element("tbody", {}, ...evidence(one))), word, element("div", { class: "two" }, order, total), element("div", { class: "buttons" }, ...buttons));
}

async function incidents() {
  // What somebody is writing in is left alone.
  if ($("incidents").contains(document.activeElement)) return;
  const { incidents } = await call("GET", "/v1/operator/incidents");
  $("incidents").replaceChildren(...(incidents.length ? incidents.map(incident) : [element("p", {}, "Nothing.")]));
}

async function look() {
  const open = [...document.querySelectorAll("#letters details[open]")].map((one) => one.dataset.letter);
  await Promise.all([sweeps(), partners(), letters(), incidents()]);
  for (const number of open) document.querySelector(`#letters [data-letter="${number}"]`)?.setAttribute("open", "");
}

async function refresh() {
  try { if (document.visibilityState === "visible" && token.get()) await look(); } catch { /* the next look tells */ }
  setTimeout(refresh, 2000);
}

async function enter() {
  if (!token.get()) return;
  try {
    const me = await call("GET", "/v1/me");
    $("me").textContent = `${me.name} (${me.scope})`;
    if (me.scope !== "operator") return say("This needs a token of an operator.", true);
    $("enter").hidden = true;
    $("leave").hidden = false;
    for (const desk of document.querySelectorAll(".desk")) desk.hidden = false;
    await look();
  } catch (error) { token.forget(); complain(error); }
}

$("token-form").addEventListener("submit", (event) => { event.preventDefault(); token.set($("token").value.trim()); $("token").value = ""; enter(); });
$("leave").addEventListener("click", () => { token.forget(); location.reload(); });
enter().then(refresh);
