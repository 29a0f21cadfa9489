// The extension in a real editor: code-server, driven through headless Chromium.
//   node browser.mjs BASE EXTENSION SERVER OUT   (BASE: what install.sh made; SERVER: the program)
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";

const [base, extension, server, out] = process.argv.slice(2);
const { chromium } = createRequire(path.join(base, "editor", "package.json"))("playwright-core");
const PATIENCE = { timeout: 30_000 };
const folder = (...parts) => {
  const made = path.join(out, ...parts);
  fs.mkdirSync(made, { recursive: true });
  return made;
};
const script = (settings) => `# script ${JSON.stringify(settings)}\n`;
const HOLES = "def one():\n    pass\n\n\ndef two():\n    pass\n";
const FILES = {
  "ghost.py": `${script({ fill: "first(2)" })}x = \n`,
  "fill.py": script({ fill: ["    return 1\n", "    return 2\n"] }) + HOLES,
  "live.py": script({ mode: "linger", frames: 3, fill: "    return 1\n" }) + HOLES,
  "rewrite.py": `${script({})}x = 1\n`,
};
const project = folder("project");
for (const [name, text] of Object.entries(FILES)) fs.writeFileSync(path.join(project, name), text);
const saved = (name) => fs.readFileSync(path.join(project, name), "utf8");
const pids = path.join(out, "pids");
fs.writeFileSync(pids, "");
const starts = () => fs.readFileSync(pids, "utf8").trim().split("\n").filter(Boolean);

const SETTINGS = {
  "chat.disableAIFeatures": true,
  "editor.autoClosingBrackets": "never",
  "editor.autoClosingQuotes": "never",
  "editor.minimap.enabled": false,
  "editor.quickSuggestions": { other: "off", comments: "off", strings: "off" },
  "editor.wordBasedSuggestions": "off",
  "files.autoSave": "off",
  "telemetry.telemetryLevel": "off",
  "workbench.editor.useModal": "off",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.startupEditor": "none",
};
const store = (scope, values) => fs.writeFileSync(path.join(folder("data", scope), "settings.json"), JSON.stringify(values));
store("User", SETTINGS);
store("Machine", { "diffill.path": server }); // a path is the machine's
const port = await new Promise((done) => {
  const probe = net.createServer().listen(0, "127.0.0.1", () => {
    const { port: free } = probe.address();
    probe.close(() => done(free));
  });
});
fs.cpSync(extension, path.join(folder("extensions"), "diffill"), { recursive: true });
const log = fs.openSync(path.join(out, "code-server.log"), "w");
const editor = spawn(
  process.execPath,
  [
    path.join(base, "editor/node_modules/code-server/out/node/entry.js"),
    "--bind-addr", `127.0.0.1:${port}`, "--auth", "none", "--disable-telemetry",
    "--disable-update-check", "--disable-workspace-trust", "--disable-getting-started-override",
    "--user-data-dir", path.join(out, "data"), "--extensions-dir", path.join(out, "extensions"), project,
  ],
  {
    stdio: ["ignore", log, log],
    detached: true,
    env: { ...process.env, XDG_CONFIG_HOME: folder("config"), XDG_DATA_HOME: folder("share"), XDG_STATE_HOME: folder("state") },
  },
);

