/** A proposal beside its text: of one file in the diff editor, of several in the multi-diff editor. */

import * as vscode from "vscode";

import { openDocument } from "./proposal.js";
import type { Sessions } from "./session.js";

const [BEFORE, AFTER] = ["diffill-before", "diffill-proposal"];
const TITLE = "Diffill: as proposed"; // the editor adds the number of files

/** The texts before and after, of documents named by the query of a URI; they follow the sessions. */
export class Diffs implements vscode.Disposable {
  private readonly texts = new vscode.EventEmitter<vscode.Uri>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly sessions: Sessions) {
    const provider = (textOf: (document: vscode.TextDocument) => string): vscode.TextDocumentContentProvider => ({
      onDidChange: this.texts.event,
      provideTextDocumentContent(uri) {
        const document = openDocument(uri.query);
        return document && textOf(document);
      },
    });
    const register = vscode.workspace.registerTextDocumentContentProvider;
    this.subscriptions = [
      register(BEFORE, provider((document) => document.getText())),
      register(AFTER, provider((document) => sessions.proposedText(document))),
      sessions.onDidChange(() => this.follow()),
      vscode.window.tabGroups.onDidChangeTabs(tellContext),
      vscode.window.tabGroups.onDidChangeTabGroups(tellContext),
    ];
  }

  /** Shows the files of a proposal that waits, or asks first if the user has gone on with something else. */
  async offer(home: vscode.TextDocument): Promise<void> {
    const { length } = this.sessions.filesWith(home);
    if (!length) return;
    if (this.sessions.untouched(home) && vscode.window.activeTextEditor?.document === home) return this.show(home);
    const [show, accept, reject] = ["Show Diff", "Accept", "Reject"];
    const files = length === 1 ? "another file" : `${length} files`;
    const message = `Diffill: an edit of ${files} waits for accept or reject`;
    const id = this.sessions.idOf(home);
    const chosen = await vscode.window.showInformationMessage(message, show, accept, reject);
    if (this.sessions.idOf(home) !== id) return; // the question is older than what waits now
    if (chosen === show) await this.show(home);
    if (chosen === accept) await this.sessions.accept(home);
    if (chosen === reject) this.sessions.drop(home);
  }

  /** Shows what the document's proposal changes, in all of its files. */
  async show(document: vscode.TextDocument): Promise<void> {
    const files = this.sessions.filesWith(document);
    if (!files.length) {
      const title = `${vscode.workspace.asRelativePath(document.uri)}: as proposed`;
      return void (await vscode.commands.executeCommand("vscode.diff", document.uri, virtual(AFTER, document), title));
    }
    const resources = files.map((each) => [each.uri, virtual(BEFORE, each), virtual(AFTER, each)]);
    await vscode.commands.executeCommand("vscode.changes", TITLE, resources);
  }

  private follow(): void {
    for (const { uri } of vscode.workspace.textDocuments) {
      if (uri.scheme === BEFORE || uri.scheme === AFTER) this.texts.fire(uri);
    }
    if (this.sessions.filesWith(this.sessions.meant(undefined)).length) return;
    const left = vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs.filter(isOurs));
    if (left.length) void vscode.window.tabGroups.close(left);
  }

  dispose(): void {
    for (const each of this.subscriptions) each.dispose();
    this.texts.dispose();
  }
}

function virtual(scheme: string, document: vscode.TextDocument): vscode.Uri {
  return vscode.Uri.from({ scheme, path: document.uri.path, query: document.uri.toString() });
}

/** The interface has no type for the tabs of the multi-diff editor. */
function isOurs(tab: vscode.Tab | undefined): boolean {
  return tab !== undefined && tab.label.startsWith(TITLE);
}

function tellContext(): void {
  const shown = isOurs(vscode.window.tabGroups.activeTabGroup.activeTab);
  void vscode.commands.executeCommand("setContext", "diffill.filesShown", shown);
}
