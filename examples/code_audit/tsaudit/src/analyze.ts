import ts from "typescript";

import { exportedNames, isExported, isPublicMember } from "./exports.js";
import { anonymous, nameOf } from "./names.js";
import { parse } from "./parse.js";
import type { FileReport, FunctionReport } from "./report.js";

type FunctionNode = ts.FunctionLikeDeclaration & { body: ts.Node };

/** What has been counted so far in one function. */
interface Meter {
  node: FunctionNode;
  name: string;
  exported: boolean;
  nesting: number;
  complexity: number;
}

/** Where a node stands: the names around it, its function, and its level inside that. */
interface Place {
  names: readonly string[];
  /** Whether everything around is exported, and no function among it. */
  visible: boolean;
  isClassBody: boolean;
  meter: Meter | undefined;
  level: number;
}

/** Measure every function of one file. */
export function analyzeSource(path: string, bytes: Buffer): FileReport {
  const file = parse(path, bytes);
  const meters = new Walk(file).run();
  meters.sort((left, right) => left.node.getStart(file) - right.node.getStart(file));
  return {
    path,
    language: /\.[cm]?tsx?$/.test(path) ? "typescript" : "javascript",
    lines: countLines(bytes),
    functions: meters.map((meter) => report(file, meter)),
  };
}

function countLines(bytes: Buffer): number {
  let lines = bytes.length > 0 && bytes.at(-1) !== 0x0a ? 1 : 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) lines += 1;
  return lines;
}

/** One pass over the tree, with a stack of its own: a deep tree is no limit. */
class Walk {
  readonly #meters: Meter[] = [];
  readonly #exported: ReadonlySet<string>;
  readonly #stack: [ts.Node, Place][] = [];

  constructor(file: ts.SourceFile) {
    this.#exported = exportedNames(file);
    const top = { names: [], visible: true, isClassBody: false, meter: undefined, level: 0 };
    this.#stack.push([file, top]);
  }

  run(): Meter[] {
    for (let next = this.#stack.pop(); next !== undefined; next = this.#stack.pop()) {
      const [node, place] = next;
      if (place.meter !== undefined) place.meter.complexity += decisions(node);
      this.#visitChildren(node, place);
    }
    return this.#meters;
  }

  #visitChildren(node: ts.Node, place: Place): void {
    if (ts.isIfStatement(node)) {
      const inside = deeper(place);
      this.#stack.push([node.expression, inside], [node.thenStatement, inside]);
      const after = node.elseStatement;
      // A chain of else-if is one level, however long it is.
      if (after !== undefined) this.#stack.push([after, ts.isIfStatement(after) ? place : inside]);
      return;
    }
    const inside = this.#inside(node, place);
    ts.forEachChild(node, (child) => {
      this.#stack.push([child, ts.isDecorator(child) ? place : inside]);
    });
  }

  #inside(node: ts.Node, place: Place): Place {
    if (isFunctionWithBody(node)) {
      const name = nameOf(node);
      const isPart = name === anonymous && place.meter !== undefined;
      return isPart ? deeper(place) : this.#enter(node, name, place);
    }
    if (ts.isClassLike(node))
      return { ...this.#named(node, nameOf(node), place), isClassBody: true };
    if (ts.isModuleDeclaration(node)) return this.#named(node, node.name.text, place);
    return isLevel(node) ? deeper(place) : place;
  }

  #enter(node: FunctionNode, name: string, place: Place): Place {
    const { names, visible } = this.#named(node, name, place);
    const exported = visible && name !== anonymous;
    const meter = { node, name: names.join("."), exported, nesting: 0, complexity: 1 };
    this.#meters.push(meter);
    return { names, visible: false, isClassBody: false, meter, level: 0 };
  }

  #named(node: ts.Node, name: string, place: Place): Place {
    const shown = place.isClassBody ? isPublicMember(node) : isExported(node, name, this.#exported);
    const visible = place.visible && shown;
    return { ...place, names: [...place.names, name], visible, isClassBody: false };
  }
}

function deeper(place: Place): Place {
  const level = place.level + 1;
  if (place.meter !== undefined) place.meter.nesting = Math.max(place.meter.nesting, level);
  return { ...place, level };
}

function isFunctionWithBody(node: ts.Node): node is FunctionNode {
  return ts.isFunctionLike(node) && "body" in node && node.body !== undefined;
}

function isLevel(node: ts.Node): boolean {
  return (
    ts.isIterationStatement(node, false) || ts.isSwitchStatement(node) || ts.isTryStatement(node)
  );
}

function decisions(node: ts.Node): number {
  if (ts.isBinaryExpression(node)) return isShortCircuit(node.operatorToken.kind) ? 1 : 0;
  const isDecision =
    ts.isIfStatement(node) ||
    ts.isIterationStatement(node, false) ||
    ts.isConditionalExpression(node) ||
    ts.isCaseClause(node) ||
    ts.isCatchClause(node);
  return isDecision ? 1 : 0;
}

function isShortCircuit(operator: ts.SyntaxKind): boolean {
  switch (operator) {
    case ts.SyntaxKind.AmpersandAmpersandToken:
    case ts.SyntaxKind.BarBarToken:
    case ts.SyntaxKind.QuestionQuestionToken:
    case ts.SyntaxKind.AmpersandAmpersandEqualsToken:
    case ts.SyntaxKind.BarBarEqualsToken:
    case ts.SyntaxKind.QuestionQuestionEqualsToken:
      return true;
    default:
      return false;
  }
}

function report(file: ts.SourceFile, meter: Meter): FunctionReport {
  const { node, name, exported, nesting, complexity } = meter;
  const line = file.getLineAndCharacterOfPosition(startOf(file, node)).line;
  const last = file.getLineAndCharacterOfPosition(node.end).line;
  const documented = ts.getJSDocCommentsAndTags(node).some(ts.isJSDoc);
  return {
    name,
    line: line + 1,
    length: last - line + 1,
    nesting,
    complexity,
    documented,
    exported,
  };
}

/** Where the function itself begins: after its decorators. */
function startOf(file: ts.SourceFile, node: FunctionNode): number {
  const modifiers = ts.canHaveModifiers(node) ? ts.getModifiers(node) : undefined;
  return (modifiers?.[0] ?? node.name ?? node).getStart(file);
}
