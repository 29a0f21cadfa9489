import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Snooze, SNOOZE_MS } from "../src/ghost.js";
import { remembered } from "../src/history.js";
import { serverSettings } from "../src/settings.js";
import { shown } from "../src/status.js";
import { values } from "./vscode.js";

test("an instruction used again moves to the front, and twenty are kept", () => {
  assert.deepEqual(remembered(["a", "b"], "b"), ["b", "a"]);
  const many = Array.from({ length: 30 }, (_, n) => String(n)).reduce(remembered, [] as string[]);
  assert.deepEqual([many.length, many[0], many.at(-1)], [20, "29", "10"]);
});

test("a snooze ends by itself, or when it is ended", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const snooze = new Snooze();
  snooze.toggle();
  mock.timers.tick(SNOOZE_MS - 1);
  assert.equal(snooze.active, true);
  mock.timers.tick(1);
  assert.equal(snooze.active, false);
  snooze.toggle();
  snooze.toggle();
  assert.equal(snooze.active, false);
});

test("the server is told what the user has set, even to a default, and not where it is itself", () => {
  Object.assign(values, {
    path: { globalValue: "/x", defaultValue: "" },
    effort: { globalValue: "thorough", workspaceValue: "quick", defaultValue: "balanced" },
    code_lens: { globalValue: true, defaultValue: true },
    disabled_languages: { defaultValue: [] },
  });
  assert.deepEqual(serverSettings(), { effort: "quick", code_lens: true });
});

test("the status of a file that is left alone says why, unless the server itself has trouble", () => {
  const off = "the file is listed in .diffillignore";
  assert.deepEqual(shown({ state: "ready" }, "idle", false, off), {
    text: "$(circle-slash) Diffill", tooltip: `Diffill: off here: ${off}`, failed: false,
  });
  assert.equal(shown({ state: "error", detail: "gone" }, "idle", false, off).tooltip, "Diffill: gone");
  assert.equal(shown({ state: "ready" }, "idle", false, undefined).text, "$(sparkle) Diffill");
});
