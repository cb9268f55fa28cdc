// A browser for tests, and the checks that hold on every page.
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const base = process.env.URL;
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const everything = { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] };
const contrast = { type: "rule", values: ["color-contrast"] };

// Runs the test with a browser that reports errors of pages and requests to anything but the server.
async function run(test) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
  try {
    await test(browser);
  } finally {
    await browser.close();
  }
}

// Opens a target in `page` or a new page, which notes what goes wrong.
async function open(context, target, { missing = false, page } = {}) {
  page ??= await watched(context);
  page.problems = [];
  page.missing = missing;
  await page.goto(base + target);
  return page;
}

async function watched(context) {
  const page = await context.newPage();
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => {
    const expected = page.missing && message.text().includes("404");
    if (message.type() === "error" && !expected) page.problems.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith("data:")) page.problems.push(`request to ${request.url()}`);
  });
  return page;
}

// Checks the page as it is now. After a change of colors alone, only the contrast can differ.
async function check(page, name, { onlyColors = false } = {}) {
  assert.deepEqual(page.problems, [], name);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name} scrolls sideways by ${wide}`);
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const result = await page.evaluate((runOnly) => axe.run(document, { runOnly }), onlyColors ? contrast : everything);
  assert.ok(result.passes.length >= (onlyColors ? 1 : 6), `${name}: axe has checked nothing`);
  const found = result.violations.map((one) => `${one.id}: ${one.help}\n  ${one.nodes.map((node) => `${node.html}\n    ${node.failureSummary}`).join("\n  ")}`);
  assert.equal(found.length, 0, `${name}\n${found.join("\n")}`);
}

// Saves a picture of the page if DURABLE_SHOTS names a folder.
async function shoot(page, name, fullPage) {
  const folder = process.env.DURABLE_SHOTS;
  if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage });
}

module.exports = { assert, base, check, open, run, shoot };
