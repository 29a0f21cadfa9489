/** The language server: found, started, restarted. */

import * as fs from "node:fs";
import * as path from "node:path";

import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  State,
  type LanguageClientOptions,
  type StaticFeature,
} from "vscode-languageclient/node";

import { findServer } from "./discovery.js";
import type { Snooze } from "./ghost.js";
import { install } from "./install.js";
import { isEdit, type CommandArgument, type Frame, type FrameEnd, type Off, type ServerCommand } from "./protocol.js";
import type { Sessions } from "./session.js";
import { serverPath, serverSettings } from "./settings.js";

export type Health =
  | { readonly state: "ready" | "off" | "starting" }
  | { readonly state: "loading"; readonly detail: string }
  | { readonly state: "error"; readonly detail: string };

export const LANGUAGES = [
  "python", "javascript", "javascriptreact", "typescript", "typescriptreact",
  "rust", "go", "c", "cpp", "java",
];

export type Run = (command: ServerCommand, argument: CommandArgument) => unknown;

/** So many ends of the server within so much time are mended unasked. */
const RESTARTS = { count: 4, within_ms: 3 * 60 * 1000 };

const abilities: StaticFeature = {
  fillClientCapabilities(capabilities) {
    // Without lazy edits the server's code actions are commands, and those run as previews.
    const action = capabilities.textDocument?.codeAction;
    if (action) {
      delete action.resolveSupport;
      delete action.dataSupport;
    }
    const experimental = { diffill: { frames: true, instructionPrompt: true, off: true } };
    capabilities.experimental = { ...(capabilities.experimental as object), ...experimental };
  },
  initialize() {},
  getState() {
    return { kind: "static" };
  },
  clear() {},
};

