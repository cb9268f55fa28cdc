// What people do with the page: they watch, move through ten thousand operations by keyboard, and change things.
"use strict";
const { assert, base, check, open, run } = require("./support.cjs");

// Asks until the answer is as wanted; the page changes by itself.
async function until(page, wanted, argument) {
  await page.waitForFunction(wanted, argument, { timeout: 60_000 });
}

async function watch(context) {
  const page = await open(context, "/executions/slow-1");
  await page.evaluate(() => { window.marked = true; });
  const count = () => page.locator("#totals").textContent().then((text) => parseInt(text, 10) || 0);
  await page.locator(".rows .row").first().waitFor();
  const before = await count();
  await until(page, (before) => parseInt(document.getElementById("totals").textContent, 10) > before + 2, before);
  assert.equal(await page.evaluate(() => window.marked), true, "the page was loaded again");
  await page.close();
}

async function list(context) {
  const page = await open(context, "/?prefix=new-");
  await page.evaluate(() => { window.marked = true; });
  const other = await open(context, "/start");
  await other.getByLabel("Handler").fill("approval");
  await other.getByLabel("Id:").fill("new-1");
  await other.getByLabel("Input").fill('"new"');
  await other.getByRole("button", { name: "Start the execution" }).click();
  await other.waitForURL(`${base}/executions/new-1`);
  await page.bringToFront();
  await until(page, () => document.querySelector("#list").textContent.includes("new-1"));
  assert.equal(await page.evaluate(() => window.marked), true, "the page was loaded again");
  // Its callback, from its own page; the state there follows by itself.
  await other.bringToFront();
  await other.getByRole("link", { name: "Complete answer" }).click();
  await other.getByLabel("The value as JSON").fill('"go"');
  await other.getByRole("button", { name: "Complete the callback" }).click();
  await other.waitForURL(`${base}/executions/new-1`);
  await until(other, () => document.querySelector("#head .status").textContent === "succeeded");
  await check(other, "a live page");
  await page.close();
  await other.close();
}

async function keyboard(context) {
  const page = await open(context, "/executions/many-10000");
  await page.locator(".rows .row").first().waitFor();
  const inDocument = () => page.locator(".rows .row").count();
  assert.ok(await inDocument() < 80, "rows out of sight are in the document");
  await page.locator("#grid").focus();
  await page.keyboard.press("End");
  await page.locator(".rows .row.current", { hasText: "step[9999]" }).waitFor();
  assert.ok(await inDocument() < 80);
  await page.keyboard.press("PageUp");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Home");
  await page.locator(".rows .row.current", { hasText: "step[0]" }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator("#detail h3", { hasText: "step[0]" }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#detail").waitFor({ state: "hidden" });
  await page.locator("#find").fill("step[4711]");
  await until(page, () => document.querySelectorAll(".rows .row").length === 1);
  await page.close();
}

async function tree(context) {
  const page = await open(context, "/executions/import-1");
  await page.locator(".rows .row").first().waitFor();
  const rows = await page.locator(".rows .row").count();
  const name = (text) => page.locator(".rows .row.current", { hasText: text }).waitFor();
  await page.locator("#grid").focus();
  for (const key of ["Home", "ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
  await name("files");
  await page.keyboard.press("ArrowLeft");
  await until(page, (rows) => document.querySelectorAll(".rows .row").length < rows - 10, rows);
  assert.equal(await page.locator(".rows .row.current").getAttribute("aria-expanded"), "false");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await name("item[in/0.csv]");
  await page.locator("#only").selectOption("failed");
  await until(page, () => document.querySelectorAll(".rows .row").length === 0);
  await page.close();
}

// A message is sent from the page; both its arrival and its receipt show by themselves.
async function messages(context) {
  const page = await open(context, "/executions/inbox-2");
  await page.evaluate(() => { window.marked = true; });
  const other = await open(context, "/executions/inbox-2");
  await other.getByRole("link", { name: "Send a message" }).click();
  await other.getByLabel("Name of the receive!").fill("line");
  await other.getByLabel("Value as JSON").fill('"hello"');
  await other.getByRole("button", { name: "Send the message" }).click();
  await other.waitForURL(`${base}/executions/inbox-2`);
  await page.bringToFront();
  await until(page, () => document.querySelector(".messages")?.textContent.includes("1 received"));
  assert.equal(await page.evaluate(() => window.marked), true, "the page was loaded again");
  await check(page, "messages");
  await page.close();
  await other.close();
}

// What is published shows by itself.
async function published(context) {
  const page = await open(context, "/executions/progress-1");
  await page.evaluate(() => { window.marked = true; });
  const times = () => page.locator("section:has(#published) tr", { hasText: "percent" }).locator("td.number").textContent().then((text) => parseInt(text, 10));
  const before = await times();
  await until(page, (before) => [...document.querySelectorAll("section:has(#published) tr")].some((row) => row.textContent.includes("percent") && parseInt(row.querySelector("td.number").textContent, 10) > before + 2), before);
  assert.equal(await page.evaluate(() => window.marked), true, "the page was loaded again");
  await page.close();
}

// The graph follows the execution.
async function graph(context) {
  const page = await open(context, "/executions/slow-1/graph");
  await page.evaluate(() => { window.marked = true; });
  const count = () => page.locator(".graph text", { hasText: "succeeded" }).first().textContent().then((text) => parseInt(text, 10) || 0);
  const before = await count();
  await until(page, (before) => parseInt([...document.querySelectorAll(".graph text")].find((text) => text.textContent.includes("succeeded"))?.textContent, 10) > before + 2, before);
  assert.equal(await page.evaluate(() => window.marked), true, "the page was loaded again");
  await page.close();
}

async function fork(context) {
  const page = await open(context, "/executions/charge-4711");
  await page.locator(".rows .row", { hasText: "charge" }).click();
  await page.getByRole("link", { name: "Fork from here" }).click();
  await page.getByLabel("Id of the new execution").fill("charge-again");
  await page.getByRole("button", { name: "Fork the execution" }).click();
  await page.waitForURL(`${base}/executions/charge-again`);
  await page.locator(".rows .row.taken", { hasText: "reserve" }).waitFor();
  await page.close();
}

// All of it with Tab and Enter.
async function cancel(context) {
  const page = await open(context, "/executions/sleeper-1");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  const link = page.getByRole("link", { name: "Cancel…" });
  for (let tries = 0; tries < 30 && !(await link.evaluate((it) => it === document.activeElement)); tries++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/cancel$/);
  const button = page.getByRole("button", { name: "Cancel the execution" });
  for (let tries = 0; tries < 30 && !(await button.evaluate((it) => it === document.activeElement)); tries++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${base}/executions/sleeper-1`);
  await until(page, () => document.querySelector("#head .status").textContent === "cancelled");
  await page.close();
}

async function withoutScripts(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await open(context, "/");
  await page.getByRole("link", { name: "charge-4711" }).click();
  await page.getByRole("link", { name: "Retry…" }).click();
  await page.getByRole("button", { name: "Retry the execution" }).click();
  await page.waitForURL(`${base}/executions/charge-4711`);
  assert.deepEqual(page.problems, []);
  await context.close();
}

run(async (browser) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  for (const part of [watch, list, keyboard, tree, messages, published, graph, fork, cancel]) await part(context);
  await withoutScripts(browser);
});
