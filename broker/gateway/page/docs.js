// The contract as a page: everything here stands in openapi.json.
import { element } from "./api.js";

const main = document.getElementById("main");
const contract = await (await fetch("/openapi.json")).json();
const resolve = (schema) => (schema?.$ref ? contract.components.schemas[schema.$ref.split("/").pop()] : schema);

function fields(schema, depth = 0) {
  const found = resolve(schema) || {};
  const rows = Object.entries(found.properties || {}).map(([name, one]) => {
    const type = resolve(one) || {};
    const kind = [one.$ref?.split("/").pop(), type.format, [].concat(type.type || (type.enum ? "one of" : [])).join(" or "), type.enum?.join(", ")].filter(Boolean).join(", ");
    return element("tr", {}, element("td", {}, element("code", {}, name), (found.required || []).includes(name) ? " *" : ""), element("td", {}, kind), element("td", {}, one.description || type.description || ""));
  });
  if (!rows.length) return undefined;
  const head = element("tr", {}, ...["Field (* needed)", "Kind", "Meaning"].map((text) => element("th", { scope: "col" }, text)));
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function content(of) {
  const [media, one] = Object.entries(of?.content || {})[0] || [];
  return media && [element("p", { class: "soft" }, media), fields(one.schema)];
}

function operation(method, path, one) {
  const parameters = (one.parameters || []).map((each) => element("tr", {}, element("td", {}, element("code", {}, each.name), each.required ? " *" : ""), element("td", {}, each.in), element("td", {}, each.description || "")));
  const answer = Object.entries(one.responses).find(([status]) => status < 400);
  const refusals = Object.keys(one.responses).filter((status) => status >= 400);
  return element("details", { id: one.operationId }, element("summary", {}, element("strong", {}, method.toUpperCase()), " ", element("code", {}, path), ` – ${one.summary}`),
    parameters.length ? element("div", { class: "scroll" }, element("table", {}, element("tbody", {}, ...parameters))) : undefined,
    ...(one.requestBody ? [element("h3", {}, "Body"), ...(content(one.requestBody) || [])] : []),
    element("h3", {}, `Answer ${answer[0]}`), element("p", {}, answer[1].description), ...(content(answer[1]) || []),
    element("p", { class: "soft" }, `Refusals: ${refusals.join(", ")} as application/problem+json.`));
}

document.getElementById("about").append(element("h2", {}, `${contract.info.title} ${contract.info.version}`), element("p", {}, contract.info.description));
for (const tag of contract.tags) {
  const section = element("section", { class: "wide" }, element("h2", {}, `${tag.name}: ${tag.description}`));
  for (const [path, methods] of Object.entries(contract.paths)) {
    for (const [method, one] of Object.entries(methods)) if (one.tags.includes(tag.name)) section.append(operation(method, path, one));
  }
  main.append(section);
}
const rows = contract["x-problems"].map((one) => element("tr", {}, element("td", {}, element("code", {}, one.code)), element("td", { class: "number" }, String(one.status)), element("td", { class: "number" }, one.number ? String(one.number) : "")));
main.append(element("section", { class: "wide" }, element("h2", {}, "Codes of refusals"), element("div", { class: "scroll" }, element("table", {}, element("tbody", {}, ...rows)))));
