/** What Diffill is doing, in the status bar. */

import * as vscode from "vscode";

import type { Snooze } from "./ghost.js";
import type { Server } from "./server.js";
import type { Phase, Sessions } from "./session.js";

export interface Shown {
  readonly text: string;
  readonly tooltip: string;
  readonly failed: boolean;
}

export function shown(health: Server["health"], phase: Phase, snoozed: boolean, off?: string): Shown {
  const entry = (icon: string, tooltip: string, failed = false): Shown =>
    ({ text: `$(${icon}) Diffill`, tooltip: `Diffill: ${tooltip}`, failed });
  if (health.state === "error") return entry("error", health.detail, true);
  if (health.state === "off") return entry("circle-slash", "off");
  if (health.state === "starting") return entry("loading~spin", "starting");
  if (health.state === "loading") {
    return { ...entry("loading~spin", health.detail), text: `$(loading~spin) Diffill: ${health.detail}` };
  }
  if (off) return entry("circle-slash", `off here: ${off}`);
  if (phase === "running") return entry("sync~spin", "making an edit; Escape cancels it");
  if (phase === "proposed") return entry("question", "an edit waits for accept or reject");
  return snoozed ? entry("bell-slash", "ghost text is snoozed") : entry("sparkle", "ready");
}

export function createStatus(server: Server, sessions: Sessions, snooze: Snooze): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("diffill.status", vscode.StatusBarAlignment.Right, 100);
  item.name = "Diffill";
  item.command = "diffill.menu";
  const update = () => {
    const document = vscode.window.activeTextEditor?.document;
    const phase = sessions.phase(sessions.meant(document));
    const { text, tooltip, failed } = shown(server.health, phase, snooze.active, server.reasonOff(document));
    Object.assign(item, { text, tooltip });
    item.backgroundColor = failed ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
    const context = (key: string, value: boolean) => void vscode.commands.executeCommand("setContext", key, value);
    context("diffill.running", sessions.phase(document) === "running");
    context("diffill.proposed", sessions.phase(document) === "proposed");
    context("diffill.filesProposed", sessions.filesWith(sessions.meant(document)).length > 0);
    context("diffill.tabAccepts", sessions.tabAccepts(document));
  };
  update();
  item.show();
  return vscode.Disposable.from(
    item, server.onDidChange(update), sessions.onDidChange(update), snooze.onDidChange(update),
    vscode.window.onDidChangeActiveTextEditor(update),
  );
}
