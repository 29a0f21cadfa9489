/** Buttons above each proposed change. */

import * as vscode from "vscode";

import type { Sessions } from "./session.js";

export class ProposalLenses implements vscode.CodeLensProvider {
  readonly onDidChangeCodeLenses: vscode.Event<void>;

  constructor(private readonly sessions: Sessions) {
    this.onDidChangeCodeLenses = sessions.onDidChange;
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const changes = this.sessions.changesOf(document);
    const several = changes.length > 1;
    return changes.flatMap((change, index) => {
      const start = document.positionAt(change.start);
      const lens = (title: string, command: string, ...args: unknown[]) =>
        new vscode.CodeLens(new vscode.Range(start, start), { title, command, arguments: args });
      const own = several
        ? [lens("$(check) Accept", "diffill.acceptOne", index), lens("$(close) Reject", "diffill.rejectOne", index)]
        : [];
      const all = several ? " All" : "";
      return index > 0 ? own : [
        ...own,
        lens(`$(check-all) Accept${all}`, "diffill.accept"),
        lens(`$(close-all) Reject${all}`, "diffill.cancel"),
        lens("$(diff) Show Diff", "diffill.diff"),
      ];
    });
  }
}
