// The page of a server with a token.
"use strict";
const { assert, base, check, open, run, shoot } = require("./support.cjs");

run(async (browser) => {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ colorScheme, viewport: { width: 375, height: 740 } });
    const page = await open(context, "/queues");
    assert.equal(page.url(), `${base}/login?next=%2Fqueues`);
    await check(page, `login ${colorScheme}`);
    await shoot(page, `login-${colorScheme}-narrow`, true);
    await page.getByLabel("Token").fill(process.env.TOKEN);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL(`${base}/queues`);
    // Events and requests of scripts carry the session too.
    await page.locator("#live:not([hidden])").waitFor();
    await check(page, `queues ${colorScheme}`);
    const stored = await page.evaluate(() => document.cookie);
    assert.equal(stored, "", "scripts can read the session");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.waitForURL(`${base}/login`);
    await page.goto(`${base}/`);
    assert.ok(page.url().startsWith(`${base}/login`));
    await context.close();
  }
});
