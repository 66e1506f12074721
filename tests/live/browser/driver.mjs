// Drives one Chromium page for pytest: JSON lines in, JSON lines out.  Arguments are Chromium's.
//
//   -> {"do": "open", "url": ..., "user": ..., "password": ..., "viewport": [w, h], "permissions": [...],
//       "mobile": bool, "dark": bool, "held": glob,     requests for what fits `held` are never answered
//       "cookies": {name: value, ...}, "scripts": bool, "until": what of the page is awaited}
//   -> {"do": "eval", "js": "async () => ..."}          <- value
//   -> {"do": "wait", "js": "() => ...", "seconds": n}  <- value, once it is true
//   -> {"do": "click", "selector": ...} or {"x": ..., "y": ...}
//   -> {"do": "type", "text": ...}   {"do": "press", "key": ...}   {"do": "fill", "selector": ..., "text": ...}
//   -> {"do": "choose", "selector": ..., "paths": [...]}     files for an input
//   -> {"do": "swipe", "points": [[x, y], ...]}         with one finger
//   -> {"do": "tap", "selector": ...}   {"do": "down", "key": ...}   {"do": "up", "key": ...}
//   -> {"do": "stroke", "key": "€", "code": "KeyE"}     a key of a keyboard that has it
//   -> {"do": "clipboard"} <- text   {"do": "clipboard", "text": ...}
//   -> {"do": "pixel", "x": ..., "y": ...}  <- [r, g, b] of the desktop's own canvas
//   -> {"do": "screenshot", "path": ...}   {"do": "resize", "viewport": [w, h]}   {"do": "reload"}
//   -> {"do": "throttle", "upload": n}    bytes a second, of this page's requests
//   -> {"do": "offline", "offline": bool}
//   -> {"do": "frame", "name": ...}   where it all happens from now on, until the next page
//   -> {"do": "requests"} <- the address of every request that the page made
//   -> {"do": "console"} <- every error that the page or its requests made
//   -> {"do": "close"}
//
// Each request gets one answer, {"ok": value} or {"error": text}, in order.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", ...process.argv.slice(2),
];
const TIMEOUT = 60_000;
const POLL = 50;

let browser = null;
let page = null;
// The page, or a frame in it.
let place = null;
let errors = [];
let requests = [];

async function open({ url, user, password, viewport = [1280, 800], permissions = [], mobile = false, dark = false, held, cookies = {}, scripts = true, until = "load" }) {
    browser ??= await chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS, timeout: TIMEOUT,
    });
    await page?.context().close();
    const context = await browser.newContext({
        ignoreHTTPSErrors: true,
        httpCredentials: user === undefined ? undefined : { username: user, password },
        viewport: { width: viewport[0], height: viewport[1] },
        colorScheme: dark ? "dark" : "light",
        hasTouch: mobile,
        isMobile: mobile,
        javaScriptEnabled: scripts,
        permissions,
    });
    const origin = new URL("/", url).href;
    await context.addCookies(Object.entries(cookies).map(([name, value]) => ({ name, value, url: origin })));
    if (held !== undefined) {
        await context.route(held, () => {});
    }
    errors = [];
    requests = [];
    place = page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT);
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("request", (request) => requests.push(request.url()));
    page.on("pageerror", (error) => errors.push(String(error)));
    const answer = await page.goto(url, { waitUntil: until });
    return answer.status();
}

// Playwright's own keyboard is American: it has no other characters on its keys.
async function stroke({ key, code }) {
    const session = await page.context().newCDPSession(page);
    for (const type of ["keyDown", "keyUp"]) {
        await session.send("Input.dispatchKeyEvent", { type, key, code, text: type === "keyDown" ? key : undefined });
    }
    await session.detach();
}

async function swipe({ points }) {
    const session = await page.context().newCDPSession(page);
    const touch = (type, touchPoints) => session.send("Input.dispatchTouchEvent", { type, touchPoints });
    for (const [index, [x, y]] of points.entries()) {
        await touch(index ? "touchMove" : "touchStart", [{ x, y }]);
    }
    await touch("touchEnd", []);
    await session.detach();
}

// Playwright's own waiting evaluates strings in the page, which its policy forbids.
async function wait({ js, seconds }) {
    const end = Date.now() + seconds * 1000;
    let trouble = "";
    while (Date.now() < end) {
        // What is not there yet, and a page on its way to another one, have no value yet.
        const value = await place.evaluate(`(${js})()`).catch((error) => { trouble = `\n${error}`; });
        if (value) {
            return value;
        }
        await new Promise((resolve) => { setTimeout(resolve, POLL); });
    }
    throw new Error(`never true in ${seconds} s: ${js}${trouble}`);
}

const VERBS = {
    open,
    eval: ({ js }) => place.evaluate(`(${js})()`),
    wait,
    frame: async ({ name }) => { place = await (await page.$(`iframe[name="${name}"]`)).contentFrame(); },
    click: ({ selector, x, y }) => (selector === undefined ? page.mouse.click(x, y) : place.click(selector)),
    type: ({ text }) => page.keyboard.type(text),
    press: ({ key }) => page.keyboard.press(key),
    tap: ({ selector }) => place.tap(selector),
    down: ({ key }) => page.keyboard.down(key),
    up: ({ key }) => page.keyboard.up(key),
    stroke,
    swipe,
    fill: ({ selector, text }) => place.fill(selector, text),
    choose: ({ selector, paths }) => place.setInputFiles(selector, paths),
    clipboard: ({ text }) => (text === undefined
        ? page.evaluate(() => navigator.clipboard.readText())
        : page.evaluate((value) => navigator.clipboard.writeText(value), text)),
    pixel: ({ x, y }) => page.evaluate(([column, row]) => {
        const canvas = document.querySelector("#screen canvas");
        return [...canvas.getContext("2d").getImageData(column, row, 1, 1).data].slice(0, 3);
    }, [x, y]),
    screenshot: async ({ path }) => { await page.screenshot({ path }); },
    resize: ({ viewport }) => page.setViewportSize({ width: viewport[0], height: viewport[1] }),
    throttle: async ({ upload }) => {
        const session = await page.context().newCDPSession(page);
        await session.send("Network.enable");
        await session.send("Network.emulateNetworkConditions", {
            offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: upload,
        });
    },
    offline: ({ offline }) => page.context().setOffline(offline),
    reload: async () => { await page.reload(); },
    console: () => errors,
    requests: () => requests,
    close: async () => { await browser?.close(); },
};

for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
        answer = { ok: await VERBS[request.do](request) ?? null };
    } catch (error) {
        answer = { error: String(error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    if (request.do === "close") {
        break;
    }
}
await browser?.close();
process.exit(0);
