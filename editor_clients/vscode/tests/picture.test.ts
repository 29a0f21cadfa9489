import assert from "node:assert/strict";
import { test } from "node:test";

import { linesOf, opacity, piece, svg } from "../src/picture.js";

const LOOK = { dark: true, fontSize: 10, lineHeight: 20, tabSize: 4 };

test("tokens become lines, masked ones blocks", () => {
  const tokens = [
    { text: "a =\r\n", state: "committed", confidence: 1 },
    { text: "", state: "masked", confidence: 0 },
  ] as const;
  const lines = linesOf(tokens.map(piece));
  assert.deepEqual(lines.map((line) => line.map((each) => each.text)), [["a ="], ["▒▒"]]);
});

test("the surer the model, the stronger the text", () => {
  const shade = (confidence: number) => opacity({ text: "x", kind: "provisional", confidence });
  assert.ok(shade(0.1) < shade(0.5) && shade(0.5) < shade(0.9));
  assert.ok(shade(7) < 1);
});

test("the picture holds the text, escaped, and has its size", () => {
  const { source, height } = svg([[{ text: "a<b\t&\u0007", kind: "revised", confidence: 1 }], []], LOOK);
  assert.match(source, /underline">a&lt;b {4}&amp;\ufffd<\/tspan>/);
  assert.equal(height, 40);
});
