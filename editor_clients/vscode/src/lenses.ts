/** Buttons above each proposed change. */

import * as vscode from "vscode";

import type { Extent, Sessions } from "./session.js";

export class ProposalLenses implements vscode.CodeLensProvider {
  readonly onDidChangeCodeLenses: vscode.Event<void>;

  constructor(private readonly sessions: Sessions) {
    this.onDidChangeCodeLenses = sessions.onDidChange;
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const changes = this.sessions.changesOf(document);
    const several = changes.length > 1;
    const uri = document.uri.toString();
    const files = this.sessions.filesWith(document).length;
    return changes.flatMap((change, index) => {
      const start = document.positionAt(change.start);
      const lens = (title: string, command: string, ...args: unknown[]) =>
        new vscode.CodeLens(new vscode.Range(start, start), { title, command, arguments: args });
      const some = (what: string, extent: Extent) => [
        lens(`$(check) Accept${what}`, "diffill.acceptSome", uri, extent),
        lens(`$(close) Reject${what}`, "diffill.rejectSome", uri, extent),
      ];
      const own = several ? some("", index) : [];
      if (index > 0) return own;
      const file = files > 1 ? some(" File", "file") : [];
      const all = files > 1 ? ` in All ${files} Files` : several ? " All" : "";
      return [
        ...own,
        ...file,
        lens(`$(check-all) Accept${all}`, "diffill.accept"),
        lens(`$(close-all) Reject${all}`, "diffill.cancel"),
        lens("$(diff) Show Diff", "diffill.diff"),
      ];
    });
  }
}
