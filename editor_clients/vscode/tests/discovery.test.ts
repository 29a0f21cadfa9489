import assert from "node:assert/strict";
import { test } from "node:test";

import { findServer, type Surroundings } from "../src/discovery.js";

function find(files: string[], given: Partial<Surroundings>) {
  return findServer(
    {
      setting: "", interpreter: undefined, searchPath: "", ownEnvironment: "/own/env", windows: false,
      isExecutable: (file) => files.includes(file), ...given,
    },
    () => undefined,
  );
}

const FILES = ["/own/diffill", "/venv/bin/diffill", "/usr/bin/diffill", "bin/diffill"];
const PLACES = { interpreter: "/venv/bin/python", searchPath: "bin:/usr/bin" };

test("the setting goes before the interpreter, and that before the PATH", () => {
  assert.deepEqual(find(FILES, { ...PLACES, setting: "/own/diffill" }), { program: "/own/diffill", source: "setting" });
  assert.deepEqual(find(FILES, PLACES), { program: "/venv/bin/diffill", source: "interpreter" });
  assert.deepEqual(find(FILES, { searchPath: "bin:/usr/bin" }), { program: "/usr/bin/diffill", source: "PATH" });
});

test("the extension's own environment comes last, and what is nowhere can be installed", () => {
  const own = "/own/env/bin/diffill";
  assert.deepEqual(find([own], PLACES), { program: own, source: "own environment" });
  assert.deepEqual(find([own, ...FILES], { searchPath: "/usr/bin" }), { program: "/usr/bin/diffill", source: "PATH" });
  const nowhere = find([], PLACES);
  assert.ok("problem" in nowhere && nowhere.installable);
  const windows = find(["/own/env/Scripts/diffill.exe"], { windows: true });
  assert.equal("source" in windows ? windows.source : "", "own environment");
});

test("a setting that names no program is a problem, not passed over", () => {
  const found = find(FILES, { ...PLACES, setting: "/gone/diffill" });
  assert.match("problem" in found ? found.problem : "", /\/gone\/diffill/);
});

test("a relative folder of the PATH is never searched", () => {
  assert.ok("problem" in find(FILES, { searchPath: "bin:." }));
});
