"use strict";
// When each task of a test ran, and where it waited.

function part(value, whole) {
  return `${Math.max(0, Math.min(100, (value / whole) * 100)).toFixed(3)}%`;
}

function bar(kind, from, to, whole, place) {
  // Where there is no room for a line, the pointer finds it.
  const fits = place && to - from > whole * 0.07;
  const element = el("span", { class: kind, title: place || false }, fits ? place.slice(place.indexOf(":") + 1) : "");
  element.style.left = part(from, whole);
  element.style.width = part(to - from, whole);
  return element;
}

function taskTrack(task, until, places, isAlone) {
  const [, created, ended, , , steps] = task;
  const last = ended === null ? until : ended;
  const track = el("span", { class: "track" }, bar(ended === null ? "life open" : "life", created, last, until));
  steps.forEach(([began, length, place], at) => {
    const next = at + 1 < steps.length ? steps[at + 1][0] : last;
    const from = began + length;
    if (places && next > from && (ended === null || from < ended)) {
      track.append(bar("waits", from, next, until, place === null ? "" : places[place]));
    }
    if (places || isAlone) track.append(bar("runs", began, from, until));
  });
  return track;
}

function atAGlance(tasks) {
  if (tasks.made) return `${count(tasks.made, "task")}${tasks.made > 1 ? `, ${tasks.most} at a time` : ""}`;
  return tasks.waits ? `${tasks.waits} waits in a row` : "";
}

function miniTasks(tasks) {
  const shown = tasks.tasks.slice(0, 6);
  return el("span", { class: "mini", "aria-hidden": "true" }, tasks.until ? shown.map((task) => taskTrack(task, tasks.until, null, shown.length === 1)) : "");
}

function tasksView(tasks) {
  const rows = tasks.tasks.map((task) => {
    const [name, created, ended, isOutermost, made] = task;
    const lived = ended === null ? `from ${seconds(created)}, did not end` : `from ${seconds(created)} to ${seconds(ended)}`;
    return el("li", { class: isOutermost ? "outermost" : "" },
      el("span", { class: "task-name", title: made === null ? name : `${name}, made at ${tasks.places[made]}` }, name),
      tasks.until ? taskTrack(task, tasks.until, tasks.places) : "",
      el("span", { class: "task-time" }, lived));
  });
  const more = [tasks.moreTasks ? count(tasks.moreTasks, "more task") : "", tasks.moreSteps ? count(tasks.moreSteps, "more step") : ""].filter(Boolean);
  return el("section", { class: "tasks" },
    el("h3", {}, "Tasks"),
    el("p", {}, tasks.says[0].toUpperCase() + tasks.says.slice(1) + "."),
    tasks.leftOut ? el("p", { class: "quiet" }, "The page is full: when they ran is left out here. Run this test alone to see it.") : el("ul", { class: "timeline" }, rows),
    more.length ? el("p", { class: "quiet" }, `… and ${more.join(", ")}`) : "",
    tasks.until && !tasks.leftOut ? el("p", { class: "axis quiet" }, el("span", {}, "0"), el("span", {}, `${seconds(tasks.until)} by the clock of the loop`)) : "");
}
