/** The server's answer to an edit: the changes of the open documents, or why there are none. */

import * as vscode from "vscode";

import type { Change } from "./changes.js";
import type { Proposal } from "./protocol.js";

const NO_CHANGE = "it proposes to leave the text as it is";
const FOREIGN = "the server sent an edit that is not one of open files";

/** Returns why nothing was edited: of several files, which one is not what it was. */
export function stale(document: vscode.TextDocument, several: boolean): string {
  if (!several) return "the text was changed meanwhile: nothing was edited";
  return `${vscode.workspace.asRelativePath(document.uri)} was changed meanwhile: no file was edited`;
}

export function openDocument(uri: string): vscode.TextDocument | undefined {
  const wanted = vscode.Uri.parse(uri).toString();
  return vscode.workspace.textDocuments.find((each) => each.uri.toString() === wanted);
}

/** Returns the changes of each document, all of which must be as the server knows them; else what to tell. */
export function proposedChanges(answer: Proposal): Map<vscode.TextDocument, Change[]> | string {
  if (!answer.edit) return answer.reason ?? NO_CHANGE;
  const edits = answer.edit.documentChanges ?? [];
  const found = new Map<vscode.TextDocument, Change[]>();
  for (const edit of edits) {
    const document = "edits" in edit && openDocument(edit.textDocument.uri);
    if (!document) return FOREIGN;
    const { version } = edit.textDocument;
    if (version !== null && version !== document.version) return stale(document, edits.length > 1);
    const offset = ({ line, character }: { line: number; character: number }) =>
      document.offsetAt(new vscode.Position(line, character));
    const changes = edit.edits.flatMap((each) =>
      "newText" in each ? [{ start: offset(each.range.start), end: offset(each.range.end), text: each.newText }] : [],
    );
    if (changes.length) found.set(document, changes.sort((a, b) => a.start - b.start));
  }
  return found.size ? found : NO_CHANGE;
}
