// The operations of an execution: a tree with a bar for each over time. Only rows in sight are in the document.
"use strict";

(() => {
  const HEIGHT = 28, MARGIN = 10;
  const place = document.querySelector("[data-timeline]");
  const grid = document.getElementById("grid"), body = document.getElementById("rows");
  const detail = document.getElementById("detail"), totals = document.getElementById("totals");
  const find = document.getElementById("find"), only = document.getElementById("only");
  const page = location.pathname.replace(/\/$/, "");
  const known = new Map(), closed = new Set(), shown = new Map();
  let lines = [], first = 0, last = 1, skew = 0, current = null, opened = null, timer = 0, version = "";

  const now = () => Date.now() + skew;
  const isOpen = (row) => row.status === "started" || row.status === "pending";
  const waits = (row) => row.kind === "wait" || row.kind === "callback" || row.kind === "invoke" || row.status === "pending";

  function duration(millis) {
    const seconds = millis / 1000;
    if (millis < 1000) return `${Math.max(0, Math.round(millis))} ms`;
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60 % 60)} min`;
    return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds / 3600 % 24)} h`;
  }

  // The visible part of the tree as lines, in the order of the tree.
  function arrange() {
    const children = new Map();
    for (const row of known.values()) {
      const parent = known.has(row.parent) ? row.parent : 0;
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(row);
    }
    const text = find.value.trim().toLowerCase(), status = only.value, filtered = text || status;
    const matches = (row) => row.name.toLowerCase().includes(text) && (!status || row.status === status);
    const wanted = new Set();
    if (filtered) {
      for (const row of known.values()) {
        if (!matches(row)) continue;
        for (let up = row; up && !wanted.has(up.seq); up = known.get(up.parent)) wanted.add(up.seq);
      }
    }
    lines = [];
    const stack = [...(children.get(0) || [])].sort((a, b) => b.seq - a.seq).map((row) => [row, 1]);
    while (stack.length) {
      const [row, level] = stack.pop();
      if (filtered && !wanted.has(row.seq)) continue;
      const inner = children.get(row.seq) || [];
      lines.push({ row, level, scope: inner.length > 0 });
      if (closed.has(row.seq)) continue;
      for (const child of inner.sort((a, b) => b.seq - a.seq)) stack.push([child, level + 1]);
    }
    span();
    body.style.height = `${lines.length * HEIGHT}px`;
    grid.classList.toggle("short", lines.length < 15);
    grid.setAttribute("aria-rowcount", lines.length + 1);
    count();
    for (const element of shown.values()) element.remove();
    shown.clear();
    draw();
  }

  // From the first start to the last end, or to now.
  function span() {
    first = Infinity;
    last = -Infinity;
    for (const row of known.values()) {
      first = Math.min(first, row.started);
      last = Math.max(last, row.ended ?? now());
    }
    if (!known.size) { first = now(); last = first + 1; }
    last = Math.max(last, first + 1);
  }

  function count() {
    const counts = {};
    for (const row of known.values()) counts[row.status] = (counts[row.status] || 0) + 1;
    const parts = Object.entries(counts).map(([status, n]) => `${n} ${status}`);
    const text = known.size ? `${known.size} in all: ${parts.join(", ")}` : "none yet";
    if (totals.textContent !== text) totals.textContent = text;
  }

  function draw() {
    const from = Math.max(0, Math.floor(grid.scrollTop / HEIGHT) - MARGIN);
    const to = Math.min(lines.length, Math.ceil((grid.scrollTop + grid.clientHeight) / HEIGHT) + MARGIN);
    for (const [index, element] of shown) {
      if (index < from || index >= to) { element.remove(); shown.delete(index); }
    }
    for (let index = from; index < to; index++) {
      if (shown.has(index)) continue;
      const element = line(index);
      shown.set(index, element);
      body.append(element);
    }
    mark();
  }

  function cell(className, text) {
    const span = document.createElement("span");
    span.setAttribute("role", "gridcell");
    span.className = className;
    if (text) { span.textContent = text; span.title = text; }
    return span;
  }

  function line(index) {
    const { row, level, scope } = lines[index];
    const element = document.createElement("div");
    element.className = "row";
    element.id = `row-${row.seq}`;
    element.style.top = `${index * HEIGHT}px`;
    element.setAttribute("role", "row");
    element.setAttribute("aria-level", level);
    element.setAttribute("aria-rowindex", index + 2);
    element.dataset.index = index;
    const name = cell("name");
    name.style.paddingLeft = `${10 + (level - 1) * 16}px`;
    name.title = row.error ? `${row.name}: ${row.error}` : row.name;
    const twist = document.createElement("span");
    twist.className = "twist";
    if (scope) {
      element.setAttribute("aria-expanded", !closed.has(row.seq));
      twist.textContent = closed.has(row.seq) ? "▸" : "▾";
      twist.dataset.twist = "";
    }
    const kind = document.createElement("span");
    kind.className = "kind";
    kind.textContent = row.kind;
    name.append(twist, row.name, kind);
    if (row.taken_over) {
      const taken = document.createElement("span");
      taken.className = "kind taken";
      taken.textContent = "taken over";
      name.append(taken);
      element.classList.add("taken");
      name.title += " (taken over from the execution that this one was forked from)";
    }
    const status = cell("");
    const badge = document.createElement("span");
    badge.className = `status ${row.status}`;
    badge.textContent = row.status;
    status.append(badge);
    const took = cell("took", duration((row.ended ?? now()) - row.started));
    const bars = cell("span");
    const track = document.createElement("div");
    track.className = "bars";
    for (const bar of bars_of(row, scope)) track.append(bar);
    bars.append(track);
    const short = row.source.split("/").slice(-2).join("/");
    const source = cell("source", short);
    source.title = row.source;
    element.append(name, status, took, bars, source);
    return element;
  }

  // What waits is hatched. The times of single attempts are not recorded: their number and the last error are shown.
  function bars_of(row, scope) {
    const bar = (className, from, to) => {
      const element = document.createElement("div");
      element.className = `one ${className}`;
      const left = Math.min(1, Math.max(0, (from - first) / (last - first)));
      const right = Math.min(1, Math.max(left, (to - first) / (last - first)));
      element.style.left = `${left * 100}%`;
      element.style.width = `${(right - left) * 100}%`;
      return element;
    };
    const end = row.ended ?? now();
    const className = [waits(row) ? "waiting" : row.status, scope ? "scope" : ""].join(" ");
    const main = bar(className, row.started, end);
    const tries = [];
    if (row.attempts > 1 && row.kind !== "poll") tries.push(`${row.attempts} attempts`);
    if (row.interruptions) tries.push(`${row.interruptions} interrupted`);
    if (tries.length) {
      const label = document.createElement("span");
      label.className = "tries";
      label.textContent = tries.join(", ");
      // On the bar where there is no room beside it.
      label.classList.toggle("within", (end - first) / (last - first) >= 0.7);
      main.append(label);
    }
    const notes = [...tries];
    if (row.error && row.status !== "failed") notes.push(`last error: ${row.error}`);
    if (row.due && row.status === "pending") notes.push(`next attempt ${durable.time(row.due)}`);
    if (notes.length) main.title = notes.join(", ");
    return [main];
  }

  function mark() {
    for (const [index, element] of shown) {
      const chosen = lines[index].row.seq === current;
      element.classList.toggle("current", chosen);
      element.setAttribute("aria-selected", chosen);
    }
    const index = lines.findIndex((line) => line.row.seq === current);
    if (index >= 0 && shown.has(index)) grid.setAttribute("aria-activedescendant", `row-${current}`);
    else grid.removeAttribute("aria-activedescendant");
  }

  function go(index) {
    if (!lines.length) return;
    index = Math.min(lines.length - 1, Math.max(0, index));
    current = lines[index].row.seq;
    const top = index * HEIGHT, head = HEIGHT;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + 2 * head > grid.scrollTop + grid.clientHeight) grid.scrollTop = top + 2 * head - grid.clientHeight;
    draw();
  }

  function toggle(seq, close) {
    if (close) closed.add(seq); else closed.delete(seq);
    arrange();
  }

  async function open(seq) {
    opened = seq;
    const answer = await fetch(`${page}/operations/${seq}`);
    if (opened !== seq || !answer.ok) return;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    durable.times(parsed);
    detail.replaceChildren(...parsed.body.childNodes);
    detail.hidden = false;
    draw();
  }

  function close() {
    opened = null;
    detail.hidden = true;
    grid.focus();
    draw();
  }

  grid.addEventListener("keydown", (event) => {
    const index = lines.findIndex((line) => line.row.seq === current), line = lines[index];
    const step = Math.max(1, Math.floor(grid.clientHeight / HEIGHT) - 2);
    const keys = {
      ArrowDown: () => go(index + 1),
      ArrowUp: () => go(index < 0 ? 0 : index - 1),
      PageDown: () => go(index + step),
      PageUp: () => go(index - step),
      Home: () => go(0),
      End: () => go(lines.length - 1),
      ArrowRight: () => { if (line?.scope && closed.has(line.row.seq)) toggle(line.row.seq, false); else if (line?.scope) go(index + 1); },
      ArrowLeft: () => {
        if (line?.scope && !closed.has(line.row.seq)) toggle(line.row.seq, true);
        else if (line) go(Math.max(0, lines.findIndex((other) => other.row.seq === line.row.parent)));
      },
      Enter: () => { if (line) open(line.row.seq); },
      Escape: () => close(),
    };
    if (!keys[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  grid.addEventListener("focus", () => { if (current === null) go(0); });
  grid.addEventListener("scroll", draw, { passive: true });
  addEventListener("resize", draw);
  body.addEventListener("click", (event) => {
    const element = event.target.closest(".row");
    if (!element) return;
    const { row } = lines[Number(element.dataset.index)];
    current = row.seq;
    if (event.target.closest("[data-twist]")) toggle(row.seq, !closed.has(row.seq));
    else open(row.seq);
    mark();
  });
  detail.addEventListener("click", (event) => { if (event.target.closest("[data-close]")) close(); });
  detail.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  find.addEventListener("input", arrange);
  only.addEventListener("change", arrange);

  async function load() {
    const answer = await fetch(`${place.dataset.timeline}/timeline`);
    if (!answer.ok) return;
    const timeline = await answer.json();
    version = timeline.version;
    skew = timeline.now - Date.now();
    known.clear();
    for (const row of timeline.rows) known.set(row.seq, row);
    arrange();
  }

  // Bars of what is open grow with the time.
  function tick() {
    clearTimeout(timer);
    timer = setTimeout(tick, 1000);
    if (document.hidden || ![...known.values()].some(isOpen)) return;
    span();
    for (const element of shown.values()) element.remove();
    shown.clear();
    draw();
  }

  const refresh = durable.refresher(place.dataset.region);
  durable.follow(place.dataset.live, {
    // No event reports changes between the rendering of the page and now.
    ready(state) {
      refresh();
      if (!version || state.version !== version) load();
    },
    reload: load,
    changed: refresh,
    rows(rows) {
      for (const row of rows) known.set(row.seq, row);
      arrange();
      if (rows.some((row) => row.seq === opened)) open(opened);
    },
  });
  load();
  tick();
})();
