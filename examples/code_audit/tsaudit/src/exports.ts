import ts from "typescript";

import { hasModifier, isAssignment, skipParentheses } from "./names.js";

/** The local names that a file hands out apart from its `export` modifiers. */
export function exportedNames(file: ts.SourceFile): ReadonlySet<string> {
  const names = new Set<string>();
  for (const statement of file.statements) {
    if (ts.isExportAssignment(statement)) {
      addIdentifier(names, statement.expression);
    } else if (ts.isExportDeclaration(statement) && statement.moduleSpecifier === undefined) {
      addExportClause(names, statement.exportClause);
    } else if (ts.isExpressionStatement(statement) && isAssignment(statement.expression)) {
      addCommonJs(names, statement.expression);
    }
  }
  return names;
}

function addIdentifier(names: Set<string>, expression: ts.Node): void {
  if (ts.isIdentifier(expression)) names.add(expression.text);
}

function addExportClause(names: Set<string>, clause: ts.NamedExportBindings | undefined): void {
  if (clause === undefined || !ts.isNamedExports(clause)) return;
  for (const element of clause.elements) names.add((element.propertyName ?? element.name).text);
}

/** `exports.name = local`, `module.exports = local`, `module.exports = { local, name: local }`. */
function addCommonJs(names: Set<string>, { left, right }: ts.BinaryExpression): void {
  if (!isExportsTarget(left)) return;
  addIdentifier(names, right);
  if (!ts.isObjectLiteralExpression(right)) return;
  for (const property of right.properties) {
    if (ts.isShorthandPropertyAssignment(property)) names.add(property.name.text);
    if (ts.isPropertyAssignment(property)) addIdentifier(names, property.initializer);
  }
}

function isExportsTarget(target: ts.Expression): boolean {
  const text = target.getText();
  return text === "module.exports" || /^(module\.)?exports\.\w+$/.test(text);
}

/** Whether a top-level declaration, or the one whose value this node is, is handed out. */
export function isExported(node: ts.Node, name: string, names: ReadonlySet<string>): boolean {
  if (hasModifier(node, ts.SyntaxKind.ExportKeyword)) return true;
  const host = skipParentheses(node);
  if (ts.isExportAssignment(host)) return true;
  if (isAssignment(host)) return isExportsTarget(host.left);
  if (ts.isVariableDeclaration(host)) {
    const statement = host.parent.parent;
    if (hasModifier(statement, ts.SyntaxKind.ExportKeyword)) return true;
  }
  return names.has(name);
}

/** Whether a class member is for others: neither `private` nor `#name`. */
export function isPublicMember(node: ts.Node): boolean {
  const member = ts.isClassElement(node) ? node : skipParentheses(node);
  if (!ts.isClassElement(member)) return false;
  const hidden = member.name !== undefined && ts.isPrivateIdentifier(member.name);
  return !hidden && !hasModifier(member, ts.SyntaxKind.PrivateKeyword);
}
