/** Which `diffill` program is the server: the setting, beside the interpreter, on the PATH, or the extension's own. */

import * as path from "node:path";

export interface Surroundings {
  readonly setting: string;
  /** The selected Python interpreter; undefined where none is or the workspace is not trusted. */
  readonly interpreter: string | undefined;
  readonly searchPath: string;
  /** The environment the extension installs its wheel into. */
  readonly ownEnvironment: string;
  readonly windows: boolean;
  isExecutable(file: string): boolean;
}

export type Found =
  | { readonly program: string; readonly source: Source }
  | { readonly problem: string; readonly installable: boolean };

type Source = "setting" | "interpreter" | "PATH" | "own environment";

/** Where a Python environment keeps its programs. */
export function programOf(environment: string, name: string, windows: boolean): string {
  return windows ? path.join(environment, "Scripts", `${name}.exe`) : path.join(environment, "bin", name);
}

/** Finds the server; `log` is told every decision. */
export function findServer(where: Surroundings, log: (line: string) => void): Found {
  const name = where.windows ? "diffill.exe" : "diffill";
  if (where.setting) {
    if (where.isExecutable(where.setting)) return found(where.setting, "setting", log);
    return { problem: `\`diffill.path\` is ${where.setting}, which is not a program`, installable: false };
  }
  if (where.interpreter) {
    const beside = path.join(path.dirname(where.interpreter), name);
    if (where.isExecutable(beside)) return found(beside, "interpreter", log);
    log(`${beside} is not there`);
  }
  for (const folder of where.searchPath.split(path.delimiter)) {
    // A relative folder would be one of the user's project.
    if (!path.isAbsolute(folder)) continue;
    const file = path.join(folder, name);
    if (where.isExecutable(file)) return found(file, "PATH", log);
  }
  log("no diffill on the PATH");
  const own = programOf(where.ownEnvironment, "diffill", where.windows);
  if (where.isExecutable(own)) return found(own, "own environment", log);
  return { problem: "the program `diffill` was not found: install it, or set `diffill.path`", installable: true };
}

function found(program: string, source: Source, log: (line: string) => void): Found {
  log(`the server is ${program} (${source})`);
  return { program, source };
}
