// Keeps a page up to date, shows times in the zone of the reader, copies lines.
"use strict";

const durable = {
  time(text) {
    const at = new Date(text);
    const today = at.toDateString() === new Date().toDateString();
    const options = today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "medium" };
    return new Intl.DateTimeFormat(undefined, options).format(at);
  },

  // The exact time stays readable as a title.
  times(root) {
    for (const element of root.querySelectorAll("time[datetime]:not([title])")) {
      element.title = element.dateTime;
      element.textContent = durable.time(element.dateTime);
    }
  },

  // Replaces the region by what the server renders now; what is focused or open stays so.
  async refresh(id) {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    const region = document.getElementById(id);
    if (!region) return;
    if (answer.status === 404) { location.reload(); return; }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
    if (!fresh) return;
    durable.times(fresh);
    const same = region.cloneNode(true);
    for (const element of same.querySelectorAll("details[open]")) element.removeAttribute("open");
    if (same.isEqualNode(fresh)) return;
    const focused = region.contains(document.activeElement) && document.activeElement;
    const address = focused && focused.getAttribute("href");
    const open = [...region.querySelectorAll("details")].map((element) => element.open);
    const scrolled = [...region.querySelectorAll(".scroll")].map((element) => element.scrollLeft);
    region.replaceChildren(...fresh.childNodes);
    region.querySelectorAll("details").forEach((element, index) => { element.open = open[index] || false; });
    region.querySelectorAll(".scroll").forEach((element, index) => { element.scrollLeft = scrolled[index] || 0; });
    if (address) region.querySelector(`a[href="${CSS.escape(address)}"]`)?.focus();
  },

  // One refresh at a time; changes meanwhile lead to one more.
  refresher(id) {
    let running = false, again = false;
    return async function run() {
      if (running) { again = true; return; }
      running = true;
      try { await durable.refresh(id); } catch { /* The next event tries again. */ }
      running = false;
      if (again) { again = false; run(); }
    };
  },

  // Follows the events of the server while the page is visible.
  follow(url, handlers) {
    const light = document.getElementById("live");
    let source = null;
    function open() {
      source = new EventSource(url);
      source.onopen = () => { light.hidden = false; };
      source.onerror = () => { light.hidden = true; };
      for (const [name, handler] of Object.entries(handlers)) {
        source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
      }
    }
    function close() {
      source?.close();
      source = null;
      light.hidden = true;
    }
    document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else if (!source) open(); });
    addEventListener("pagehide", close);
    addEventListener("pageshow", () => { if (!source && !document.hidden) open(); });
    if (!document.hidden) open();
  },
};

durable.times(document);
const watched = document.querySelector("[data-live]");
if (watched && !watched.dataset.timeline) {
  const refresh = durable.refresher(watched.dataset.region);
  durable.follow(watched.dataset.live, { ready: refresh, changed: refresh, reload: refresh, rows: refresh });
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
  }
});
