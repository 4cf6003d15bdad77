"use strict";
// A schedule as swim lanes. Where everything stands is said by lanes.py; here it is only drawn.

const ROW = 46, TOP = 30, BOX = 32, FEW = 16;

function columnWidth(lanes) {
  return lanes.boxes.length > FEW ? 34 : 82;
}

function lanesFigure(lanes, title, note) {
  const column = columnWidth(lanes);
  const x = (at) => Math.round(at * column) + 4;
  const y = (row) => TOP + row * ROW;
  const width = x(lanes.columns) + 8, height = TOP + lanes.rows.length * ROW + 4;
  const told = el("p", { class: "step-told", "aria-live": "polite" });
  const picture = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}: ${count(lanes.boxes.length, "step")} of ${count(lanes.rows.length, "task")}; the same as text follows` });
  lanes.rows.forEach((_, row) => picture.append(shape("line", { class: "lane", x1: 0, x2: width, y1: y(row) + BOX / 2, y2: y(row) + BOX / 2 })));
  for (const [at, moment] of lanes.moments) {
    picture.append(shape("line", { class: "moment", x1: x(at) - 4, x2: x(at) - 4, y1: 18, y2: height }));
    picture.append(shape("text", { class: "moment-text", x: x(at) - 2, y: 13 }, seconds(moment)));
  }
  for (const [row, from, to] of lanes.waits) {
    picture.append(shape("line", { class: "wait", x1: x(from) - 4, x2: x(to), y1: y(row) + BOX / 2, y2: y(row) + BOX / 2 }));
  }
  lanes.boxes.forEach((box, at) => {
    const next = lanes.boxes[at + 1];
    if (!next || next.row === box.row) return;
    const from = x(box.column + 1) - 6, to = x(next.column);
    const start = y(box.row) + (next.row > box.row ? BOX : 0), stop = y(next.row) + (next.row > box.row ? 0 : BOX);
    picture.append(shape("path", { class: next.deviates ? "switch deviates" : "switch", d: `M${from},${start} L${to + 3},${stop}` }));
  });
  const groups = lanes.boxes.map((box) => stepBox(box, x(box.column), y(box.row), column - 6));
  picture.append(...groups);
  let chosen = -1;
  const choose = (at) => {
    if (at < 0 || at >= groups.length || at === chosen) return;
    if (chosen >= 0) groups[chosen].classList.remove("chosen");
    groups[(chosen = at)].classList.add("chosen");
    told.textContent = stepText(lanes, lanes.boxes[at]);
  };
  groups.forEach((group, at) => {
    group.addEventListener("mouseenter", () => choose(at));
    group.addEventListener("click", () => choose(at));
  });
  const first = lanes.boxes.findIndex((box) => box.deviates);
  const scroll = el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": `${title}; the arrow keys go from step to step`, onkeydown: (event) => {
    const to = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: groups.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to);
    if (groups[chosen]) groups[chosen].scrollIntoView({ block: "nearest", inline: "nearest" });
  } }, picture);
  choose(first < 0 ? 0 : first);
  const names = lanes.rows.map((name, row) => el("span", { title: lanes.started[row] ? `${name}, started at ${lanes.started[row]}` : name }, name));
  return el("figure", { class: "lanes" },
    el("figcaption", {}, el("strong", {}, title), note ? ` ${note}` : ""),
    el("div", { class: "lanes-body" }, el("div", { class: "names", "aria-hidden": "true" }, names), scroll),
    told,
    lanes.left_out ? el("p", { class: "quiet" }, `… and ${count(lanes.left_out, "more step")}, earlier or of further tasks`) : "",
    el("details", { class: "as-text" }, el("summary", {}, "The steps as text"), el("ol", {}, lanes.boxes.map((box) => el("li", { value: box.number }, stepText(lanes, box, true))))));
}

function stepBox(box, left, top, width) {
  const touches = box.touches || [];
  const kind = touches.some((each) => each.startsWith("writes")) ? " writes" : touches.length ? " reads" : "";
  const group = shape("g", { class: `step${box.deviates ? " deviates" : ""}${kind}` });
  group.append(shape("rect", { x: left, y: top, width, height: BOX, rx: 4 }));
  const line = (text) => (/^\d+:/.test(text || "") ? parseInt(text, 10) : "");
  const moves = box.ends === "ends" ? `${line(box.begins)} → end` : `${line(box.begins) || "start"} → ${line(box.ends) || "…"}`;
  const verbs = [...new Set(touches.map((each) => each.split(" ", 1)[0]))];
  if (width < 60) {
    group.append(shape("text", { x: left + width / 2, y: top + 20, "text-anchor": "middle" }, verbs.map((each) => each[0].toUpperCase()).join("") || String(box.number)));
    return group;
  }
  const middle = left + width / 2;
  group.append(shape("text", { x: middle, y: top + (verbs.length ? 14 : 20), "text-anchor": "middle" }, moves.trim()));
  if (verbs.length) group.append(shape("text", { class: "verb", x: middle, y: top + 27, "text-anchor": "middle" }, verbs.join(", ")));
  return group;
}

function stepText(lanes, box, alone) {
  const parts = [alone ? "" : `step ${box.number} · `, `${seconds(box.at)} · ${lanes.rows[box.row]} · from ${box.begins} to ${box.ends}`];
  if (box.touches) parts.push(` · ${box.touches.join(", ")}`);
  if (box.deviates) parts.push(" · asyncio itself would have let another one go first");
  return parts.join("");
}

function scheduleView(schedule) {
  const ways = schedule.deviations > 0 ? count(schedule.deviations, "deviation") + " from asyncio’s own order" : "in asyncio’s own order";
  const shared = [...schedule.shared, ...(schedule.cancelled ? [schedule.cancelled] : [])];
  const runs = [schedule.failing, schedule.passing].filter((lanes) => lanes && lanes.boxes.length);
  const pair = el("div", { class: "pair" }, runs.map((lanes) => lanes === schedule.passing
    ? lanesFigure(lanes, "Passes", "asyncio’s own order")
    : lanesFigure(lanes, schedule.token ? "Fails" : "What ran", `${schedule.token ? ways : ""}${schedule.schedules ? `, found after ${count(schedule.schedules, "schedule")}` : ""}`)));
  // Side by side where both fit.
  pair.style.setProperty("--need", `${220 + Math.max(0, ...runs.map((lanes) => lanes.columns * columnWidth(lanes)))}px`);
  return el("section", { class: "schedule" },
    schedule.token ? el("h3", {}, "The schedule") : "",
    schedule.failure ? el("p", { class: "failure" }, schedule.failure) : "",
    shared.length ? el("ul", { class: "shared" }, shared.map((each) => el("li", {}, each))) : "",
    pair,
    el("p", { class: "legend" },
      el("span", { class: "key deviates" }, "goes first, though asyncio itself would have let another one"),
      el("span", { class: "key reads" }, "reads what is shared"), el("span", { class: "key writes" }, "writes it"),
      el("span", {}, "a box is a step, from the line where the task waited to the line where it waits next")),
    schedule.token ? el("p", { class: "replay" }, "Replay it: ", el("code", {}, schedule.command || `explore(…, replay="${schedule.token}")`), copyButton(schedule.command || schedule.token)) : "",
    schedule.uncontrolled.map((each) => el("p", { class: "quiet" }, `not controlled: ${each}`)));
}

function copyButton(text) {
  return el("button", { type: "button", class: "copy", onclick: async (event) => {
    const button = event.currentTarget;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "selected";
    }
  } }, "copy");
}
