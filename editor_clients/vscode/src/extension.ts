/** The commands and what they run. */

import * as vscode from "vscode";

import { Snooze } from "./ghost.js";
import { remembered } from "./history.js";
import { ProposalLenses } from "./lenses.js";
import type { CommandArgument, ServerCommand } from "./protocol.js";
import { LANGUAGES, Server } from "./server.js";
import { Sessions } from "./session.js";
import { createStatus } from "./status.js";

const HISTORY = "diffill.instructions";
let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel("Diffill", { log: true });
  const sessions = new Sessions();
  const snooze = new Snooze();
  const run = async (command: ServerCommand, argument: Partial<CommandArgument>): Promise<void> => {
    const document = documentOf(argument.uri);
    if (!document) {
      return void vscode.window.showWarningMessage("Diffill: no file is open to be edited");
    }
    if (command === "diffill.rewrite" && !argument.instruction) {
      const instruction = await askInstruction(context.workspaceState);
      if (!instruction) return;
      argument = { ...argument, instruction };
    }
    const client = await own.ready();
    if (client) await sessions.start(client, document, command, argument);
  };
  const own = new Server(context, output, sessions, snooze, run);
  server = own;

  const here = (act: (document: vscode.TextDocument) => unknown) => () => {
    const document = vscode.window.activeTextEditor?.document;
    return document && act(document);
  };
  const commands: Record<string, (...args: never[]) => unknown> = {
    "diffill.fillHere": () => run("diffill.fill", selected()),
    "diffill.rewriteHere": () => run("diffill.rewrite", selected()),
    "diffill.fillAllHere": () => run("diffill.fillAll", {}),
    "diffill.repairHere": () => run("diffill.repair", cursor()),
    "diffill.rerollHere": () => run("diffill.reroll", {}),
    "diffill.cancel": here((document) => sessions.drop(document)),
    "diffill.accept": here((document) => sessions.accept(document)),
    // The key's context comes late: the cursor may have been moved since.
    "diffill.tab": here((document) =>
      sessions.tabAccepts(document) ? sessions.accept(document) : vscode.commands.executeCommand("tab")),
    "diffill.acceptOne": (index: number) => here((document) => sessions.accept(document, index))(),
    "diffill.rejectOne": (index: number) => here((document) => sessions.reject(document, index))(),
    "diffill.diff": here((document) => showDiff(document)),
    "diffill.snooze": () => snooze.toggle(),
    "diffill.install": () => own.install(),
    "diffill.restart": () => own.restart(),
    "diffill.output": () => output.show(),
    "diffill.walkthrough": () =>
      vscode.commands.executeCommand("workbench.action.openWalkthrough", "diffill.diffill#start"),
    "diffill.menu": () => showMenu(sessions, snooze),
  };
  const texts: vscode.TextDocumentContentProvider = {
    provideTextDocumentContent(uri) {
      const document = documentOf(uri.query);
      return document ? sessions.proposedText(document) : "";
    },
  };
  context.subscriptions.push(
    output, sessions, snooze, own, createStatus(own, sessions, snooze),
    ...Object.entries(commands).map(([name, act]) => vscode.commands.registerCommand(name, act)),
    vscode.languages.registerCodeLensProvider(LANGUAGES, new ProposalLenses(sessions)),
    vscode.workspace.registerTextDocumentContentProvider("diffill-proposal", texts),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("diffill")) void own.follow();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void own.restart()),
  );
  await own.restart();
}

export async function deactivate(): Promise<void> {
  await server?.shutdown();
}

function documentOf(uri: string | undefined): vscode.TextDocument | undefined {
  if (uri === undefined) return vscode.window.activeTextEditor?.document;
  const wanted = vscode.Uri.parse(uri).toString();
  return vscode.workspace.textDocuments.find((each) => each.uri.toString() === wanted);
}

function selected(): Partial<CommandArgument> {
  const selections = vscode.window.activeTextEditor?.selections ?? [];
  const ranges = selections.map(({ start, end }) => ({
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  }));
  const [only, ...more] = ranges;
  return only && !more.length ? { range: only } : { ranges };
}

function cursor(): Partial<CommandArgument> {
  const at = vscode.window.activeTextEditor?.selection.active ?? new vscode.Position(0, 0);
  const place = { line: at.line, character: at.character };
  return { range: { start: place, end: place } };
}

async function askInstruction(state: vscode.Memento): Promise<string | undefined> {
  const history = state.get<string[]>(HISTORY, []);
  const box = vscode.window.createQuickPick();
  box.title = "Diffill: rewrite how?";
  box.placeholder = "An instruction, such as: Use a dictionary instead";
  const offer = () => {
    const typed = box.value.trim();
    const given = typed && !history.includes(typed) ? [{ label: typed }] : [];
    box.items = [...given, ...history.map((label) => ({ label, description: "used before" }))];
  };
  offer();
  box.onDidChangeValue(offer);
  const chosen = await new Promise<string | undefined>((resolve) => {
    box.onDidAccept(() => resolve(box.activeItems[0]?.label ?? box.value.trim()));
    box.onDidHide(() => resolve(undefined));
    box.show();
  });
  box.dispose();
  if (chosen) await state.update(HISTORY, remembered(history, chosen));
  return chosen;
}

async function showDiff(document: vscode.TextDocument): Promise<void> {
  const proposal = vscode.Uri.from({
    scheme: "diffill-proposal", path: document.uri.path, query: document.uri.toString(), fragment: `${Date.now()}`,
  });
  const title = `${vscode.workspace.asRelativePath(document.uri)}: as proposed`;
  await vscode.commands.executeCommand("vscode.diff", document.uri, proposal, title);
}

async function showMenu(sessions: Sessions, snooze: Snooze): Promise<void> {
  const phase = sessions.phase(vscode.window.activeTextEditor?.document);
  const entry = (label: string, command: string) => ({ label, command });
  const proposed = [entry("$(check) Accept", "diffill.accept"), entry("$(close) Reject", "diffill.cancel"), entry("$(diff) Show Diff", "diffill.diff")];
  const edits = [
    entry("$(edit) Fill", "diffill.fillHere"),
    entry("$(wand) Rewrite…", "diffill.rewriteHere"),
    entry("$(list-unordered) Fill All Holes", "diffill.fillAllHere"),
    entry("$(tools) Repair the Syntax Error", "diffill.repairHere"),
    entry("$(refresh) Re-roll What the Model Was Unsure Of", "diffill.rerollHere"),
  ];
  const chosen = await vscode.window.showQuickPick(
    [
      ...(phase === "proposed" ? proposed : phase === "running" ? [entry("$(close) Cancel", "diffill.cancel")] : edits),
      entry(snooze.active ? "$(bell) End the Snooze" : "$(bell-slash) Snooze Ghost Text for 10 Minutes", "diffill.snooze"),
      entry("$(refresh) Restart the Server", "diffill.restart"),
      entry("$(output) Show the Log", "diffill.output"),
      entry("$(gear) Settings", "workbench.action.openSettings"),
    ],
    { title: "Diffill" },
  );
  if (!chosen) return;
  // A click on the status bar takes the focus there, and Tab and Escape with it.
  await vscode.commands.executeCommand("workbench.action.focusActiveEditorGroup");
  const args = chosen.command === "workbench.action.openSettings" ? ["diffill"] : [];
  await vscode.commands.executeCommand(chosen.command, ...args);
}
