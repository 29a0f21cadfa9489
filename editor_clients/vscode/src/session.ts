/**
 * One explicit edit a document: asked for, watched while it is made, accepted or rejected. That of several
 * documents is one session each, which stand and fall together.
 */

import * as vscode from "vscode";
import {
  CancellationTokenSource,
  ExecuteCommandRequest,
  ResponseError,
  type LanguageClient,
} from "vscode-languageclient/node";

import { applied, keptOffset, movedAll, wholeWords, type Change } from "./changes.js";
import { piece, type Piece } from "./picture.js";
import { Preview } from "./preview.js";
import { openDocument, proposedChanges, stale } from "./proposal.js";
import type { CommandArgument, Frame, FrameEnd, Proposal, ServerCommand } from "./protocol.js";

const CANCELLED = -32800;
const EXPECTED = [-32801, -32803]; // content modified, request failed

/** What was asked for at once. */
interface Edit {
  readonly id: string;
  readonly home: vscode.TextDocument; // where it was asked for
  readonly cancel: CancellationTokenSource;
  readonly sessions: Map<vscode.TextDocument, Session>; // `home` has one even where nothing changes
  several: boolean; // whether it is of other files, too
}

interface Session {
  readonly edit: Edit;
  readonly document: vscode.TextDocument;
  readonly selections: string;
  readonly frames: Map<number, Change & { pieces: Piece[] }>;
  changes: Change[] | undefined; // the proposal, once it is there
  untouched: boolean; // since it was asked for: only then is Tab the user's answer to it
}

export type Phase = "idle" | "running" | "proposed";

