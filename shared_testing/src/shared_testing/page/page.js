"use strict";

function summary(data) {
  const outcomes = new Map(), codes = new Map();
  for (const test of data.tests) {
    outcomes.set(test.outcome, (outcomes.get(test.outcome) || 0) + 1);
    for (const finding of test.findings || []) codes.set(finding.code, (codes.get(finding.code) || 0) + 1);
  }
  const findings = [...codes.values()].reduce((sum, each) => sum + each, 0);
  return { outcomes, codes, findings };
}

function verdict(data, { findings, outcomes }) {
  const bad = (outcomes.get("failed") || 0) + (outcomes.get("error") || 0);
  const found = data.mode === "off" ? "Findings were off" : findings ? count(findings, "finding") : "No finding";
  return `${found}, ${bad ? `${count(bad, "test")} failed` : "no test failed"}`;
}

function choice(label, options, onchange) {
  const select = el("select", { "aria-label": label, onchange }, options.map(([value, text]) => el("option", { value }, text)));
  return select;
}

function themeButton() {
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const button = el("button", { type: "button", class: "theme", onclick: () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); } });
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; button.setAttribute("aria-label", `show the page ${isDark() ? "light" : "dark"}`); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();
  return button;
}

function openTarget() {
  const target = /^#AT\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
  if (!target) return;
  target.open = true;
  target.scrollIntoView();
  target.querySelector("summary").focus();
}

function runPage(data) {
  const told = summary(data);
  const list = new TestList(data.tests);
  const search = el("input", { type: "search", placeholder: "Filter by name, file, message …", "aria-label": "filter the tests", autocomplete: "off", spellcheck: "false" });
  const outcome = choice("outcome", [["", "Any outcome"], ...(told.findings ? [["findings", "With findings"]] : []), ...[...told.outcomes].map(([name, number]) => [name, `${name} (${number})`])], () => apply());
  const code = choice("rule", [["", "Any rule"], ...[...told.codes].sort().map(([name, number]) => [name, `${name} (${number})`])], () => apply());
  const apply = () => list.filter(search.value, outcome.value, code.value);
  const clear = () => { search.value = outcome.value = code.value = ""; apply(); };
  search.addEventListener("input", apply);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target === search;
    if (event.key === "Escape") {
      if (isTyping || !list.close()) { clear(); list.move(1); }
    } else if (isTyping) {
      if (event.key === "Enter" || event.key === "ArrowDown") { event.preventDefault(); document.activeElement.blur(); list.move(1); }
    } else if (event.target.tagName === "SELECT") {
      return;
    } else if (event.key === "/") {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "j" || event.key === "k") {
      list.move(event.key === "j" ? 1 : -1);
    }
  });

  let restore = () => {};
  addEventListener("beforeprint", () => {
    const closed = [...document.querySelectorAll("details:not([open])")];
    const close = list.openAll();
    document.querySelectorAll("details").forEach((each) => { each.open = true; });
    restore = () => { close(); closed.forEach((each) => { each.open = false; }); };
  });
  addEventListener("afterprint", () => { restore(); restore = () => {}; });
  addEventListener("hashchange", openTarget);

  const chips = [...told.outcomes].map(([name, number]) => el("li", { class: name }, el("b", {}, String(number)), ` ${name}`));
  document.getElementById("page").append(
    el("header", {},
      el("div", { class: "title" }, el("h1", {}, verdict(data, told)), themeButton()),
      el("ul", { class: "chips", "aria-label": "outcomes" }, chips, [...told.codes].sort().map(([name, number]) => el("li", { class: "found" }, ruleLink(name), ` × ${number}`))),
      el("p", { class: "quiet" }, el("code", {}, data.command), ` · ${data.when}`),
      data.ended ? el("p", { class: "ended", role: "note" }, data.ended) : ""),
    el("div", { class: "tools", role: "search" }, search, outcome, code, list.said,
      el("p", { class: "keys", "aria-hidden": "true" }, el("kbd", {}, "/"), " filter ", el("kbd", {}, "j"), " ", el("kbd", {}, "k"), " move ", el("kbd", {}, "Enter"), " open ", el("kbd", {}, "Esc"), " close, clear")),
    el("main", {}, list.element, list.more),
    rulesView(data.rules));
  if (list.all.length && list.all[0].rank < 2) list.toggle(list.all[0], true);
  openTarget();
}

{
  const data = JSON.parse(document.getElementById("data").textContent);
  if (data.schedule) document.getElementById("page").append(el("header", {}, el("div", { class: "title" }, el("h1", {}, "A schedule"), themeButton())), el("main", {}, scheduleView(data.schedule)));
  else runPage(data);
}
