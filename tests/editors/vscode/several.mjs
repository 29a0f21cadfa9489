// An edit of several files, as a user sees it; the server's engine does what each file's first line says.
import assert from "node:assert/strict";

import { inEditor } from "./editor.mjs";

const fileOf = (number, settings = {}) =>
  `# script ${JSON.stringify({ fill: `    return ${number}\n`, ...settings })}\ndef f():\n    pass\n`;
const FILES = {
  "first.py": fileOf(1),
  "second.py": fileOf(2),
  "lingers.py": fileOf(3, { mode: "linger" }),
  "whole.py": "x = 1\n",
};
const [FIRST, SECOND] = ["first.py", "second.py"];
const filled = (name) => FILES[name].replace("pass", name === FIRST ? "return 1" : "return 2");
const UNTOUCHED = { [FIRST]: FILES[FIRST], [SECOND]: FILES[SECOND] };

await inEditor(FILES, 30_000, async (editor) => {
  const { keyboard, page, toasts } = editor;
  const diff = page.locator(".tab").filter({ hasText: "Diffill: as proposed (2 files)" });
  const title = (name) => page.locator(".editor-actions").getByRole("button", { name });
  const inserted = page.locator(".multiDiffEntry .editor.modified .view-line");
  await proposing();
  await accepting();
  await rejecting();
  await oneOfThem();
  await staleness();
  await whileItIsMade();

  /** Asks for all holes of the open files, `second.py` and `first.py`, and waits for what is proposed. */
  async function ask(home = FIRST) {
    await editor.open(SECOND, 1);
    await editor.open(home, 1);
    await editor.command("Diffill: Fill All Holes of Open Files");
    await page.locator(".multiDiffEntry .monaco-editor.focused").waitFor(); // it takes the focus when it is ready
    await editor.status("question").waitFor();
  }

  async function holds(texts) {
    for (const [name, text] of Object.entries(texts)) {
      await editor.open(name, 1);
      await editor.stored(name, text);
    }
  }

  async function proposing() {
    await editor.command("View: Close All Editors");
    await ask();
    const texts = async () => (await inserted.allInnerTexts()).join("\n").replaceAll("\u00a0", " ");
    await editor.until("both files are in the multi-diff editor", async () => {
      const shown = await texts();
      return shown.includes("    return 1") && shown.includes("    return 2");
    });
    await editor.shot("files");
    await holds(UNTOUCHED);
    await editor.until("a file shows its own part", async () => (await editor.pictures()).length === 1);
    editor.passed("an edit of two files is shown as one diff, and changes nothing");
  }

  async function accepting() {
    await diff.click();
    await title("Accept").click();
    await diff.waitFor({ state: "detached" });
    await holds({ [SECOND]: filled(SECOND), [FIRST]: filled(FIRST) });
    editor.passed("all files are accepted at once");
    await keyboard.press("Control+z");
    await editor.shot("undo");
    await holds(UNTOUCHED);
    editor.passed("undo takes it back");
  }

  async function rejecting() {
    await ask("whole.py");
    await title("Reject").click();
    await diff.waitFor({ state: "detached" });
    await editor.status("sparkle").waitFor();
    await holds(UNTOUCHED);
    assert.deepEqual(await editor.pictures(), []);
    editor.passed("all files are rejected at once, and a file without holes may be the one asked from");
  }

  async function oneOfThem() {
    await ask();
    await editor.open(SECOND, 1);
    await editor.lens("Accept File");
    await editor.stored(SECOND, filled(SECOND));
    await editor.open(FIRST, 1);
    await editor.lens("Reject");
    await diff.waitFor({ state: "detached" });
    await holds({ [FIRST]: FILES[FIRST], [SECOND]: filled(SECOND) });
    await keyboard.press("Control+z");
    await editor.stored(SECOND, FILES[SECOND]);
    editor.passed("of two files one is accepted and one rejected");
  }

  async function staleness() {
    await ask();
    await editor.open(SECOND, 3);
    await keyboard.press("ArrowLeft");
    await keyboard.type("x");
    await toasts.getByText("second.py was changed meanwhile: no file was edited").waitFor();
    await diff.waitFor({ state: "detached" });
    await editor.stored(SECOND, FILES[SECOND].replace("pass", "pasxs"));
    await editor.open(FIRST, 1);
    await editor.status("sparkle").waitFor();
    await editor.stored(FIRST, FILES[FIRST]);
    await editor.open(SECOND, 3);
    await keyboard.press("ArrowLeft");
    await keyboard.press("Backspace");
    await editor.stored(SECOND, FILES[SECOND]);
    editor.passed("typing in a hole of one file ends the edit of both, and says so");
  }

  async function whileItIsMade() {
    await editor.open("lingers.py", 1);
    await editor.open(FIRST, 1);
    await editor.command("Diffill: Fill All Holes of Open Files");
    await editor.status("sync").waitFor();
    await editor.open("lingers.py", 3);
    await editor.until("it is shown in another file, too", async () => (await editor.pictures()).length === 1);
    await keyboard.press("Escape");
    await editor.until("the view is gone", async () => (await editor.pictures()).length === 0);
    await editor.open(FIRST, 1);
    await editor.status("sparkle").waitFor();
    assert.deepEqual(await editor.pictures(), []);
    editor.passed("each file shows its part while it is made, and Escape in any cancels all");
  }
});
