import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Snooze, SNOOZE_MS } from "../src/ghost.js";
import { remembered } from "../src/history.js";
import { serverSettings } from "../src/settings.js";
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
