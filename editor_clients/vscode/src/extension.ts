/** The commands and what they run. */

import * as vscode from "vscode";

import { Diffs } from "./diffs.js";
import { Snooze } from "./ghost.js";
import { remembered } from "./history.js";
import { ProposalLenses } from "./lenses.js";
import { openDocument } from "./proposal.js";
import type { CommandArgument, ServerCommand } from "./protocol.js";
import { LANGUAGES, Server } from "./server.js";
import { Sessions, type Extent } from "./session.js";
import { createStatus } from "./status.js";

const HISTORY = "diffill.instructions";
let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel("Diffill", { log: true });
  const sessions = new Sessions();
  const diffs = new Diffs(sessions);
  const snooze = new Snooze();
  const run = async (command: ServerCommand, argument: Partial<CommandArgument>): Promise<void> => {
    const active = vscode.window.activeTextEditor?.document;
    const document = argument.uri === undefined ? active : openDocument(argument.uri);
    if (!document) {
      return void vscode.window.showWarningMessage("Diffill: no file is open to be edited");
    }
    if (command === "diffill.rewrite" && !argument.instruction) {
      const instruction = await askInstruction(context.workspaceState);
      if (!instruction) return;
      argument = { ...argument, instruction };
    }
    const client = await own.ready();
    if (!client) return;
    await sessions.start(client, document, command, argument);
    void diffs.offer(document);
  };
  const own = new Server(context, output, sessions, snooze, run);
  server = own;

  // An edit of several files is answered from wherever the user looks at it.
  const meant = (act: (document: vscode.TextDocument) => unknown) => () => {
    const document = sessions.meant(vscode.window.activeTextEditor?.document);
    return document && act(document);
  };
  const commands: Record<string, (...args: never[]) => unknown> = {
    "diffill.fillHere": () => run("diffill.fill", selected()),
    "diffill.rewriteHere": () => run("diffill.rewrite", selected()),
    "diffill.fillAllHere": () => run("diffill.fillAll", {}),
    "diffill.fillOpenFiles": () => run("diffill.fillOpen", {}),
    "diffill.repairHere": () => run("diffill.repair", cursor()),
    "diffill.rerollHere": () => run("diffill.reroll", {}),
    "diffill.cancel": meant((document) => sessions.drop(document)),
    "diffill.accept": meant((document) => sessions.accept(document)),
    // The key's context comes late: the cursor may have been moved since.
    "diffill.tab": () => {
      const document = vscode.window.activeTextEditor?.document;
      if (document && sessions.tabAccepts(document)) return sessions.accept(document);
      return vscode.commands.executeCommand("tab");
    },
    "diffill.acceptSome": (uri: string, extent: Extent) => {
      const document = openDocument(uri);
      return document && sessions.accept(document, extent);
    },
    "diffill.rejectSome": (uri: string, extent: Extent) => {
      const document = openDocument(uri);
      return document && sessions.reject(document, extent);
    },
    "diffill.diff": meant((document) => diffs.show(document)),
    "diffill.snooze": () => snooze.toggle(),
    "diffill.install": () => own.install(),
    "diffill.restart": () => own.restart(),
    "diffill.output": () => output.show(),
    "diffill.walkthrough": () =>
      vscode.commands.executeCommand("workbench.action.openWalkthrough", "diffill.diffill#start"),
    "diffill.menu": () => showMenu(sessions, snooze),
  };
  context.subscriptions.push(
    output, sessions, diffs, snooze, own, createStatus(own, sessions, snooze),
    ...Object.entries(commands).map(([name, act]) => vscode.commands.registerCommand(name, act)),
    vscode.languages.registerCodeLensProvider(LANGUAGES, new ProposalLenses(sessions)),
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

async function showMenu(sessions: Sessions, snooze: Snooze): Promise<void> {
  const document = sessions.meant(vscode.window.activeTextEditor?.document);
  const phase = sessions.phase(document);
  const several = sessions.filesWith(document).length ? " in All Files" : "";
  const entry = (label: string, command: string) => ({ label, command });
  const proposed = [
    entry(`$(check) Accept${several}`, "diffill.accept"),
    entry(`$(close) Reject${several}`, "diffill.cancel"),
    entry("$(diff) Show Diff", "diffill.diff"),
  ];
  const edits = [
    entry("$(edit) Fill", "diffill.fillHere"),
    entry("$(wand) Rewrite…", "diffill.rewriteHere"),
    entry("$(list-unordered) Fill All Holes", "diffill.fillAllHere"),
    entry("$(files) Fill All Holes of Open Files", "diffill.fillOpenFiles"),
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
