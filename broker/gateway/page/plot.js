// Every quote by the time it took and its price, against the limit.
import { amount } from "./api.js";

const NS = "http://www.w3.org/2000/svg";
const W = 640, H = 220, LEFT = 72, RIGHT = 12, TOP = 14, BOTTOM = 34;

function svg(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Who quoted what, and how long the answer took, as far as the receipt says.
export function quotes(receipt) {
  const took = new Map();
  for (const round of receipt.search?.rounds || []) {
    for (const asked of round.asked) took.set(asked.partner_id, round.after_ms + asked.took_ms);
  }
  const one = (quote, kind) => ({ partner: quote.partner_id, total: quote.total?.amount, currency: quote.total?.currency, kind, ms: took.get(quote.partner_id) ?? 0 });
  return [
    ...(receipt.winner ? [one(receipt.winner, "won")] : []),
    ...receipt.beaten.map((quote) => one(quote, "fits")),
    ...receipt.unaffordable.map((quote) => one(quote, "dear")),
  ].filter((quote) => quote.total !== undefined && quote.currency === receipt.max_total.currency);
}

// What has come so far in a sweep that has not ended.
export function offers(running) {
  const one = (offer) => ({ partner: offer.partner_id, total: offer.total?.amount, kind: offer.affordable ? "fits" : "dear", ms: new Date(offer.offered_at) - new Date(running.started_at) });
  return running.offers.filter((offer) => offer.total && offer.currency === running.max_total.currency).map(one);
}

export function plot(all, max) {
  const limit = max.amount, currency = max.currency;
  const slowest = Math.max(100, ...all.map((quote) => quote.ms)) * 1.05;
  const prices = [limit, ...all.map((quote) => quote.total)];
  const low = Math.min(...prices) * 0.97, high = Math.max(...prices) * 1.03 + 1;
  const x = (ms) => LEFT + (ms / slowest) * (W - LEFT - RIGHT);
  const y = (total) => H - BOTTOM - ((total - low) / (high - low)) * (H - TOP - BOTTOM);
  const words = `${all.length} quotes by answer time and price; the limit is ${amount(limit, currency)}.`;
  const made = svg("svg", { class: "plot", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": words });
  made.append(svg("line", { x1: LEFT, y1: H - BOTTOM, x2: W - RIGHT, y2: H - BOTTOM }));
  made.append(svg("line", { x1: LEFT, y1: TOP, x2: LEFT, y2: H - BOTTOM }));
  made.append(svg("line", { class: "limit", x1: LEFT, y1: y(limit), x2: W - RIGHT, y2: y(limit) }));
  made.append(svg("text", { x: W - RIGHT, y: y(limit) - 4, "text-anchor": "end" }, "limit"));
  for (const total of [low, (low + high) / 2, high]) {
    made.append(svg("text", { x: LEFT - 6, y: y(total) + 4, "text-anchor": "end" }, amount(Math.round(total), "").trim()));
  }
  for (const ms of [0, slowest / 2, slowest]) {
    const anchor = ms === slowest ? "end" : ms === 0 ? "start" : "middle";
    made.append(svg("text", { x: x(ms), y: H - BOTTOM + 16, "text-anchor": anchor }, `${Math.round(ms)} ms`));
  }
  for (const quote of all) {
    const dot = svg("circle", { class: quote.kind, cx: x(quote.ms), cy: y(quote.total), r: quote.kind === "won" ? 6 : 4 });
    dot.append(svg("title", {}, `${quote.partner}: ${amount(quote.total, currency)} after ${quote.ms} ms`));
    made.append(dot);
  }
  return made;
}
