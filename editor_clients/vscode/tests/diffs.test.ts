import assert from "node:assert/strict";
import { test } from "node:test";

import { Diffs } from "../src/diffs.js";
import type { Sessions } from "../src/session.js";
import { commands, EventEmitter, window } from "./vscode.js";

const fileOf = (name: string) => ({ uri: { path: `/${name}`, toString: () => `file:///${name}` } });
const [HOME, OTHER] = [fileOf("home.py"), fileOf("other.py")];

/** What becomes of a proposal of two files, and the commands that were run. */
async function offered(untouched: boolean, chosen?: string, newer = false): Promise<string[]> {
  const done: string[] = [];
  let id = "1";
  const sessions = {
    onDidChange: new EventEmitter().event,
    filesWith: () => [HOME, OTHER],
    untouched: () => untouched,
    idOf: () => id,
    accept: () => done.push("accepted"),
    drop: () => done.push("dropped"),
  };
  commands.executeCommand = (name) => done.push(name);
  window.activeTextEditor = { document: HOME };
  window.showInformationMessage = (message) => {
    done.push(message);
    if (newer) id = "2";
    return Promise.resolve(chosen);
  };
  await new Diffs(sessions as unknown as Sessions).offer(HOME as never);
  return done;
}

test("a proposal of several files is shown at once to who waits for it", async () => {
  assert.deepEqual(await offered(true), ["vscode.changes"]);
});

test("who has gone on with something else is asked first", async () => {
  const message = "Diffill: an edit of 2 files waits for accept or reject";
  assert.deepEqual(await offered(false), [message]);
  assert.deepEqual(await offered(false, "Show Diff"), [message, "vscode.changes"]);
  assert.deepEqual(await offered(false, "Accept"), [message, "accepted"]);
  assert.deepEqual(await offered(false, "Reject"), [message, "dropped"]);
  assert.deepEqual(await offered(false, "Accept", true), [message]);
});
