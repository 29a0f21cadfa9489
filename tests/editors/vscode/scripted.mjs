// What a user does and sees; the server's engine does what each file's first line says.
import assert from "node:assert/strict";
import fs from "node:fs";

import { inEditor } from "./editor.mjs";

const script = (settings) => `# script ${JSON.stringify(settings)}\n`;
const HOLES = "def one():\n    pass\n\n\ndef two():\n    pass\n";
const FILES = {
  "ghost.py": `${script({ fill: "first(2) + second" })}x = \n`,
  "snooze.py": `${script({ fill: "first(2)" })}x = \n`,
  "fill.py": script({ fill: ["    return 1\n", "    return 2\n"] }) + HOLES,
  "tab.py": script({ fill: "    return 1\n" }) + HOLES,
  "live.py": script({ mode: "linger", frames: 3, fill: "    return 1\n" }) + HOLES,
  "rewrite.py": `${script({})}x = 1\n`,
  "mine.py": "x = 1\n",
  ".diffillignore": "mine.py\n",
};
const pids = process.env.PIDS; // the file of those of the servers started, a line each
fs.writeFileSync(pids, "");
const starts = () => fs.readFileSync(pids, "utf8").trim().split("\n").filter(Boolean);

await inEditor(FILES, 30_000, async (editor) => {
  const { keyboard, ghost, lenses, list, page, toasts } = editor;
  const status = (icon) => editor.status(icon);
  editor.passed("the server starts with the first file");
  await ghostText();
  await snoozing();
  await liveView();
  await severalPlaces();
  await keys();
  await rewriting();
  await leftAlone();
  await settingsAndCrashes();

  async function ghostText() {
    await editor.open("ghost.py", 2);
    await keyboard.type(" ");
    await ghost.first().waitFor();
    assert.equal(await editor.ghostText(), "first(2) + second");
    await keyboard.press("Control+ArrowRight");
    await editor.until("a word is accepted", async () => (await editor.ghostText()) === "(2) + second");
    await editor.stored("ghost.py", FILES["ghost.py"].replace("x = ", "x =  first"));
    await keyboard.press("Tab");
    await editor.stored("ghost.py", FILES["ghost.py"].replace("x = ", "x =  first(2) + second"));
    assert.equal(await page.locator(".notification-toast .codicon-error").count(), 0);
    editor.passed("ghost text is accepted as it was shown, by the word or whole");
  }

  async function snoozing() {
    await editor.open("snooze.py", 2);
    await editor.menu();
    await list.getByText("Snooze Ghost Text").click();
    await status("bell-slash").waitFor();
    await keyboard.type(" ");
    await editor.stored("snooze.py", FILES["snooze.py"].replace("x = ", "x =  "));
    await editor.menu();
    await list.getByText("End the Snooze").click();
    await status("sparkle").waitFor();
    assert.equal(await ghost.count(), 0);
    await keyboard.type(" ");
    await ghost.first().waitFor();
    await keyboard.press("Escape");
    editor.passed("ghost text is snoozed, and wakes");
  }

  async function liveView() {
    const blocks = async () => (await editor.pictures()).some((each) => each.includes("▒▒"));
    await editor.open("live.py", 3);
    let pressed = 0; // a busy page may lose the keys that follow a file's opening
    await editor.until("a fill begins", async () => {
      if (await status("sync").isVisible()) return true;
      if (Date.now() < pressed + 5_000) return false;
      pressed = Date.now();
      await keyboard.press("Control+Alt+f");
      return false;
    });
    await editor.until("masked blocks are shown", blocks);
    await editor.shot("live");
    await keyboard.press("Escape");
    await status("sparkle").waitFor();
    await editor.until("the view is gone", async () => (await editor.pictures()).length === 0);
    editor.passed("an edit is shown while it is made, and Escape cancels it");
    await keyboard.press("Control+Alt+f");
    await editor.until("masked blocks are shown", blocks);
    await keyboard.type("x");
    await toasts.getByText("changed meanwhile").waitFor();
    assert.deepEqual(await editor.pictures(), []);
    await editor.stored("live.py", FILES["live.py"].replace("pass", "passx"));
    editor.passed("typing where an edit is made ends it, and says so");
  }

  async function severalPlaces() {
    await editor.open("fill.py", 3);
    await editor.menu();
    await list.getByText("Fill All Holes", { exact: true }).waitFor();
    await editor.shot("menu");
    await list.getByText("Fill All Holes", { exact: true }).click();
    await status("question").waitFor();
    await editor.until("both proposals are shown", async () => (await editor.pictures()).length === 2);
    await lenses.getByText("Accept All").waitFor();
    await editor.shot("proposal");
    await editor.lens("Reject", 1);
    await editor.until("one proposal is left", async () => (await editor.pictures()).length === 1);
    await lenses.getByText("Show Diff").click();
    await page.locator(".diff-editor, .monaco-diff-editor").first().waitFor();
    await editor.shot("diff");
    await keyboard.press("Control+w");
    const accept = lenses.getByText("Accept", { exact: true });
    await editor.until("one button is left", async () => (await accept.count()) === 1);
    await editor.lens("Accept");
    await editor.stored("fill.py", FILES["fill.py"].replace("pass", "return 1"));
    editor.passed("of two proposals one is rejected and one accepted");
    await keyboard.press("Control+z");
    await editor.stored("fill.py", FILES["fill.py"]);
    editor.passed("undo takes it back");
    await editor.open("fill.py", 3);
    await editor.command("Diffill: Fill All Holes");
    await status("question").waitFor();
    await keyboard.press("Tab");
    await editor.stored("fill.py", FILES["fill.py"].replace("pass", "return 1").replace("pass", "return 2"));
    await page.locator(".statusbar").getByText("Ln 3, Col 9", { exact: true }).waitFor();
    await keyboard.press("Control+z");
    await editor.stored("fill.py", FILES["fill.py"]);
    editor.passed("Tab accepts all, as one undo step; the cursor stays where it was");
  }

  async function keys() {
    await editor.open("tab.py", 3);
    await lenses.getByText("Diffill: fill").first().waitFor(); // the server knows the file
    await keyboard.press("Control+.");
    await page.locator(".action-widget").getByText("Diffill: fill this hole: pass").click();
    await status("question").waitFor();
    await keyboard.press("Home");
    await keyboard.press("Tab");
    await editor.stored("tab.py", FILES["tab.py"].replace("    pass", "        pass"));
    await editor.until("the proposal has moved", async () => (await editor.pictures()).length === 1);
    await editor.lens("Accept");
    await editor.stored("tab.py", FILES["tab.py"].replace("    pass", "        return 1"));
    editor.passed("a quick fix; Tab indents once the cursor was moved; the proposal follows its text");
  }

  async function rewriting() {
    await editor.open("rewrite.py", 2);
    await editor.command("Diffill: Rewrite…");
    await page.getByPlaceholder("An instruction").fill("x = 3");
    await keyboard.press("Enter");
    await status("question").waitFor();
    await keyboard.press("Tab");
    await editor.stored("rewrite.py", (text) => text.includes("x = 3"));
    await editor.command("Diffill: Rewrite…");
    await list.getByText("used before").waitFor();
    await keyboard.press("Escape");
    editor.passed("a rewrite asks for its instruction, and remembers it");
  }

  async function leftAlone() {
    await editor.open("mine.py", 1);
    await status("circle-slash").waitFor();
    await editor.command("Diffill: Fill");
    await toasts.getByText("listed in .diffillignore").waitFor();
    await editor.open("rewrite.py", 2);
    await status("sparkle").waitFor();
    editor.passed("a file that is left alone is shown as such");
    await editor.command("Diffill: Repair the Syntax Error");
    await toasts.getByText("no syntax error").waitFor();
    await editor.command("Diffill: Re-roll What the Model Was Unsure Of");
    await toasts.getByText("the model was sure").waitFor();
    editor.passed("where there is nothing to mend or to roll again, it says so");
  }

  async function settingsAndCrashes() {
    /** Waits until the server has answered a command. */
    const answers = async () => {
      await editor.command("Notifications: Clear All Notifications");
      await editor.open("rewrite.py", 2);
      await editor.command("Diffill: Fill All Holes");
      await toasts.getByText("has no holes").waitFor();
    };
    const before = starts().length;
    await (await editor.setting("User", "diffill.effort")).locator("select").selectOption("quick");
    await editor.until("a changed setting restarts the server", () => starts().length > before);
    await answers();
    editor.passed("a changed setting restarts the server");
    const killed = starts();
    process.kill(Number(killed.at(-1)), "SIGKILL");
    await editor.until("a killed server is started again", () => starts().length > killed.length);
    await answers();
    editor.passed("a killed server is started again and answers");
    await (await editor.setting("Remote", "diffill.path")).locator("input").fill("/nowhere/diffill");
    await page.getByText("which is not a program").first().waitFor();
    await page.getByRole("button", { name: "Open Settings" }).first().waitFor();
    await status("error").waitFor();
    editor.passed("a missing server is said, with a button");
  }
});
