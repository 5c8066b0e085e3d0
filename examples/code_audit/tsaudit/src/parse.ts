import { isUtf8 } from "node:buffer";

import ts from "typescript";

import { SourceError } from "./report.js";

const options: ts.CompilerOptions = {
  allowJs: true,
  jsx: ts.JsxEmit.Preserve,
  noLib: true,
  noResolve: true,
  target: ts.ScriptTarget.Latest,
  types: [],
};

/** Parse one file alone: nothing that it imports is looked for. */
export function parse(path: string, bytes: Buffer): ts.SourceFile {
  if (!isUtf8(bytes)) throw new SourceError(0, "the file is not UTF-8 text");
  try {
    return parseText(path, bytes.toString("utf8"));
  } catch (error) {
    // The parser calls itself for each level: the stack is its only limit.
    if (error instanceof RangeError) throw new SourceError(0, "the file is nested too deeply");
    throw error;
  }
}

function parseText(path: string, text: string): ts.SourceFile {
  const parents = true;
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, parents);
  const program = ts.createProgram([path], options, hostOf(file));
  const [first] = program
    .getSyntacticDiagnostics(file)
    .toSorted((left, right) => left.start - right.start);
  if (first !== undefined) {
    const { line } = file.getLineAndCharacterOfPosition(first.start);
    throw new SourceError(line + 1, ts.flattenDiagnosticMessageText(first.messageText, "\n"));
  }
  return file;
}

/** A compiler host that knows this one file: a program is the public way to its syntax errors. */
function hostOf(file: ts.SourceFile): ts.CompilerHost {
  const isFile = (path: string) => path === file.fileName;
  return {
    getSourceFile: (path) => (isFile(path) ? file : undefined),
    fileExists: isFile,
    readFile: (path) => (isFile(path) ? file.text : undefined),
    directoryExists: () => false,
    getCurrentDirectory: () => "",
    getCanonicalFileName: (path) => path,
    getDefaultLibFileName: () => "",
    getNewLine: () => "\n",
    useCaseSensitiveFileNames: () => true,
    writeFile: () => undefined,
  };
}
