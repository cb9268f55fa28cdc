// Every view, light and dark, wide and narrow: no violation of WCAG AA, nothing cut off, no secret shown.
"use strict";
const { assert, check, open, run, shoot } = require("./support.cjs");

const views = {
  list: "/",
  filtered: "/?status=failed",
  nothing: "/?prefix=nothing",
  import: "/executions/import-1",
  many: "/executions/many-10000",
  failed: "/executions/charge-4711",
  approval: "/executions/approval-17",
  blocked: "/executions/blocked-1",
  slow: "/executions/slow-1",
  inbox: "/executions/inbox-1",
  graph: "/executions/import-1/graph",
  graphFailed: "/executions/charge-4711/graph",
  graphNames: "/executions/approval-17/graph",
  forked: "/executions/charge-fork",
  flaky: "/executions/flaky-1",
  progress: "/executions/progress-1",
  newest: "/?order=newest&status=suspended",
  labelled: "/?labels=tenant%3Dacme",
  queues: "/queues",
  schedules: "/schedules",
  compare: "/compare?left=import-1&right=import-2",
  start: "/start",
  cancel: "/executions/slow-1/cancel",
  retry: "/executions/charge-4711/retry",
  fork: "/executions/charge-4711/fork?operation=charge",
  send: "/executions/inbox-1/send",
  backfill: "/schedules/nightly/backfill",
  missing: "/executions/nowhere",
};

// Every view in one size, light and dark.
async function visit(browser, [size, width, height]) {
  const context = await browser.newContext({ viewport: { width, height } });
  let page;
  for (const [name, target] of Object.entries(views)) {
    // A new page would be a new process of the browser.
    page = await open(context, target, { missing: name === "missing", page });
    if (target.startsWith("/executions/") && !/\/(cancel|retry|send|graph|fork\?.*)$/.test(target) && name !== "missing") {
      await page.locator(".rows .row").first().waitFor();
    }
    const opened = { import: "token", failed: "charge", flaky: "flaky step" }[name];
    if (opened) {
      await page.locator(".rows .row", { hasText: opened }).click();
      await page.locator("#detail h3").waitFor();
    }
    if (name === "flaky") await page.locator(".rows .row .bars", { hasText: /\d+ attempts/ }).waitFor({ timeout: 120_000 });
    if (name === "progress") await page.locator("#published").waitFor();
    if (name === "forked") await page.locator(".rows .row.taken", { hasText: "taken over" }).waitFor();
    if (name === "inbox") await page.locator(".messages summary").first().click();
    if (name.startsWith("graph")) {
      await page.locator("svg.graph .node").first().waitFor();
      await page.locator("summary").click();
      await page.locator("details table").waitFor();
    }
    assert.ok(!(await page.content()).includes("hunter2"), `${name} shows a secret`);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await check(page, `${name} ${colorScheme} ${size}`, { onlyColors: colorScheme === "dark" });
      await shoot(page, `${name}-${colorScheme}-${size}`, size === "narrow");
    }
  }
  await context.close();
}

run(async (browser) => {
  const sizes = [["wide", 1280, 800], ["narrow", 375, 740]];
  await Promise.all(sizes.map((size) => visit(browser, size)));
});
