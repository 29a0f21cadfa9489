/** New text as a picture below the old: decorations have no lines of their own, an image has. */

import type { FrameToken } from "./protocol.js";

export interface Piece {
  readonly text: string;
  readonly kind: FrameToken["state"] | "proposed" | "context";
  readonly confidence: number;
}

export interface Look {
  readonly dark: boolean;
  readonly fontSize: number;
  readonly lineHeight: number;
  readonly tabSize: number;
}

export interface Picture {
  readonly uri: string;
  readonly width: number;
  readonly height: number;
}

const MASK = "▒▒";
const CHARACTER_WIDTH = 0.602; // of the font size, in monospaced fonts

export function piece(token: FrameToken): Piece {
  const text = token.state === "masked" ? MASK : token.text;
  return { text, kind: token.state, confidence: token.confidence };
}

/** Splits pieces at line ends. */
export function linesOf(pieces: readonly Piece[]): Piece[][] {
  const lines: Piece[][] = [[]];
  for (const each of pieces) {
    each.text.split(/\r\n|\r|\n/).forEach((text, index) => {
      if (index > 0) lines.push([]);
      if (text) lines[lines.length - 1]?.push({ ...each, text });
    });
  }
  return lines;
}

export function opacity({ kind, confidence }: Piece): number {
  if (kind === "masked") return 0.4;
  if (kind === "context") return 0.6;
  if (kind === "provisional") return 0.35 + 0.6 * Math.min(1, Math.max(0, confidence));
  return 1;
}

export function svg(lines: readonly Piece[][], look: Look): { source: string; width: number; height: number } {
  const columns = Math.max(1, ...lines.map((line) => lengthOf(line, look)));
  const width = Math.ceil((columns + 1) * look.fontSize * CHARACTER_WIDTH);
  const height = lines.length * look.lineHeight;
  const ink = look.dark ? "#d4d4d4" : "#1f1f1f";
  const mark = look.dark ? "#75beff" : "#0451a5";
  const rows = lines.map((line, row) => {
    const y = Math.round((row + 0.72) * look.lineHeight);
    const spans = line.map((each) => {
      const revised = each.kind === "revised";
      const style = revised ? ` text-decoration="underline"` : "";
      const text = escaped(expanded(each.text, look));
      return `<tspan fill="${revised ? mark : ink}" fill-opacity="${opacity(each).toFixed(2)}"${style}>${text}</tspan>`;
    });
    return `<text xml:space="preserve" x="0" y="${y}">${spans.join("")}</text>`;
  });
  const font = `font-family="monospace" font-size="${look.fontSize}"`;
  const source = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ${font}>${rows.join("")}</svg>`;
  return { source, width, height };
}

export function picture(lines: readonly Piece[][], look: Look): Picture {
  const { source, width, height } = svg(lines, look);
  const uri = `data:image/svg+xml;base64,${Buffer.from(source, "utf8").toString("base64")}`;
  return { uri, width, height };
}

function expanded(text: string, look: Look): string {
  return text.replaceAll("\t", " ".repeat(look.tabSize));
}

function lengthOf(line: readonly Piece[], look: Look): number {
  return line.reduce((sum, each) => sum + expanded(each.text, look).length, 0);
}

function escaped(text: string): string {
  // Control characters are not allowed in XML at all.
  return text
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
