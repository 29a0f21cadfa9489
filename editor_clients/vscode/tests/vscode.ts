/** As much of the `vscode` module as the tested modules touch. */

export const values: Record<string, { defaultValue: unknown; globalValue?: unknown; workspaceValue?: unknown }> = {};

export const workspace = {
  registerTextDocumentContentProvider: () => ({ dispose: () => undefined }),
  getConfiguration: () => ({
    ...Object.fromEntries(Object.keys(values).map((name) => [name, true])),
    get: (name: string) =>
      values[name]?.workspaceValue ?? values[name]?.globalValue ?? values[name]?.defaultValue,
    inspect: (name: string) => values[name],
  }),
};

export const commands = { executeCommand: (_name: string): unknown => undefined };

const never = () => ({ dispose: () => undefined });

export const window = {
  activeTextEditor: undefined as unknown,
  showInformationMessage: (_message: string): Promise<string | undefined> => Promise.resolve(undefined),
  tabGroups: { onDidChangeTabs: never, onDidChangeTabGroups: never },
};

export const Uri = { from: (parts: object) => parts };

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
