/** The live view of an edit: the old text marked, the new text as a picture below it. */

import * as vscode from "vscode";

import { linesOf, picture, type Look, type Piece } from "./picture.js";

/** New text for a range of a document. */
export interface Part {
  readonly range: vscode.Range;
  readonly pieces: readonly Piece[];
}

export class Preview implements vscode.Disposable {
  private readonly old = vscode.window.createTextEditorDecorationType({
    backgroundColor: new vscode.ThemeColor("diffEditor.removedTextBackground"),
  });
  private readonly fresh = vscode.window.createTextEditorDecorationType({
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });

  clear(document: vscode.TextDocument): void {
    this.draw(document, []);
  }

  draw(document: vscode.TextDocument, parts: readonly Part[]): void {
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document !== document) continue;
      editor.setDecorations(this.old, parts.map((part) => part.range));
      editor.setDecorations(this.fresh, parts.map((part) => below(editor, part)));
    }
  }

  dispose(): void {
    this.old.dispose();
    this.fresh.dispose();
  }
}

function below(editor: vscode.TextEditor, part: Part): vscode.DecorationOptions {
  const { document } = editor;
  const { start, end } = lastLineIn(document, part.range);
  const context = (range: vscode.Range): Piece => ({ text: document.getText(range), kind: "context", confidence: 1 });
  const last = document.lineAt(end.line).range.end;
  const lines = linesOf([
    context(new vscode.Range(start.line, 0, start.line, start.character)),
    ...part.pieces,
    context(new vscode.Range(end, last)),
  ]);
  while (lines.length > 1 && lines.at(-1)?.length === 0) lines.pop();
  const { uri, width, height } = picture(lines, look(editor));
  return {
    range: new vscode.Range(last, last),
    renderOptions: {
      after: {
        contentIconPath: vscode.Uri.parse(uri),
        backgroundColor: new vscode.ThemeColor("editorHoverWidget.background"),
        border: "1px solid",
        borderColor: new vscode.ThemeColor("editorHoverWidget.border"),
        width: `${width}px`,
        height: `${height}px`,
        // The way to what the interface has no word for: off the line, below it.
        textDecoration: "none; position: absolute; left: 0; top: 100%; z-index: 5",
      },
    },
  };
}

/** Whole lines end where the next begins; what is replaced there ends with their last line. */
function lastLineIn(document: vscode.TextDocument, range: vscode.Range): vscode.Range {
  if (range.end.character > 0 || range.isSingleLine) return range;
  return new vscode.Range(range.start, document.lineAt(range.end.line - 1).range.end);
}

function look(editor: vscode.TextEditor): Look {
  const configuration = vscode.workspace.getConfiguration("editor", editor.document);
  const fontSize = configuration.get<number>("fontSize", 14);
  const set = configuration.get<number>("lineHeight", 0);
  const lineHeight = set === 0 ? Math.round(fontSize * 1.35) : set < 8 ? Math.round(set * fontSize) : set;
  const kind = vscode.window.activeColorTheme.kind;
  const dark = kind === vscode.ColorThemeKind.Dark || kind === vscode.ColorThemeKind.HighContrast;
  const tabSize = typeof editor.options.tabSize === "number" ? editor.options.tabSize : 4;
  return { dark, fontSize, lineHeight, tabSize };
}
