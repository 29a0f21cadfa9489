/** Changes of one text by offset: where they are after other edits, and what they leave of a cursor. */

const MAX_WORD = 100;

export interface Change {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Returns where a change is after an edit elsewhere, null if the edit touched what it replaces. */
export function moved(change: Change, edit: Change): Change | null {
  const empty = change.start === change.end;
  const shift = edit.text.length - (edit.end - edit.start);
  if (edit.end < change.start || (edit.end === change.start && !empty)) {
    return { start: change.start + shift, end: change.end + shift, text: change.text };
  }
  if (edit.start > change.end || (edit.start === change.end && !empty)) return change;
  return null;
}

/** Returns all changes after edits, given as VS Code does: each of the text before any of them. */
export function movedAll(changes: readonly Change[], edits: readonly Change[]): Change[] | null {
  const last = [...edits].sort((a, b) => b.start - a.start);
  let result: Change[] = [...changes];
  for (const edit of last) {
    const next = result.map((change) => moved(change, edit));
    if (next.some((change) => change === null)) return null;
    result = next as Change[];
  }
  return result;
}

/** Returns a change of whole words with the same result: easier to read than one cut inside them. */
export function wholeWords(text: string, { start, end, text: put }: Change): Change {
  const before = /[\p{L}\p{N}_]*$/u.exec(text.slice(Math.max(0, start - MAX_WORD), start))?.[0] ?? "";
  const after = /^[\p{L}\p{N}_]*/u.exec(text.slice(end, end + MAX_WORD))?.[0] ?? "";
  return { start: start - before.length, end: end + after.length, text: before + put + after };
}

export function applied(text: string, changes: readonly Change[]): string {
  return [...changes]
    .sort((a, b) => b.start - a.start)
    .reduce((made, { start, end, text: put }) => made.slice(0, start) + put + made.slice(end), text);
}

/** Returns where a cursor belongs after the changes: in one, as far from its start as before. */
export function keptOffset(offset: number, changes: readonly Change[]): number {
  let shift = 0;
  for (const { start, end, text } of [...changes].sort((a, b) => a.start - b.start)) {
    if (start >= offset) break;
    if (offset <= end) return start + shift + Math.min(offset - start, text.length);
    shift += text.length - (end - start);
  }
  return offset + shift;
}
