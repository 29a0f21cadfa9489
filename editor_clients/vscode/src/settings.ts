/** The settings of the server, as the user has them. */

import * as vscode from "vscode";

/** What the server is not to be told: it is about finding it. */
const OWN = ["path"];

/** Returns the settings the user has made; of all others the server knows what its files say. */
export function serverSettings(): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration("diffill");
  const chosen: Record<string, unknown> = {};
  for (const name of Object.keys(configuration)) {
    const inspected = configuration.inspect(name);
    if (!inspected || OWN.includes(name)) continue;
    const made = [inspected.globalValue, inspected.workspaceValue, inspected.workspaceFolderValue];
    if (made.some((value) => value !== undefined)) chosen[name] = configuration.get<unknown>(name);
  }
  return chosen;
}

export function serverPath(): string {
  return vscode.workspace.getConfiguration("diffill").get<string>("path", "").trim();
}
