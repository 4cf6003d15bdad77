"use strict";
// The list of tests, what of it is shown, and which test is open.

const SIGNS = { passed: "✓", failed: "✗", error: "!", skipped: "–", xfailed: "x", xpassed: "X" };
const AT_ONCE = 1000;

class TestList {
  constructor(tests) {
    this.all = tests.map((test) => this.entry(test));
    this.all.sort((one, other) => one.rank - other.rank);
    this.element = el("ol", { class: "tests", "aria-label": "tests" });
    this.limit = AT_ONCE;
    this.more = el("button", { type: "button", class: "more", onclick: () => { this.limit = Infinity; this.fill(); } });
    this.said = el("p", { class: "quiet", role: "status" });
    this.show(this.all);
  }

  entry(test) {
    const findings = test.findings || [];
    const text = [test.id, test.outcome, test.message, ...findings.flatMap((each) => [each.code, each.symptom, each.path])].join("\n").toLowerCase();
    const rank = findings.length ? 0 : test.outcome === "failed" || test.outcome === "error" ? 1 : 2;
    return { test, text, rank, codes: new Set(findings.map((each) => each.code)), row: null };
  }

  row(entry) {
    if (entry.row) return entry.row;
    const { test } = entry;
    const at = test.id.split("::", 1)[0].lastIndexOf("/") + 1;
    const findings = test.findings || [];
    const body = el("div", { class: "body", hidden: true });
    const has = findings.length || test.schedule || test.message || test.explored || test.tasks;
    const head = el("button", { type: "button", class: `head ${test.outcome}`, "aria-expanded": "false", onclick: () => this.toggle(entry) },
      el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[test.outcome]),
      el("span", { class: "name" }, el("span", { class: "folder" }, test.id.slice(0, at)), test.id.slice(at)),
      el("span", { class: "facts" },
        [...entry.codes].map((code) => el("span", { class: "code" }, code)),
        el("span", { class: "outcome" }, test.outcome),
        el("span", { class: "says" }, test.tasks ? atAGlance(test.tasks) : "")),
      test.tasks ? miniTasks(test.tasks) : el("span", { class: "mini" }),
      el("span", { class: "took" }, seconds(test.seconds)));
    entry.row = el("li", { class: findings.length ? "found" : "" }, head, body);
    Object.assign(entry, { head, body, has });
    return entry.row;
  }

  toggle(entry, open) {
    this.row(entry);
    const opens = open === undefined ? entry.body.hidden : open;
    if (opens && !entry.body.firstChild) {
      const view = testView(entry.test);
      entry.body.append(...(view.length ? view : [el("p", { class: "quiet" }, "Nothing to tell of it: no finding, and no task was seen.")]));
    }
    entry.body.hidden = !opens;
    entry.head.setAttribute("aria-expanded", String(opens));
  }

  show(entries) {
    this.shown = entries;
    this.fill();
  }

  fill() {
    const { shown, limit } = this;
    this.element.replaceChildren(...shown.slice(0, limit).map((entry) => this.row(entry)));
    this.more.hidden = shown.length <= limit;
    this.more.textContent = `… and ${shown.length - limit} more: show them`;
    this.said.textContent = shown.length === this.all.length ? count(shown.length, "test") : `${shown.length} of ${count(this.all.length, "test")}`;
  }

  filter(words, outcome, code) {
    const asked = words.toLowerCase().split(/\s+/).filter(Boolean);
    this.show(this.all.filter((entry) =>
      asked.every((word) => entry.text.includes(word)) &&
      (!outcome || entry.test.outcome === outcome || (outcome === "findings" && entry.codes.size)) && (!code || entry.codes.has(code))));
  }

  at() {
    return this.shown.findIndex((entry) => entry.row && entry.row.contains(document.activeElement));
  }

  move(by) {
    const at = this.at();
    const to = at < 0 ? (by > 0 ? 0 : -1) : Math.max(0, Math.min(this.shown.length - 1, at + by));
    const entry = this.shown[to];
    if (entry && entry.row) entry.head.focus();
  }

  close() {
    const entry = this.shown[this.at()];
    if (!entry || entry.body.hidden) return false;
    this.toggle(entry, false);
    entry.head.focus();
    return true;
  }

  // For paper: everything that the filter leaves. What was closed is closed again afterwards.
  openAll() {
    const limit = this.limit;
    this.limit = Infinity;
    this.fill();
    const closed = this.shown.filter((entry) => entry.body.hidden && entry.has);
    closed.forEach((entry) => this.toggle(entry, true));
    return () => {
      closed.forEach((entry) => this.toggle(entry, false));
      this.limit = limit;
      this.fill();
    };
  }
}
