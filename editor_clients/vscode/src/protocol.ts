/** The custom part of the protocol; `lsp_server/live.py` describes it. */

import type { Range, WorkspaceEdit } from "vscode-languageclient";

const EDITS = [
  "diffill.fill", "diffill.fillAll", "diffill.fillOpen", "diffill.rewrite", "diffill.repair", "diffill.reroll",
] as const;

export type ServerCommand = (typeof EDITS)[number];

/** Whether a command of the server answers with an edit. */
export function isEdit(command: string): command is ServerCommand {
  return (EDITS as readonly string[]).includes(command);
}

export interface CommandArgument {
  uri?: string;
  uris?: string[]; // of several documents, in place of the first two
  version?: number;
  range?: Range;
  ranges?: Range[];
  instruction?: string;
  id?: string;
  apply?: boolean;
}

export interface Proposal {
  edit: WorkspaceEdit | null;
  reason: string | null;
}

export interface FrameToken {
  text: string;
  state: "masked" | "provisional" | "committed" | "revised";
  confidence: number;
}

export interface Frame {
  request: string;
  uri: string;
  version: number;
  range: Range;
  span: number;
  tokens: FrameToken[];
}

/** A document the server leaves alone. */
export interface Off {
  uri: string;
  reason: string;
}

export interface FrameEnd {
  request: string;
  outcome: "done" | "refused" | "cancelled" | "failed";
}