/** What an answer is about: the document's whole edit, in all files, what of it is the document's, or one change. */
export type Extent = "all" | "file" | number;

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
      vscode.workspace.onDidCloseTextDocument((document) => this.onClose(document)),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.onSelection(textEditor)),
      vscode.window.onDidChangeVisibleTextEditors(() => this.sessions.forEach((each) => this.draw(each))),
    ];
  }

  phase(document: vscode.TextDocument | undefined): Phase {
    const session = document && this.sessions.get(document);
    return !session ? "idle" : session.changes ? "proposed" : "running";
  }

  /** Whether Tab accepts: nothing was typed, the cursor stayed since the edit was asked for, and all of it is here. */
  tabAccepts(document: vscode.TextDocument | undefined): boolean {
    const session = document && this.sessions.get(document);
    return Boolean(session?.changes && session.untouched && !session.edit.several);
  }

  /** The document whose edit is meant: the one given, else one of several files that waits for an answer. */
  meant(document: vscode.TextDocument | undefined): vscode.TextDocument | undefined {
    if (document && this.sessions.has(document)) return document;
    const waiting = [...this.sessions.values()].find((each) => each.edit.several && each.changes);
    return waiting?.document ?? document;
  }

  /** The documents that a proposal of several files changes; none if the document's proposal is its own. */
  filesWith(document: vscode.TextDocument | undefined): vscode.TextDocument[] {
    const edit = document && this.sessions.get(document)?.edit;
    if (!edit?.several) return [];
    return [...edit.sessions.values()].filter((each) => each.changes?.length).map((each) => each.document);
  }

  /** What tells the edit of a document from later ones. */
  idOf(document: vscode.TextDocument): string | undefined {
    return this.sessions.get(document)?.edit.id;
  }

  /** Whether nothing was typed in a document, and the cursor stayed, since its edit was asked for. */
  untouched(document: vscode.TextDocument): boolean {
    return Boolean(this.sessions.get(document)?.untouched);
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
    const edit: Edit = {
      id: `vscode-${process.pid}-${++this.count}`,
      home: document,
      cancel: new CancellationTokenSource(),
      sessions: new Map(),
      several: false,
    };
    this.join(edit, document);
    const uri = client.code2ProtocolConverter.asUri(document.uri);
    const one = argument.uris ? {} : { uri, version: argument.version ?? document.version };
    const full: CommandArgument = { ...argument, ...one, id: edit.id, apply: false };
    const params = { command, arguments: [full] };
    try {
      const answer = (await client.sendRequest(
        ExecuteCommandRequest.type, params, edit.cancel.token,
      )) as Proposal;
      if (this.sessions.get(document)?.edit === edit) this.propose(edit, answer);
    } catch (error) {
      if (this.sessions.get(document)?.edit !== edit) return;
      this.close(edit);
      tell(error);
    }
  }

  onFrame(frame: Frame): void {
    const edit = this.running(frame.request);
    const document = openDocument(frame.uri);
    if (!edit || frame.version !== document?.version) return;
    const session = this.join(edit, document);
    const { start, end } = frame.range;
    session.frames.set(frame.span, {
      start: document.offsetAt(new vscode.Position(start.line, start.character)),
      end: document.offsetAt(new vscode.Position(end.line, end.character)),
      text: "",
      pieces: frame.tokens.map(piece),
    });
    this.draw(session);
  }

  onFrameEnd(finish: FrameEnd): void {
    const edit = this.running(finish.request);
    if (edit && finish.outcome !== "done") edit.sessions.forEach(({ document }) => this.preview.clear(document));
  }

  /** Ends whatever edit a document has, in its other files too; nothing is applied. */
  drop(document: vscode.TextDocument): void {
    const session = this.sessions.get(document);
    if (!session) return;
    session.edit.cancel.cancel();
    this.close(session.edit);
  }

  /** Ends what is running: the server is gone. */
  dropRunning(): void {
    for (const session of [...this.sessions.values()]) {
      if (!session.changes) this.drop(session.document);
    }
  }

  /** Applies a proposal, or some of it, as one undo step of each file. */
  async accept(document: vscode.TextDocument, extent: Extent = "all"): Promise<void> {
    const session = this.sessions.get(document);
    if (!session?.changes) return;
    const { taken, rest } = divided(session, extent);
    for (const each of taken.keys()) this.leave(each);
    const done = await applyAll(new Map([...taken].map(([each, changes]) => [each.document, changes])));
    if (!done) void vscode.window.showWarningMessage("Diffill: the editor did not apply the edit");
    else if (rest.length) this.keep(session, movedAll(rest, taken.get(session) ?? []) ?? []);
    this.endIfEmpty(session.edit);
  }

  /** Rejects a proposal, or some of it. */
  reject(document: vscode.TextDocument, extent: Extent): void {
    const session = this.sessions.get(document);
    if (!session?.changes || extent === "all") return this.drop(document);
    const { rest } = divided(session, extent);
    if (rest.length) return this.keep(session, rest);
    this.leave(session);
    this.endIfEmpty(session.edit);
  }

  private keep(session: Session, changes: Change[]): void {
    session.changes = changes;
    session.untouched = false;
    session.edit.sessions.set(session.document, session);
    this.sessions.set(session.document, session);
    this.draw(session);
    this.changed.fire();
  }

  /** Makes a document part of an edit, instead of whatever edit it had. */
  private join(edit: Edit, document: vscode.TextDocument): Session {
    const known = edit.sessions.get(document);
    if (known) return known;
    this.drop(document);
    const session: Session = {
      edit, document, selections: selectionsOf(document), frames: new Map(), changes: undefined, untouched: true,
    };
    edit.sessions.set(document, session);
    this.sessions.set(document, session);
    edit.several = edit.several || document !== edit.home;
    this.changed.fire();
    return session;
  }

  private propose(edit: Edit, answer: Proposal): void {
    const found = proposedChanges(answer);
    if (typeof found === "string") {
      this.close(edit);
      return tell(found);
    }
    for (const document of found.keys()) this.join(edit, document);
    for (const session of edit.sessions.values()) {
      session.frames.clear();
      session.changes = found.get(session.document) ?? [];
      this.draw(session);
    }
    this.changed.fire();
  }

  private follow(event: vscode.TextDocumentChangeEvent): void {
    const session = this.sessions.get(event.document);
    if (!session || !event.contentChanges.length) return;
    const { edit } = session;
    session.untouched = false;
    const edits = event.contentChanges.map(({ rangeOffset, rangeLength, text }) => ({
      start: rangeOffset, end: rangeOffset + rangeLength, text,
    }));
    for (const [span, frame] of session.frames) {
      const place = movedAll([frame], edits)?.[0];
      if (!place) {
        this.drop(event.document); // the server would refuse it at its end
        return tell(stale(event.document, edit.several));
      }
      session.frames.set(span, { ...place, pieces: frame.pieces });
    }
    if (session.changes) {
      const changes = movedAll(session.changes, edits);
      if (!changes) {
        this.close(edit);
        return tell(stale(event.document, edit.several));
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

  private onClose(document: vscode.TextDocument): void {
    const several = this.sessions.get(document)?.edit.several;
    this.drop(document);
    if (several) tell(`${vscode.workspace.asRelativePath(document.uri)} was closed meanwhile: no file was edited`);
  }

  private running(id: string): Edit | undefined {
    return [...this.sessions.values()].find((each) => each.edit.id === id && !each.changes)?.edit;
  }

  private leave(session: Session): void {
    if (this.sessions.get(session.document) === session) this.sessions.delete(session.document);
    session.edit.sessions.delete(session.document);
    this.preview.clear(session.document);
    this.changed.fire();
  }

  private endIfEmpty(edit: Edit): void {
    if (![...edit.sessions.values()].some((each) => each.changes?.length)) this.close(edit);
  }

  private close(edit: Edit): void {
    for (const session of [...edit.sessions.values()]) this.leave(session);
  }

  dispose(): void {
    for (const document of [...this.sessions.keys()]) this.drop(document);
    for (const each of this.subscriptions) each.dispose();
    this.preview.dispose();
    this.changed.dispose();
  }
}

/** Divides the changes of a proposal: those an answer is about, and what is left of the session's own. */
function divided(session: Session, extent: Extent): { taken: Map<Session, Change[]>; rest: Change[] } {
  const own = session.changes ?? [];
  if (typeof extent === "number") {
    const [taken, rest] = [own.slice(extent, extent + 1), own.filter((_, each) => each !== extent)];
    return { taken: new Map([[session, taken]]), rest };
  }
  const sessions = extent === "file" ? [session] : [...session.edit.sessions.values()];
  return { taken: new Map(sessions.map((each) => [each, each.changes ?? []])), rest: [] };
}

/** Applies changes of documents, all or none; cursors stay with their text. */
async function applyAll(changes: ReadonlyMap<vscode.TextDocument, readonly Change[]>): Promise<boolean> {
  const cursors = vscode.window.visibleTextEditors.flatMap((editor) => {
    const { document } = editor;
    const made = changes.get(document);
    if (!made) return [];
    const kept = (at: vscode.Position) => keptOffset(document.offsetAt(at), made);
    return [{ editor, offsets: editor.selections.map((at) => [kept(at.anchor), kept(at.active)] as const) }];
  });
  const edit = new vscode.WorkspaceEdit();
  for (const [document, made] of changes) {
    for (const change of made) edit.replace(document.uri, rangeOf(document, change), change.text);
  }
  if (!(await vscode.workspace.applyEdit(edit, { isRefactoring: true }))) return false;
  for (const { editor, offsets } of cursors) {
    const at = (offset: number) => editor.document.positionAt(offset);
    editor.selections = offsets.map(([anchor, active]) => new vscode.Selection(at(anchor), at(active)));
  }
  return true;
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
