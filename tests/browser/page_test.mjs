// SPDX-License-Identifier: Apache-2.0
// The voting page in a real Chromium, served by a real host on the embedded broker and SQLite. run.sh starts this; README.md says what it needs.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { Host, eventually } from "./host.mjs";
import { contrasts, targets } from "./measures.mjs";

const require = createRequire(path.join(process.env.WEIR_TEST_BROWSER_MODULES, "here.js"));
const { chromium } = require("playwright-core");

const host = new Host();
const tests = [];
const test = (promise, body) => tests.push({ promise, body });

// A page whose every request, console error and violation of its policy is noted.
async function open(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1024, height: 768 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(20000);
    const seen = { elsewhere: [], errors: [], failures: [] };
    context.on("request", (request) => {
        const url = new URL(request.url());
        if (url.protocol !== "data:" && url.origin !== host.origin) {
            seen.elsewhere.push(request.url());
        }
    });
    page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") {
            // What the browser itself says of a request that came to nothing is no fault of the page.
            (message.text().startsWith("Failed to load resource") ? seen.failures : seen.errors).push(message.text());
        }
    });
    page.on("pageerror", (error) => seen.errors.push(String(error)));
    await context.exposeFunction("noteViolation", (text) => seen.errors.push(text));
    await context.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) => window.noteViolation(`${event.violatedDirective}: ${event.blockedURI}`));
    });
    page.seen = seen;
    return page;
}

async function visit(page) {
    const answer = await page.goto(host.origin + "/");
    assert.equal(answer.status(), 200);
    assert.match(answer.headers()["content-security-policy"], /default-src 'none'/);
    await page.getByRole("button", { name: "cats", exact: true }).waitFor();
    await page.getByRole("button", { name: "dogs", exact: true }).waitFor();
    return page;
}

async function close(page, failures = false) {
    assert.deepEqual(page.seen.elsewhere, [], "nothing is asked of another host");
    assert.deepEqual(page.seen.errors, [], "no error in the console, no violation of the policy");
    if (!failures) {
        assert.deepEqual(page.seen.failures, [], "no request fails");
    }
    await page.context().close();
}

const button = (page, option) => page.getByRole("button", { name: option, exact: true });
const said = (page) => page.getByRole("status").innerText();
const shown = (page, option) => page.locator("dt", { hasText: option }).innerText();
const counts = { cats: 0, dogs: 0 }; // of all tests: each sees its votes counted before it ends
// So many more votes are shown than before.
async function counted(page, option, more = 1) {
    counts[option] += more;
    await eventually(async () => new RegExp(`\\b${counts[option]} \\(`).test(await shown(page, option)), `${counts[option]} votes for ${option}`);
}
const thanks = (page, option) => eventually(async () => (await said(page)).includes(`vote for ${option}`), `thanks for a vote for ${option}`);

test("both buttons vote, and results come by themselves, also those of others", async (browser) => {
    const page = await visit(await open(browser));
    await page.evaluate(() => { window.notReloaded = true; });
    await button(page, "cats").click();
    await thanks(page, "cats");
    await counted(page, "cats");
    await button(page, "dogs").click();
    await thanks(page, "dogs");
    await counted(page, "dogs");
    await host.vote("dogs");
    await host.vote("dogs");
    await counted(page, "dogs", 2);
    const bars = await page.getByRole("progressbar").evaluateAll((all) => all.map((bar) => bar.value));
    assert.ok(Math.abs(bars.reduce((sum, share) => sum + share, 0) - 100) < 0.1, `shares are of one whole: ${bars}`);
    assert.equal(await page.evaluate(() => window.notReloaded), true);
    await close(page);
});

for (const colorScheme of ["light", "dark"]) {
    test(`every text can be read in ${colorScheme}`, async (browser) => {
        const page = await visit(await open(browser, { colorScheme }));
        await button(page, "cats").click();
        await thanks(page, "cats");
        await counted(page, "cats");
        const { ground, texts } = await page.evaluate(contrasts);
        assert.ok(colorScheme === "dark" ? ground < 0.2 : ground > 0.8, `the ground's luminance is ${ground}`);
        assert.ok(texts.length >= 8, `texts were found: ${texts.length}`);
        for (const { text, contrast } of texts) {
            assert.ok(contrast >= 4.5, `"${text}" has a contrast of ${contrast.toFixed(2)}`);
        }
        await close(page);
    });
}

