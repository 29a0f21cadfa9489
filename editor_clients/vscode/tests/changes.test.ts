import assert from "node:assert/strict";
import { test } from "node:test";

import { applied, keptOffset, movedAll, wholeWords, type Change } from "../src/changes.js";

/** A generator of numbers below a bound, the same for the same seed. */
function picker(seed: number): (bound: number) => number {
  return (bound) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * bound);
  };
}

const TEXT = "one two three four five";
const HOLES: Change[] = [
  { start: 4, end: 7, text: "2" },
  { start: 14, end: 18, text: "IIII" },
];

test("changes are applied together", () => {
  assert.equal(applied(TEXT, HOLES), "one 2 three IIII five");
});

test("an edit between changes moves those behind it", () => {
  assert.deepEqual(movedAll(HOLES, [{ start: 8, end: 13, text: "3" }]), [
    HOLES[0],
    { start: 10, end: 14, text: "IIII" },
  ]);
});

test("an edit inside a change makes all of them stale", () => {
  assert.equal(movedAll(HOLES, [{ start: 15, end: 15, text: "x" }]), null);
});

test("a change is shown in whole words, with the same result", () => {
  const cut = { start: 5, end: 10, text: "x" }; // "one t[wo th]ree"
  const whole = wholeWords(TEXT, cut);
  assert.deepEqual(whole, { start: 4, end: 13, text: "txree" });
  assert.equal(applied(TEXT, [whole]), applied(TEXT, [cut]));
  assert.deepEqual(wholeWords("a (b)", { start: 3, end: 3, text: "c" }), { start: 3, end: 4, text: "cb" });
});

test("a cursor stays with its text, or as deep inside a change as it was", () => {
  assert.deepEqual([0, 4, 6, 7, 8, 15, 18, 23].map((at) => keptOffset(at, HOLES)), [0, 4, 5, 5, 6, 13, 16, 21]);
});

test("moving changes and applying them commute with edits elsewhere", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const pick = picker(seed);
    const text = Array.from({ length: 30 }, () => "ab\n "[pick(4)]).join("");
    const cuts = Array.from({ length: 4 }, () => pick(30)).sort((a, b) => a - b) as [number, number, number, number];
    if (cuts[0] === cuts[1] || cuts[1] === cuts[2] || cuts[2] === cuts[3]) continue;
    const change = { start: cuts[2], end: cuts[3], text: "new".repeat(pick(3)) };
    const edit = { start: cuts[0], end: cuts[1], text: "typed".repeat(pick(3)) };
    const later = movedAll([change], [edit]);
    assert.ok(later);
    assert.equal(applied(applied(text, [edit]), later), applied(text, [edit, change]));
  }
});
