/** As much of the `vscode` module as the tested modules touch. */

export const values: Record<string, { defaultValue: unknown; globalValue?: unknown; workspaceValue?: unknown }> = {};

export const workspace = {
  getConfiguration: () => ({
    ...Object.fromEntries(Object.keys(values).map((name) => [name, true])),
    get: (name: string) =>
      values[name]?.workspaceValue ?? values[name]?.globalValue ?? values[name]?.defaultValue,
    inspect: (name: string) => values[name],
  }),
};

export class EventEmitter {
  private listeners: (() => void)[] = [];
  readonly event = (listener: () => void) => void this.listeners.push(listener);
  fire(): void {
    for (const listener of this.listeners) listener();
  }
  dispose(): void {
    this.listeners = [];
  }
}
