"use strict";
// What was found in a test.

function findingView(finding, schedule) {
  // What the schedule shows below need not be said twice.
  const details = finding.details.filter((detail) => !schedule || !schedule.token || !detail.includes(schedule.token));
  const place = finding.path === null ? "" : `${finding.path}:${finding.line}`;
  return el("article", { class: "finding" },
    el("h3", {}, ruleLink(finding.code), " ", finding.symptom),
    place ? el("p", { class: "place" }, el("code", {}, place), ` in ${finding.function}`) : "",
    finding.lines.length ? el("pre", { class: "lines", tabindex: 0, "aria-label": `source, line ${finding.line} is meant` }, finding.lines.map((line) => sourceLine(line, finding.line))) : "",
    el("dl", {}, el("dt", {}, "cause"), el("dd", {}, finding.cause), el("dt", {}, "fix"), el("dd", { class: "fix" }, finding.fix),
      details.flatMap((detail) => [el("dt", {}, "note"), el("dd", {}, detail)])));
}

function sourceLine([number, text], guilty) {
  const isGuilty = number === guilty;
  return el("span", { class: isGuilty ? "line guilty" : "line" },
    el("span", { class: "number" }, `${isGuilty ? "▶" : " "} ${number}`), el("span", { class: "text" }, text || " "));
}

function ruleLink(code) {
  return el("a", { class: "code", href: `#${code}`, title: `what ${code} is` }, code);
}

function rulesView(rules) {
  const pages = Object.entries(rules).map(([code, page]) =>
    el("details", { class: "rule", id: code }, el("summary", {}, page.split("\n", 1)[0]), el("pre", {}, page.slice(page.indexOf("\n")).trim())));
  return pages.length ? el("section", { class: "rules", "aria-label": "rules" }, el("h2", {}, "The rules"), pages) : "";
}

function testView(test) {
  return [
    ...(test.findings || []).map((finding) => findingView(finding, test.schedule)),
    test.schedule ? scheduleView(test.schedule) : "",
    test.message ? el("pre", { class: "message", tabindex: 0, "aria-label": "how it failed" }, test.message) : "",
    test.explored ? el("p", { class: "explored" }, `Explored: ${test.explored}.`) : "",
    test.tasks ? tasksView(test.tasks) : "",
  ].filter(Boolean);
}
