/** One explicit edit a document: asked for, watched while it is made, accepted or rejected. */

import * as vscode from "vscode";
import {
  CancellationTokenSource,
  ExecuteCommandRequest,
  ResponseError,
  TextDocumentEdit,
  type LanguageClient,
} from "vscode-languageclient/node";

import { applied, keptOffset, movedAll, wholeWords, type Change } from "./changes.js";
import { piece, type Piece } from "./picture.js";
import { Preview } from "./preview.js";
import type { CommandArgument, Frame, FrameEnd, Proposal, ServerCommand } from "./protocol.js";

export const STALE = "the text was changed meanwhile: nothing was edited";
const NO_CHANGE = "it proposes to leave the text as it is";
const CANCELLED = -32800;
const EXPECTED = [-32801, -32803]; // content modified, request failed

interface Session {
  readonly id: string;
  readonly document: vscode.TextDocument;
  readonly cancel: CancellationTokenSource;
  readonly selections: string;
  readonly frames: Map<number, Change & { pieces: Piece[] }>;
  changes: Change[] | undefined; // the proposal, once it is there
  untouched: boolean; // since it was asked for: only then is Tab the user's answer to it
}

export type Phase = "idle" | "running" | "proposed";

/** The sessions of all documents; a new one takes the place of its document's older one. */
export class Sessions implements vscode.Disposable {
  private readonly sessions = new Map<vscode.TextDocument, Session>();
  private readonly preview = new Preview();
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private readonly subscriptions: vscode.Disposable[];
  private count = 0;

