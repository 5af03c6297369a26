// Keeps the page up to date; everything can be read without it.
//
// When the server says that a record changed, the same page is fetched again
// and its parts are put in place of the old ones. A log that grows is not
// fetched again: its new lines come by themselves.
"use strict";

const LINES_MAX = 20000;
const FETCH_PAUSE_MS = 500;

function replaceParts(fresh) {
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = document.getElementById(part.id);
    if (!old || old.outerHTML === part.outerHTML) continue;
    // A growing log stays until its end; only the titles of its steps change.
    if (old.dataset.follow && part.dataset.follow) continue;
    for (const details of part.querySelectorAll("details[id]")) {
      const before = document.getElementById(details.id);
      if (before && before.open) details.open = true;
    }
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const same = focused && focused.href;
    old.replaceWith(document.adoptNode(part));
    if (focused) {
      const next = focused.id
        ? document.getElementById(focused.id)
        : [...part.querySelectorAll("a")].find((link) => link.href === same);
      if (next) next.focus({ preventScroll: true });
    }
  }
  document.title = fresh.title;
}

let isFetching = false;
let isStale = false;

async function refresh() {
  if (isFetching) {
    isStale = true;
    return;
  }
  isFetching = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      // A run that had no job yet has no place for a log.
      if (!document.querySelector("#log") && fresh.querySelector("#log")) location.reload();
      replaceParts(fresh);
      follow();
    }
  } catch (error) {
    // The server is away for a moment; the next event brings the page up to date.
  }
  setTimeout(() => {
    isFetching = false;
    if (isStale) {
      isStale = false;
      refresh();
    }
  }, FETCH_PAUSE_MS);
}

let lines = null;
let followed = null;

function follow() {
  const log = document.querySelector("#log[data-follow]");
  if (!log || followed === log) return;
  if (lines) lines.close();
  followed = log;
  lines = new EventSource(log.dataset.follow);
  lines.addEventListener("lines", (event) => {
    const nearEnd = window.innerHeight + window.scrollY >= document.body.scrollHeight - 80;
    for (const { step, html } of JSON.parse(event.data)) {
      const group = log.querySelector(`details[data-step="${step}"]`);
      if (!group) {
        refresh();
        continue;
      }
      const list = group.querySelector("ol");
      if (!list.childElementCount) group.open = true;
      list.insertAdjacentHTML("beforeend", html);
      while (list.childElementCount > LINES_MAX) list.firstElementChild.remove();
    }
    if (nearEnd && !location.hash) window.scrollTo(0, document.body.scrollHeight);
  });
  lines.addEventListener("end", () => {
    lines.close();
    log.removeAttribute("data-follow");
    refresh();
  });
}

function ago(date) {
  const seconds = Math.max(0, (Date.now() - date) / 1000);
  const units = [[86400, "day"], [3600, "hour"], [60, "minute"], [5, "second"]];
  for (const [length, unit] of units) {
    if (seconds >= length) {
      const count = Math.floor(unit === "second" ? seconds : seconds / length);
      return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
    }
  }
  return "just now";
}

function tick() {
  for (const time of document.querySelectorAll("time[title]")) {
    time.textContent = ago(new Date(time.dateTime));
  }
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    const box = document.querySelector("#q");
    if (box) {
      box.focus();
      event.preventDefault();
    }
  }
});

const live = document.body.dataset.live;
if (live) {
  new EventSource(live).addEventListener("change", refresh);
  follow();
  setInterval(tick, 15000);
}
