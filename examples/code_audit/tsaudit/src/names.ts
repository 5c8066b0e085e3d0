import ts from "typescript";

export const anonymous = "<anonymous>";

/** The name of a function or class: its own, or the one that it is directly the value of. */
export function nameOf(node: ts.SignatureDeclaration | ts.ClassLikeDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return "constructor";
  if (node.name !== undefined) return textOf(node.name);
  if (isDefaultExport(node)) return "default";
  const host = skipParentheses(node);
  if (ts.isExportAssignment(host)) return "default";
  if (ts.isVariableDeclaration(host) || ts.isPropertyAssignment(host)) return textOf(host.name);
  if (ts.isPropertyDeclaration(host)) return textOf(host.name);
  if (isAssignment(host)) {
    if (ts.isIdentifier(host.left)) return host.left.text;
    if (ts.isPropertyAccessExpression(host.left)) return host.left.name.text;
  }
  return anonymous;
}

/** What stands around an expression, parentheses apart, if the expression is its value. */
export function skipParentheses(node: ts.Node): ts.Node {
  let child = node;
  while (ts.isParenthesizedExpression(child.parent)) child = child.parent;
  const host = child.parent;
  const value = ts.isBinaryExpression(host)
    ? host.right
    : ts.isExportAssignment(host)
      ? host.expression
      : (host as { initializer?: ts.Node }).initializer;
  return value === child ? host : node;
}

export function isAssignment(node: ts.Node): node is ts.BinaryExpression {
  return ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken;
}

export function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  const modifiers = ts.canHaveModifiers(node) ? ts.getModifiers(node) : undefined;
  return modifiers?.some((modifier) => modifier.kind === kind) ?? false;
}

function isDefaultExport(node: ts.Node): boolean {
  return hasModifier(node, ts.SyntaxKind.DefaultKeyword);
}

function textOf(name: ts.PropertyName | ts.BindingName): string {
  if (ts.isStringLiteralLike(name)) return name.text;
  const isPattern = ts.isObjectBindingPattern(name) || ts.isArrayBindingPattern(name);
  return isPattern ? anonymous : name.getText();
}
