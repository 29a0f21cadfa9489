/** The server from the extension's own wheel, in an environment of its own. */

import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import * as vscode from "vscode";

import { programOf } from "./discovery.js";

const CPU_TORCH = ["--index-url", "https://download.pytorch.org/whl/cpu", "--retries", "0", "torch"];
const windows = process.platform === "win32";

export type Outcome = "done" | "cancelled" | "failed";

/** Installs Diffill and its model; the user is told why it failed. */
export async function install(
  extension: vscode.Uri,
  environment: string,
  interpreter: string | undefined,
  output: vscode.LogOutputChannel,
): Promise<Outcome> {
  const python = programOf(environment, "python", windows);
  const pip = (...args: string[]) => [python, "-m", "pip", "install", "--disable-pip-version-check", ...args];
  const base = interpreter ?? (windows ? "python" : "python3");
  const options = { location: vscode.ProgressLocation.Notification, title: "Diffill", cancellable: true };
  try {
    const bundled = path.join(extension.fsPath, "bundled");
    const found = fs.readdirSync(bundled).find((name) => name.endsWith(".whl"));
    if (!found) throw new Error(`there is no wheel in ${bundled}`);
    const wheel = path.join(bundled, found);
    await vscode.window.withProgress(options, async (progress, token) => {
      const run = async (message: string, command: string[]): Promise<void> => {
        progress.report({ message });
        await runLogged(command, output, token);
      };
      await run("making a Python environment", [base, "-m", "venv", environment]);
      // PyTorch's default build for Linux brings gigabytes for GPUs; without this one it is taken after all.
      if (process.platform === "linux") {
        await run("installing PyTorch", pip(...CPU_TORCH)).catch((error: unknown) => {
          if (token.isCancellationRequested) throw error;
        });
      }
      await run("installing what Diffill needs", pip(wheel));
      // Again without the rest: pip leaves an older build of the same version as it is.
      await run("installing Diffill", pip("--force-reinstall", "--no-deps", wheel));
      await run("fetching the model, half a gigabyte", [programOf(environment, "diffill", windows), "model", "pull"]);
    });
    return "done";
  } catch (error) {
    if (error instanceof vscode.CancellationError) return "cancelled";
    const reason = error instanceof Error ? error.message : String(error);
    void vscode.window.showErrorMessage(`Diffill was not installed: ${reason}`, "Show the Log").then((chosen) => {
      if (chosen) output.show();
    });
    return "failed";
  }
}

function runLogged(command: string[], output: vscode.LogOutputChannel, token: vscode.CancellationToken): Promise<void> {
  output.info(command.join(" "));
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const cancelled = token.onCancellationRequested(() => child.kill());
    let last = "";
    const log = (text: Buffer): void => {
      for (const line of text.toString().split(/[\r\n]+/).filter((each) => each.trim())) output.info((last = line));
    };
    child.stdout.on("data", log);
    child.stderr.on("data", log);
    child.on("error", reject);
    child.on("close", (code) => {
      cancelled.dispose();
      if (token.isCancellationRequested) reject(new vscode.CancellationError());
      else if (code === 0) resolve();
      else reject(new Error(last || `${program} ended with ${code}`));
    });
  });
}
