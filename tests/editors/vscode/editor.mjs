// code-server with the extension, driven through headless Chromium, for the scripts beside this file:
//   node SCRIPT BASE EXTENSION SERVER OUT   (BASE: what install.sh made; SERVER: the program, or empty)
import { spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";

const [base, extension, server, out] = process.argv.slice(2);
const { chromium } = createRequire(path.join(base, "editor", "package.json"))("playwright-core");
const SETTINGS = {
  "chat.disableAIFeatures": true,
  "editor.autoClosingBrackets": "never",
  "editor.autoClosingQuotes": "never",
  "editor.minimap.enabled": false,
  "editor.quickSuggestions": { other: "off", comments: "off", strings: "off" },
  "editor.wordBasedSuggestions": "off",
  "files.autoSave": "off",
  "remote.autoForwardPorts": false,
  "telemetry.telemetryLevel": "off",
  "workbench.editor.useModal": "off",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.startupEditor": "none",
};

function folder(...parts) {
  const made = path.join(out, ...parts);
  fs.mkdirSync(made, { recursive: true });
  return made;
}

function freePort() {
  return new Promise((done) => {
    const probe = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/** Opens a folder of files in the editor, runs the steps on it, and tells what became of them. */
export async function inEditor(files, patience, steps) {
  const project = folder("project");
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(project, name), text);
  const store = (scope, values) => fs.writeFileSync(path.join(folder("data", scope), "settings.json"), JSON.stringify(values));
  store("User", SETTINGS);
  if (server) store("Machine", { "diffill.path": server }); // a path is the machine's
  fs.cpSync(extension, path.join(folder("extensions"), "diffill"), { recursive: true });
  const port = await freePort();
  const log = fs.openSync(path.join(out, "code-server.log"), "w");
  const running = spawn(
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
      env: {
        ...process.env,
        XDG_CONFIG_HOME: folder("config"), XDG_DATA_HOME: folder("share"), XDG_STATE_HOME: folder("state"),
      },
    },
  );
  let browser;
  let editor;
  try {
    const up = async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
    await until("code-server is up", patience, up);
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    });
    const page = await browser.newPage({ viewport: { width: 1000, height: 560 } });
    page.setDefaultTimeout(patience);
    editor = new Editor(page, project, patience);
    await page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(project)}`);
    await page.waitForSelector(".monaco-workbench");
    await page.getByRole("treeitem", { name: Object.keys(files)[0] }).dblclick();
    await editor.status(server ? "sparkle" : "error").waitFor();
    await steps(editor);
    console.log("PASS");
  } catch (error) {
    process.exitCode = 1;
    console.error(error);
    await editor?.shot("failed");
  } finally {
    await browser?.close();
    process.kill(-running.pid, "SIGTERM"); // its own process group
  }
}

/** Waits until a condition holds; what it throws means that it does not yet. */
async function until(what, patience, holds) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await Promise.resolve().then(holds).catch(() => false);
    if (found) return found;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

class Editor {
  began = Date.now();

  constructor(page, project, patience) {
    Object.assign(this, { page, project, patience, keyboard: page.keyboard });
    this.ghost = page.locator(".ghost-text-decoration");
    this.lenses = page.locator(".codelens-decoration");
    this.list = page.locator(".quick-input-list");
    this.toasts = page.locator(".notifications-toasts");
  }

  passed(what) {
    console.log(`ok ${((Date.now() - this.began) / 1000).toFixed(0)}s ${what}`);
  }

  async shot(name) {
    await this.page.mouse.move(450, 440); // off what shows tips
    return this.page.screenshot({ path: path.join(out, `${name}.png`), animations: "disabled" });
  }

  until(what, holds) {
    return until(what, this.patience, holds);
  }

  saved(name) {
    return fs.readFileSync(path.join(this.project, name), "utf8");
  }

  /** Saves the file until its text is right: an edit may still be on its way to the page. */
  async stored(name, isRight) {
    const right = typeof isRight === "string" ? (text) => text === isRight : isRight;
    const holds = async () => {
      await this.keyboard.press("Control+s");
      return right(this.saved(name));
    };
    await this.until(`${name} is right`, holds).catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(this.saved(name))}, not ${JSON.stringify(isRight)}`);
    });
  }

  status(icon) {
    return this.page.locator(`#diffill\\.diffill\\.diffill\\.status .codicon-${icon}`);
  }

  /** Clicks a button above a change until there is one fewer: a click while they are drawn anew is lost. */
  async lens(name, nth = 0) {
    const lens = this.lenses.getByText(name, { exact: true });
    await lens.nth(nth).waitFor();
    const count = await lens.count();
    const timeout = this.patience / 10;
    await this.until(`${name} is clicked`, async () => {
      if ((await lens.count()) === count) await lens.nth(nth).click({ timeout });
      await lens.nth(count - 1).waitFor({ state: "detached", timeout });
      return true;
    });
  }

  menu() {
    return this.page.locator("#diffill\\.diffill\\.diffill\\.status a").click();
  }

  async ghostText() {
    return (await this.ghost.allInnerTexts()).join("").replaceAll("\u00a0", " ");
  }

  /** The pictures below the text, as the page shows them: their SVG sources. */
  pictures() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll(".view-line *")].flatMap((element) =>
        ["::before", "::after"].flatMap((pseudo) => {
          const found = /base64,([^"')]+)/.exec(getComputedStyle(element, pseudo).content);
          if (!found) return [];
          const bytes = Uint8Array.from(atob(decodeURIComponent(found[1])), (c) => c.charCodeAt(0));
          return [new TextDecoder().decode(bytes)];
        }),
      ),
    );
  }

  /** Puts the cursor at the end of a line of a file. */
  async open(name, line) {
    await this.keyboard.press("Control+p");
    await this.page.locator(".quick-input-widget input").first().fill(`${name}:${line}`);
    await this.list.getByText(name, { exact: true }).first().click();
    await this.page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
    await this.keyboard.press("Control+1"); // focus the editor
    await this.page.locator(".statusbar").getByText(`Ln ${line}, Col 1`, { exact: true }).waitFor();
    await this.keyboard.press("End");
  }

  async command(title) {
    await this.keyboard.press("F1");
    await this.page.locator(".quick-input-widget input").first().fill(`>${title}`);
    await this.list.getByText(title, { exact: true }).first().click();
  }

  /** Shows a setting where a user changes it. */
  async setting(scope, name) {
    await this.command("Preferences: Open Settings (UI)");
    await this.page.locator(".settings-tabs-widget").getByText(scope).click();
    await this.page.locator(".settings-editor .suggest-input-container .native-edit-context").focus();
    await this.keyboard.press("Control+a");
    await this.keyboard.insertText(name);
    const found = this.page.locator(`.settings-editor .setting-item-contents[data-key="${name}"]`);
    await found.waitFor();
    return found;
  }
}