/** At most one running server; starts and stops stand in a queue. */
export class Server implements vscode.Disposable {
  health: Health = { state: "off" };
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private client: LanguageClient | undefined;
  private queue: Promise<unknown> = Promise.resolve();
  private configured = "";
  private ends: number[] = [];
  private readonly left = new Map<string, string>(); // by URI: why the server leaves it alone
  private installing = false;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly output: vscode.LogOutputChannel,
    private readonly sessions: Sessions,
    private readonly snooze: Snooze,
    private readonly run: Run,
  ) {}

  /** Returns the running client; one that has ended is started again. */
  async ready(): Promise<LanguageClient | undefined> {
    await this.queue;
    if (!this.client?.isRunning()) await this.restart();
    return this.client?.isRunning() ? this.client : undefined;
  }

  /** Why the server leaves a document alone, if it does. */
  reasonOff(document: vscode.TextDocument | undefined): string | undefined {
    return document && this.left.get(document.uri.toString());
  }

  restart(): Promise<void> {
    const next = this.queue.then(() => this.replace());
    this.queue = next;
    return next;
  }

  /** Restarts the server if a setting it was started with is another now. */
  async follow(): Promise<void> {
    await this.queue;
    if (this.client && this.configured !== configuration()) await this.restart();
  }

  private async replace(): Promise<void> {
    await this.stop();
    const interpreter = vscode.workspace.isTrusted ? await selectedInterpreter() : undefined;
    const found = findServer(
      {
        setting: serverPath(),
        interpreter,
        searchPath: process.env["PATH"] ?? "",
        ownEnvironment: this.ownEnvironment,
        windows: process.platform === "win32",
        isExecutable,
      },
      (line) => this.output.info(line),
    );
    if ("problem" in found) return this.fail(found.problem, found.installable);
    this.configured = configuration();
    this.set({ state: "starting" });
    const client = new LanguageClient(
      "diffill", "Diffill", { command: found.program, args: ["lsp"] }, this.options(),
    );
    client.registerFeature(abilities);
    client.onNotification("diffill/frame", (frame: Frame) => this.sessions.onFrame(frame));
    client.onNotification("diffill/frameEnd", (finish: FrameEnd) => this.sessions.onFrameEnd(finish));
    client.onNotification("diffill/off", ({ uri, reason }: Off) => {
      this.left.set(client.protocol2CodeConverter.asUri(uri).toString(), reason);
      this.changed.fire();
    });
    client.onDidChangeState(({ newState }) => this.onState(client, newState));
    this.client = client;
    if (found.source === "own environment" && this.installedVersion() !== this.version) this.offerUpdate();
    try {
      await client.start();
    } catch (error) {
      this.fail(`the server did not start: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private options(): LanguageClientOptions {
    return {
      documentSelector: LANGUAGES.flatMap((language) => [
        { scheme: "file", language }, { scheme: "untitled", language },
      ]),
      initializationOptions: serverSettings(),
      outputChannel: this.output,
      // It would restart beside this class; who starts and stops is one.
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
      },
      initializationFailedHandler: () => false,
      middleware: {
        provideInlineCompletionItems: (document, position, context, token, next) =>
          this.snooze.active || this.sessions.phase(document) !== "idle"
            ? null
            : next(document, position, context, token),
        // Others, as the one that tells of an accepted completion, are the server's own affair.
        executeCommand: (command, args: unknown[], next) =>
          isEdit(command) ? this.run(command, args[0] as CommandArgument) : next(command, args),
        didClose: (document, next) => {
          this.left.delete(document.uri.toString());
          return next(document);
        },
        handleWorkDoneProgress: (_token, params) => this.onProgress(params),
      },
    };
  }

  private onProgress(params: { kind: string; message?: string; percentage?: number }): void {
    // Loading has no percentage of tokens; what counts tokens is seen in the document.
    const loading = params.kind === "report" && params.percentage === undefined && params.message;
    this.set(loading ? { state: "loading", detail: loading } : { state: "ready" });
  }

  private onState(client: LanguageClient, state: State): void {
    if (client !== this.client) return;
    if (state === State.Running) this.set({ state: "ready" });
    if (state === State.Starting) this.set({ state: "starting" });
    // One that ends before it has started is told of by `start`.
    if (state === State.Stopped && this.health.state !== "starting") this.onEnd();
  }

  private onEnd(): void {
    const now = Date.now();
    this.ends = [...this.ends.filter((end) => now - end < RESTARTS.within_ms), now];
    this.output.error("the language server has ended");
    this.sessions.dropRunning();
    if (this.ends.length <= RESTARTS.count) void this.restart();
    else this.set({ state: "error", detail: "the language server keeps ending; the next command starts it again" });
  }

  private get ownEnvironment(): string {
    return path.join(this.context.globalStorageUri.fsPath, "environment");
  }

  private fail(problem: string, installable = false): void {
    this.output.error(problem);
    this.set({ state: "error", detail: problem });
    const [now, settings, help] = ["Install", "Open Settings", "How to Install"];
    const buttons = installable ? [now, settings, help] : [settings, help];
    void vscode.window.showErrorMessage(`Diffill: ${problem}`, ...buttons).then((chosen) => {
      if (chosen === now) void this.install();
      if (chosen === settings) void vscode.commands.executeCommand("workbench.action.openSettings", "diffill.path");
      if (chosen === help) void vscode.commands.executeCommand("diffill.walkthrough");
    });
  }

  /** Installs the extension's own wheel and starts that; a second wish while it works changes nothing. */
  async install(): Promise<void> {
    if (this.installing) return;
    this.installing = true;
    const before = this.health;
    this.set({ state: "loading", detail: "installing" });
    try {
      const interpreter = vscode.workspace.isTrusted ? await selectedInterpreter() : undefined;
      const outcome = await install(this.context.extensionUri, this.ownEnvironment, interpreter, this.output);
      if (outcome === "done") {
        fs.writeFileSync(this.versionFile, this.version);
        return await this.restart();
      }
      this.set(outcome === "cancelled" ? before : { state: "error", detail: "the program `diffill` was not installed" });
    } finally {
      this.installing = false;
    }
  }

  private get version(): string {
    return String((this.context.extension.packageJSON as { version: unknown }).version);
  }

  private get versionFile(): string {
    return path.join(this.ownEnvironment, "installed-by");
  }

  private installedVersion(): string {
    try {
      return fs.readFileSync(this.versionFile, "utf8");
    } catch {
      return "";
    }
  }

  private offerUpdate(): void {
    const message = "Diffill: the server was installed by another version of this extension";
    void vscode.window.showInformationMessage(message, "Update").then((chosen) => {
      if (chosen) void this.install();
    });
  }

  private async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.left.clear();
    this.sessions.dropRunning();
    // One that died by itself cannot be asked to stop.
    await client?.dispose().catch((error: unknown) => this.output.info(`stopping: ${String(error)}`));
    this.set({ state: "off" });
  }

  private set(health: Health): void {
    this.health = health;
    this.changed.fire();
  }

  async shutdown(): Promise<void> {
    await this.queue;
    await this.stop();
  }

  dispose(): void {
    this.changed.dispose();
  }
}

function configuration(): string {
  return JSON.stringify([serverPath(), serverSettings()]);
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

interface PythonExtension {
  environments?: { getActiveEnvironmentPath(): { path: string } };
}

async function selectedInterpreter(): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<PythonExtension>("ms-python.python");
  if (extension) {
    const exports = await extension.activate();
    const selected = exports.environments?.getActiveEnvironmentPath().path;
    if (selected) return selected;
  }
  return vscode.workspace.getConfiguration("python").get<string>("defaultInterpreterPath");
}
