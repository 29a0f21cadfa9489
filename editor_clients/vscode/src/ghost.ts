/** When ghost text is quiet. */

import * as vscode from "vscode";

export const SNOOZE_MS = 10 * 60 * 1000;

/** The switch between the editor's wish for ghost text and the server. */
export class Snooze implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private timer: NodeJS.Timeout | undefined;

  get active(): boolean {
    return this.timer !== undefined;
  }

  toggle(): void {
    if (this.timer) return this.wake();
    this.timer = setTimeout(() => this.wake(), SNOOZE_MS);
    this.changed.fire();
  }

  private wake(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.changed.fire();
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.changed.dispose();
  }
}
