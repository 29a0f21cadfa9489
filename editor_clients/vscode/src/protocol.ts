/** The custom part of the protocol; `lsp_server/live.py` describes it. */

import type { Range, WorkspaceEdit } from "vscode-languageclient";

export type ServerCommand = "diffill.fill" | "diffill.fillAll" | "diffill.rewrite";

export interface CommandArgument {
  uri: string;
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

export interface FrameEnd {
  request: string;
  outcome: "done" | "refused" | "cancelled" | "failed";
}