for (const width of [360, 320]) {
    test(`on a screen ${width} wide nothing is cut off, and buttons can be hit`, async (browser) => {
        const page = await visit(await open(browser, { viewport: { width, height: 640 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }));
            await button(page, "cats").tap();
        await counted(page, "cats");
        const measured = await page.evaluate(targets);
        assert.ok(measured.width <= width, `the page is ${measured.width} wide`);
        assert.equal(measured.outside.length, 0, `out of the screen: ${measured.outside}`);
        assert.ok(measured.targets.length >= 2);
        for (const target of measured.targets) {
            assert.ok(target.width >= 44 && target.height >= 44, `"${target.name}" is ${target.width} x ${target.height}`);
        }
        await close(page);
    });
}

test("a keyboard is enough: Tab, Enter and Space, with a focus that is seen and kept", async (browser) => {
    const page = await visit(await open(browser));
    for (const [option, key] of [["cats", "Enter"], ["dogs", "Space"]]) {
        await page.keyboard.press("Tab");
        const focus = () => page.evaluate(() => {
            const style = getComputedStyle(document.activeElement);
            return { name: document.activeElement.innerText, outline: style.outlineStyle, width: parseFloat(style.outlineWidth), color: style.outlineColor };
        });
        const there = await focus();
        assert.equal(there.name, option);
        assert.ok(there.outline !== "none" && there.width >= 2, `the focus is seen: ${JSON.stringify(there)}`);
        await page.keyboard.press(key);
        await thanks(page, option);
        await counted(page, option);
        assert.equal((await focus()).name, option, "the focus stays");
    }
    await close(page);
});

test("it has a language, a title, one main heading, and names for everything", async (browser) => {
    const page = await visit(await open(browser));
    assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
    assert.notEqual(await page.title(), "");
    assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
    assert.equal(await page.getByRole("main").count(), 1);
    assert.equal(await page.getByRole("progressbar", { name: /cats/ }).count(), 1);
    assert.equal(await page.getByRole("progressbar", { name: /dogs/ }).count(), 1);
    await close(page);
});

test("what came of a vote is announced, each time", async (browser) => {
    const page = await visit(await open(browser));
    const status = page.getByRole("status");
    assert.equal(await status.getAttribute("aria-live"), "polite");
    await status.evaluate((element) => {
        window.announced = [];
        new MutationObserver(() => { if (element.innerText) { window.announced.push(element.innerText); } }).observe(element, { childList: true, characterData: true, subtree: true });
    });
    for (const times of [1, 2]) {
        await button(page, "cats").click();
        await eventually(async () => (await page.evaluate(() => window.announced.length)) >= times, `announcement ${times}`);
        await counted(page, "cats");
    }
    await close(page);
});

test("a vote whose answer is lost is sent again under its key, and counts once", async (browser) => {
    const page = await visit(await open(browser));
    const keys = [];
    await page.route("**/api/vote", async (route) => {
        keys.push(route.request().headers()["idempotency-key"]);
        if (keys.length === 1) {
            await route.fetch(); // the host has it; the page never hears
            return route.abort();
        }
        if (keys.length === 2) {
            return route.fulfill({ status: 503, contentType: "application/problem+json", body: '{"status":503,"detail":"away"}' });
        }
        return route.continue();
    });
    await button(page, "cats").click();
    await thanks(page, "cats");
    assert.equal(keys.length, 3);
    assert.ok(keys[0] && keys.every((key) => key === keys[0]), `one vote has one key: ${keys}`);
    await page.unrouteAll();
    await button(page, "dogs").click();
    await counted(page, "dogs"); // in the stream behind the former
    counts.cats += 1;
    assert.match(await shown(page, "cats"), new RegExp(`\\b${counts.cats} \\(`));
    await close(page, true);
});

test("the buttons are there from the beginning, and vote while the results can't be had", async (browser) => {
    const page = await open(browser);
    await page.route("**/api/results**", (route) => route.abort());
    await visit(page);
    await button(page, "dogs").click();
    await thanks(page, "dogs");
    await page.unrouteAll();
    await page.reload();
    await counted(page, "dogs");
    await close(page, true);
});

test("a vote that is refused is said to be, with the reason", async (browser) => {
    const page = await visit(await open(browser));
    await page.route("**/api/vote", (route) => route.fulfill({ status: 422, contentType: "application/problem+json", body: '{"status":422,"detail":"No such option."}' }));
    await button(page, "cats").click();
    await eventually(async () => (await said(page)).includes("No such option."), "the reason");
    await page.unrouteAll();
    await button(page, "cats").click();
    await thanks(page, "cats");
    await counted(page, "cats");
    await close(page, true);
});

test("while the host is away the page says so, and goes on when it is back", async (browser) => {
    const page = await visit(await open(browser));
    await host.kill();
    await button(page, "cats").click();
    await eventually(async () => /again/i.test(await said(page)), "a problem that is shown");
    await eventually(async () => /lost|trying/i.test(await page.locator("main").innerText()), "a lost connection that is shown");
    await host.start();
    await button(page, "cats").click();
    await thanks(page, "cats");
    await counted(page, "cats");
    await host.vote("cats");
    await counted(page, "cats"); // the stream of results is there again
    await close(page, true);
});

test("without JavaScript the page says that it needs it", async (browser) => {
    const page = await open(browser, { javaScriptEnabled: false });
    await page.goto(host.origin + "/");
    assert.match(await page.locator("body").innerText(), /JavaScript/);
    await close(page);
});

let failed = 0;
await host.start();
const browser = await chromium.launch({ executablePath: process.env.WEIR_TEST_CHROMIUM, args: ["--disable-dev-shm-usage"] });
try {
    for (const { promise, body } of tests) {
        const began = performance.now();
        try {
            await body(browser);
            console.log(`ok      ${promise} (${Math.round(performance.now() - began)} ms)`);
        } catch (error) {
            ++failed;
            console.error(`FAILED  ${promise}\n${error.stack}`);
        }
    }
} finally {
    await browser.close();
    await host.stop();
}
console.log(`${tests.length - failed} of ${tests.length} hold`);
process.exitCode = failed === 0 ? 0 : 1;
