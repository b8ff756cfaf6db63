// What both pages share: calls with the token of this tab, and small helpers.

export const token = {
  get: () => sessionStorage.getItem("token"),
  set: (text) => sessionStorage.setItem("token", text),
  forget: () => sessionStorage.removeItem("token"),
};

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || `the gateway answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

export async function call(method, path, body, headers = {}) {
  const options = { method, headers: { Authorization: `Bearer ${token.get()}`, ...headers } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  const text = await answer.text();
  let value = {};
  try { value = text ? JSON.parse(text) : {}; } catch { value = { detail: text.slice(0, 200) }; }
  if (!answer.ok) throw new Refused(answer.status, value);
  return value;
}

// A UUID version 7: as a key it becomes the id of the request.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let ms = Date.now();
  for (let at = 5; at >= 0; at--) { bytes[at] = ms % 256; ms = Math.floor(ms / 256); }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// Elements are made of text, never of markup: nothing that stores or customers say is run.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

const digits = (currency) => {
  try { return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits; } catch { return 2; }
};

// Minor units as people write them, digit by digit.
export function amount(minor, currency) {
  const places = digits(currency);
  const text = String(minor).padStart(places + 1, "0");
  const whole = text.slice(0, text.length - places);
  return `${whole}${places ? "." + text.slice(-places) : ""} ${currency}`;
}

export const money = (value) => (value ? amount(value.amount, value.currency) : "");

// What people write as minor units; nothing if it is no amount.
export function minor(text, currency) {
  const places = digits(currency);
  const found = /^(\d{1,10})(?:[.,](\d+))?$/.exec(text.trim());
  if (!found || (found[2] || "").length > places) return undefined;
  return Number(found[1] + (found[2] || "").padEnd(places, "0"));
}

export const clock = (text) => new Date(text).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });

export function say(text, bad = false) {
  const line = document.getElementById("say");
  line.textContent = text;
  line.className = bad ? "bad" : "";
}

export function complain(error) {
  const fields = (error.problem?.errors || []).map((one) => `${one.pointer.slice(2)}: ${one.detail}`);
  say(fields.length ? fields.join("; ") : error.message, true);
}

// Server-sent events by fetch, because EventSource sends no token; goes on where it was cut off.
export async function follow(path, heard, stopped) {
  let last;
  while (!stopped.aborted) {
    try {
      const headers = { Authorization: `Bearer ${token.get()}` };
      if (last) headers["Last-Event-ID"] = last;
      const answer = await fetch(path, { headers, signal: stopped });
      if (!answer.ok) throw new Error(answer.status);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
        let end;
        while ((end = text.indexOf("\n\n")) >= 0) {
          const event = {};
          for (const line of text.slice(0, end).split("\n")) {
            const colon = line.indexOf(":");
            if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
          }
          text = text.slice(end + 2);
          if (event.id) last = event.id;
          if (event.data) heard(JSON.parse(event.data));
        }
      }
    } catch (error) {
      if (stopped.aborted) return;
    }
    await new Promise((done) => setTimeout(done, 1000));
  }
}