/** Waits until a condition holds; what it throws means that it does not yet. */
async function until(what, holds) {
  const end = Date.now() + PATIENCE.timeout;
  for (;;) {
    try {
      const found = await holds();
      if (found) return found;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

let browser;
let page;
const began = Date.now();
const passed = (what) => console.log(`ok ${((Date.now() - began) / 1000).toFixed(0)}s ${what}`);
const shot = (name) => page.screenshot({ path: path.join(out, `${name}.png`) });
/** Saves the file until it holds the text: an edit may still be on its way to the page. */
const stored = async (name, text) => {
  await until(`${name} holds ${JSON.stringify(text)}`, async () => {
    await page.keyboard.press("Control+s");
    return saved(name) === text;
  }).catch((error) => {
    throw new Error(`${error.message}, but ${JSON.stringify(saved(name))}`);
  });
};
const status = (icon) => page.locator(`#diffill\\.diffill\\.diffill\\.status .codicon-${icon}`);
/** The pictures below the text, as the pages shows them: their SVG sources. */
const pictures = () =>
  page.evaluate(() =>
    [...document.querySelectorAll(".view-line *")].flatMap((element) =>
      ["::before", "::after"].flatMap((pseudo) => {
        const found = /base64,([^"')]+)/.exec(getComputedStyle(element, pseudo).content);
        if (!found) return [];
        const bytes = Uint8Array.from(atob(decodeURIComponent(found[1])), (c) => c.charCodeAt(0));
        return [new TextDecoder().decode(bytes)];
      }),
    ),
  );
async function open(name, line) {
  await page.keyboard.press("Control+p");
  await page.locator(".quick-input-widget input").first().fill(`${name}:${line}`);
  await page.locator(".quick-input-list").getByText(name, { exact: true }).first().click(PATIENCE);
  await page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor(PATIENCE);
  await page.locator(".editor-instance .view-lines").first().click({ position: { x: 300, y: 8 } });
  await page.keyboard.press("Control+Home");
  for (let n = 1; n < line; n++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("End");
}
async function command(title) {
  await page.keyboard.press("F1");
  await page.locator(".quick-input-widget input").first().fill(`>${title}`);
  await page.locator(".quick-input-list").getByText(title, { exact: true }).first().click(PATIENCE);
}
/** Shows a setting where a user changes it. */
async function setting(scope, name) {
  await command("Preferences: Open Settings (UI)");
  await page.locator(".settings-tabs-widget").getByText(scope).click(PATIENCE);
  await page.locator(".settings-editor .suggest-input-container .native-edit-context").focus(PATIENCE);
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(name);
  const found = page.locator(`.settings-editor .setting-item-contents[data-key="${name}"]`);
  await found.waitFor(PATIENCE);
  return found;
}

try {
  await until("code-server is up", async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
  page = await browser.newPage({ viewport: { width: 1000, height: 560 } });
  await page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(project)}`);
  await page.waitForSelector(".monaco-workbench", PATIENCE);
  await page.getByRole("treeitem", { name: "ghost.py" }).dblclick(PATIENCE);
  await status("sparkle").waitFor(PATIENCE);
  passed("the server starts with the first file");

  await open("ghost.py", 2);
  await page.keyboard.type(" ");
  const ghost = page.locator(".ghost-text-decoration");
  await ghost.first().waitFor(PATIENCE);
  assert.equal((await ghost.allInnerTexts()).join("").replaceAll("\u00a0", " "), "first(2)");
  await shot("ghost");
  await page.keyboard.press("Tab");
  await stored("ghost.py", FILES["ghost.py"].replace("x = ", "x =  first(2)"));
  passed("ghost text is accepted as it was shown");

  await open("live.py", 3);
  await page.keyboard.press("Control+Alt+f");
  await status("sync").waitFor(PATIENCE);
  await until("masked blocks are shown", async () => (await pictures()).some((each) => each.includes("▒▒")));
  await shot("live");
  await page.keyboard.press("Escape");
  await status("sparkle").waitFor(PATIENCE);
  assert.deepEqual(await pictures(), []);
  passed("an edit is shown while it is made, and Escape cancels it");

  await open("fill.py", 3);
  await page.locator("#diffill\\.diffill\\.diffill\\.status a").click();
  await page.locator(".quick-input-list").getByText("Fill All Holes").waitFor(PATIENCE);
  await shot("menu");
  await page.locator(".quick-input-list").getByText("Fill All Holes").click();
  await status("question").waitFor(PATIENCE);
  await until("both proposals are shown", async () => (await pictures()).length === 2);
  await page.locator(".codelens-decoration").getByText("Accept All").waitFor(PATIENCE);
  await shot("proposal");
  await page.locator(".codelens-decoration").getByText("Reject", { exact: true }).nth(1).click();
  await until("one proposal is left", async () => (await pictures()).length === 1);
  await page.locator(".codelens-decoration").getByText("Show Diff").click();
  await page.locator(".diff-editor, .monaco-diff-editor").first().waitFor(PATIENCE);
  await shot("diff");
  await page.keyboard.press("Control+w");
  const accept = page.locator(".codelens-decoration").getByText("Accept", { exact: true });
  await until("one button is left", async () => (await accept.count()) === 1);
  await accept.click();
  await stored("fill.py", FILES["fill.py"].replace("pass", "return 1"));
  passed("of two proposals one is rejected and one accepted");
  await page.keyboard.press("Control+z");
  await stored("fill.py", FILES["fill.py"]);
  passed("undo takes it back");

  await open("fill.py", 3);
  await command("Diffill: Fill All Holes");
  await status("question").waitFor(PATIENCE);
  await page.keyboard.press("Tab");
  await stored("fill.py", FILES["fill.py"].replace("pass", "return 1").replace("pass", "return 2"));
  passed("Tab accepts all");
  await page.locator(".statusbar").getByText("Ln 3, Col 9", { exact: true }).waitFor(PATIENCE);
  passed("the cursor stays where it was");

  await open("rewrite.py", 2);
  await command("Diffill: Rewrite…");
  await page.getByPlaceholder("An instruction").fill("x = 3");
  await page.keyboard.press("Enter");
  await status("question").waitFor(PATIENCE);
  await page.keyboard.press("Tab");
  await until("the rewrite is saved", async () => {
    await page.keyboard.press("Control+s");
    return saved("rewrite.py").includes("x = 3");
  });
  passed("a rewrite asks for its instruction");

  /** Waits until the server has answered a command. */
  const answers = async () => {
    await command("Notifications: Clear All Notifications");
    await open("rewrite.py", 2);
    await command("Diffill: Fill All Holes");
    await page.locator(".notifications-toasts").getByText("has no holes").waitFor(PATIENCE);
  };
  const before = starts().length;
  await (await setting("User", "diffill.effort")).locator("select").selectOption("quick", PATIENCE);
  await until("a changed setting restarts the server", () => starts().length > before);
  await answers();
  passed("a changed setting restarts the server");
  const killed = starts();
  process.kill(Number(killed.at(-1)), "SIGKILL");
  await until("a killed server is started again", () => starts().length > killed.length);
  await status("sparkle").waitFor(PATIENCE);
  await answers();
  passed("a killed server is started again and answers");

  await (await setting("Remote", "diffill.path")).locator("input").fill("/nowhere/diffill", PATIENCE);
  await page.getByText("which is not a program").first().waitFor(PATIENCE);
  await page.getByRole("button", { name: "Open Settings" }).first().waitFor(PATIENCE);
  await status("error").waitFor(PATIENCE);
  passed("a missing server is said, with a button");
  console.log("PASS");
} catch (error) {
  process.exitCode = 1;
  console.error(error);
  if (page) await shot("failed");
} finally {
  await browser?.close();
  process.kill(-editor.pid, "SIGTERM"); // its own process group
}