  constructor() {
    this.subscriptions = [
      vscode.workspace.onDidChangeTextDocument((event) => this.follow(event)),
      vscode.workspace.onDidCloseTextDocument((document) => this.drop(document)),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.onSelection(textEditor)),
      vscode.window.onDidChangeVisibleTextEditors(() => this.sessions.forEach((each) => this.draw(each))),
    ];
  }

  phase(document: vscode.TextDocument | undefined): Phase {
    const session = document && this.sessions.get(document);
    return !session ? "idle" : session.changes ? "proposed" : "running";
  }

  /** Whether Tab accepts: nothing was typed and the cursor stayed since the edit was asked for. */
  tabAccepts(document: vscode.TextDocument | undefined): boolean {
    const session = document && this.sessions.get(document);
    return Boolean(session?.changes && session.untouched);
  }

  changesOf(document: vscode.TextDocument): readonly Change[] {
    return this.sessions.get(document)?.changes ?? [];
  }

  proposedText(document: vscode.TextDocument): string {
    return applied(document.getText(), this.changesOf(document));
  }

  /** Asks the server for an edit and shows it. */
  async start(
    client: LanguageClient,
    document: vscode.TextDocument,
    command: ServerCommand,
    argument: Partial<CommandArgument>,
  ): Promise<void> {
    this.drop(document);
    const session: Session = {
      id: `vscode-${process.pid}-${++this.count}`,
      document,
      cancel: new CancellationTokenSource(),
      selections: selectionsOf(document),
      frames: new Map(),
      changes: undefined,
      untouched: true,
    };
    this.sessions.set(document, session);
    this.changed.fire();
    const uri = client.code2ProtocolConverter.asUri(document.uri);
    const full: CommandArgument = {
      version: document.version, ...argument, uri, id: session.id, apply: false,
    };
    const params = { command, arguments: [full] };
    try {
      const answer = (await client.sendRequest(
        ExecuteCommandRequest.type, params, session.cancel.token,
      )) as Proposal;
      if (this.sessions.get(document) === session) this.propose(session, answer);
    } catch (error) {
      if (this.sessions.get(document) !== session) return;
      this.close(session);
      tell(error);
    }
  }

  onFrame(frame: Frame): void {
    const session = this.running(frame.request);
    if (!session || frame.version !== session.document.version) return;
    const { start, end } = frame.range;
    session.frames.set(frame.span, {
      start: session.document.offsetAt(new vscode.Position(start.line, start.character)),
      end: session.document.offsetAt(new vscode.Position(end.line, end.character)),
      text: "",
      pieces: frame.tokens.map(piece),
    });
    this.draw(session);
  }

  onFrameEnd(finish: FrameEnd): void {
    const session = this.running(finish.request);
    if (session && finish.outcome !== "done") this.preview.clear(session.document);
  }

  /** Ends whatever edit a document has; nothing is applied. Returns whether it had one. */
  drop(document: vscode.TextDocument): boolean {
    const session = this.sessions.get(document);
    if (!session) return false;
    session.cancel.cancel();
    this.close(session);
    return true;
  }

  /** Ends what is running: the server is gone. */
  dropRunning(): void {
    for (const session of [...this.sessions.values()]) {
      if (!session.changes) this.drop(session.document);
    }
  }

  /** Applies the proposal, or one of its changes, as one undo step. */
  async accept(document: vscode.TextDocument, index?: number): Promise<void> {
    const session = this.sessions.get(document);
    if (!session?.changes) return;
    const chosen = index === undefined ? session.changes : session.changes.slice(index, index + 1);
    const rest = index === undefined ? [] : session.changes.filter((_, each) => each !== index);
    const later = movedAll(rest, chosen) ?? [];
    this.close(session);
    const editors = vscode.window.visibleTextEditors.filter((each) => each.document === document);
    const cursors = editors.map((editor) =>
      editor.selections.map((at) => [at.anchor, at.active].map((p) => keptOffset(document.offsetAt(p), chosen))),
    );
    const edit = new vscode.WorkspaceEdit();
    for (const change of chosen) edit.replace(document.uri, rangeOf(document, change), change.text);
    if (!(await vscode.workspace.applyEdit(edit, { isRefactoring: true }))) {
      void vscode.window.showWarningMessage("Diffill: the editor did not apply the edit");
      return;
    }
    editors.forEach((editor, number) => {
      editor.selections = (cursors[number] ?? []).map(
        ([anchor = 0, active = 0]) => new vscode.Selection(document.positionAt(anchor), document.positionAt(active)),
      );
    });
    if (later.length) this.keep(session, later);
  }

  /** Rejects one change of the proposal, or all of it. */
  reject(document: vscode.TextDocument, index: number): void {
    const session = this.sessions.get(document);
    const rest = session?.changes?.filter((_, each) => each !== index);
    if (!session || !rest?.length) this.drop(document);
    else this.keep(session, rest);
  }

  private keep(session: Session, changes: Change[]): void {
    session.changes = changes;
    session.untouched = false;
    this.sessions.set(session.document, session);
    this.draw(session);
    this.changed.fire();
  }

  private propose(session: Session, answer: Proposal): void {
    const [edit, ...more] = answer.edit?.documentChanges ?? [];
    if (!edit || more.length || !TextDocumentEdit.is(edit)) {
      this.close(session);
      return tell(answer.edit ? "the server sent an edit that is not one of a single open file" : (answer.reason ?? NO_CHANGE));
    }
    const { document } = session;
    if (edit.textDocument.version !== null && edit.textDocument.version !== document.version) {
      this.close(session);
      return tell(STALE);
    }
    session.frames.clear();
    session.changes = edit.edits.flatMap((each) => {
      if (!("newText" in each)) return [];
      const { start, end } = each.range;
      return [{
        start: document.offsetAt(new vscode.Position(start.line, start.character)),
        end: document.offsetAt(new vscode.Position(end.line, end.character)),
        text: each.newText,
      }];
    }).sort((a, b) => a.start - b.start);
    if (!session.changes.length) {
      this.close(session);
      return tell(NO_CHANGE);
    }
    this.draw(session);
    this.changed.fire();
  }

  private follow(event: vscode.TextDocumentChangeEvent): void {
    const session = this.sessions.get(event.document);
    if (!session || !event.contentChanges.length) return;
    session.untouched = false;
    const edits = event.contentChanges.map(({ rangeOffset, rangeLength, text }) => ({
      start: rangeOffset, end: rangeOffset + rangeLength, text,
    }));
    for (const [span, frame] of session.frames) {
      const place = movedAll([frame], edits)?.[0];
      if (!place) {
        this.drop(event.document); // the server would refuse it at its end
        return tell(STALE);
      }
      session.frames.set(span, { ...place, pieces: frame.pieces });
    }
    if (session.changes) {
      const changes = movedAll(session.changes, edits);
      if (!changes) {
        this.close(session);
        return tell(STALE);
      }
      session.changes = changes;
    }
    this.draw(session);
    this.changed.fire();
  }

  private onSelection(editor: vscode.TextEditor): void {
    const session = this.sessions.get(editor.document);
    if (!session?.untouched || selectionsOf(editor.document) === session.selections) return;
    session.untouched = false;
    this.changed.fire();
  }

  private draw(session: Session): void {
    const { document, changes, frames } = session;
    const parts = changes
      ? changes
          .map((each) => wholeWords(document.getText(), each))
          .map((each) => ({ ...each, pieces: [{ text: each.text, kind: "proposed", confidence: 1 } as Piece] }))
      : [...frames.values()];
    this.preview.draw(document, parts.map((each) => ({ range: rangeOf(document, each), pieces: each.pieces })));
  }

  private running(id: string): Session | undefined {
    return [...this.sessions.values()].find((each) => each.id === id && !each.changes);
  }

  private close(session: Session): void {
    if (this.sessions.get(session.document) === session) this.sessions.delete(session.document);
    this.preview.clear(session.document);
    this.changed.fire();
  }

  dispose(): void {
    for (const document of [...this.sessions.keys()]) this.drop(document);
    for (const each of this.subscriptions) each.dispose();
    this.preview.dispose();
    this.changed.dispose();
  }
}

function rangeOf(document: vscode.TextDocument, { start, end }: Change): vscode.Range {
  return new vscode.Range(document.positionAt(start), document.positionAt(end));
}

function selectionsOf(document: vscode.TextDocument): string {
  const editor = vscode.window.visibleTextEditors.find((each) => each.document === document);
  return JSON.stringify(editor?.selections ?? []);
}

function tell(problem: unknown): void {
  if (problem instanceof ResponseError && problem.code === CANCELLED) return;
  const message = `Diffill: ${problem instanceof Error ? problem.message : String(problem)}`;
  const serious = problem instanceof Error && !(problem instanceof ResponseError && EXPECTED.includes(problem.code));
  void (serious ? vscode.window.showErrorMessage(message) : vscode.window.showWarningMessage(message));
}
