/** One function, measured by the rules of the example's README. */
export interface FunctionReport {
  name: string;
  line: number;
  length: number;
  nesting: number;
  complexity: number;
  documented: boolean;
  exported: boolean;
}

/** One measured file, in the shape that the three analysers share. */
export interface FileReport {
  path: string;
  language: "typescript" | "javascript";
  lines: number;
  functions: FunctionReport[];
}

/** Why a file could not be measured; `line` is 0 where no line is to blame. */
export class SourceError extends Error {
  override name = "SourceError";

  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message);
  }
}
