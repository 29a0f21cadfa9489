/** The settings of the server, as the user has them. */

import * as vscode from "vscode";

/** What the server is not to be told: it is about finding it. */
const OWN = ["path"];

/** Returns the settings that were changed from their defaults; the server has the same defaults. */
export function serverSettings(): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration("diffill");
  const chosen: Record<string, unknown> = {};
  for (const name of Object.keys(configuration)) {
    const inspected = configuration.inspect(name);
    if (!inspected || OWN.includes(name)) continue;
    const value = configuration.get<unknown>(name);
    if (JSON.stringify(value) !== JSON.stringify(inspected.defaultValue)) chosen[name] = value;
  }
  return chosen;
}

export function serverPath(): string {
  return vscode.workspace.getConfiguration("diffill").get<string>("path", "").trim();
}
