"""Measures one Python file with the standard library's own parser.

The rules are those of README.md; `goaudit/analyze.go` and `tsaudit/src/analyze.ts` follow the
same ones, and `fixtures/expected.json` holds all three to them.
"""

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from examples.code_audit.records import FileReport, FunctionReport

ANONYMOUS = "<anonymous>"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class SourceSyntaxError(Exception):
    """The file is not Python: where, and what the parser said."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


@dataclass(slots=True)
class _Meter:
    """What has been counted so far in one function."""

    node: FunctionNode
    name: str
    exported: bool
    nesting: int = 0
    complexity: int = 1


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands: the names around it, its function, and its level inside that."""

    names: tuple[str, ...] = ()
    meter: _Meter | None = None
    level: int = 0

    def deeper(self) -> "_Place":
        level = self.level + 1
        if self.meter is not None:
            self.meter.nesting = max(self.meter.nesting, level)
        return _Place(self.names, self.meter, level)

    def named(self, name: str) -> "_Place":
        return _Place((*self.names, name), self.meter, self.level)


def analyze_source(path: str, source: bytes) -> FileReport:
    """Measure every function of one file."""
    try:
        with warnings.catch_warnings(action="ignore"):  # doubtful escapes are no errors
            tree = ast.parse(source)
    except SyntaxError as error:
        raise SourceSyntaxError(error.lineno or 0, error.msg) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SourceSyntaxError(0, str(error) or type(error).__name__) from error
    meters = sorted(_Walk().run(tree), key=lambda meter: _position(meter.node))
    lines = source.count(b"\n") + (not source.endswith(b"\n") and source != b"")
    return FileReport(path, "python", lines, [_report(meter) for meter in meters])


class _Walk:
    """One pass over the tree with a stack of its own: a chain of a thousand `elif` is no limit."""

    def __init__(self) -> None:
        self._meters: list[_Meter] = []
        self._bound_names: dict[ast.Lambda, str] = {}

    def run(self, tree: ast.Module) -> list[_Meter]:
        stack: list[tuple[ast.AST, _Place]] = [(tree, _Place())]
        while stack:
            node, place = stack.pop()
            if place.meter is not None:
                place.meter.complexity += _decisions(node)
            stack.extend(self._children(node, place))
        return self._meters

    def _children(self, node: ast.AST, place: _Place) -> Iterator[tuple[ast.AST, _Place]]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                inside = self._enter(node, node.name, place)
                yield node.args, inside
                yield from ((child, inside) for child in node.body)
                yield from ((child, place) for child in node.decorator_list)
                return
            case ast.Lambda():
                name = self._bound_names.get(node)
                if name is None and place.meter is not None:
                    place = place.deeper()
                else:
                    place = self._enter(node, name or ANONYMOUS, place)
            case ast.ClassDef():
                place = place.named(node.name)
            case ast.If():
                inside = place.deeper()
                after = place if _is_elif(node) else inside
                yield from ((child, inside) for child in (node.test, *node.body))
                yield from ((child, after) for child in node.orelse)
                return
            case ast.For() | ast.AsyncFor() | ast.While() | ast.Try() | ast.TryStar() | ast.Match():
                place = place.deeper()
            case ast.Assign(targets=[target, *_], value=ast.Lambda() as function):
                self._bind(target, function)
            case ast.AnnAssign(target=target, value=ast.Lambda() as function):
                self._bind(target, function)
            case _:
                pass
        yield from ((child, place) for child in ast.iter_child_nodes(node))

    def _enter(self, node: FunctionNode, name: str, place: _Place) -> _Place:
        names = (*place.names, name)
        public = name != ANONYMOUS and not any(part.startswith("_") for part in names)
        meter = _Meter(node, ".".join(names), exported=public and place.meter is None)
        self._meters.append(meter)
        return _Place(names, meter)

    def _bind(self, target: ast.expr, function: ast.Lambda) -> None:
        match target:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                self._bound_names[function] = name
            case _:
                pass


def _decisions(node: ast.AST) -> int:
    match node:
        case ast.If() | ast.For() | ast.AsyncFor() | ast.While() | ast.IfExp():
            return 1
        case ast.ExceptHandler():
            return 1
        case ast.comprehension(ifs=conditions):
            return 1 + len(conditions)
        case ast.BoolOp(values=values):
            return len(values) - 1
        case ast.match_case(pattern=ast.MatchAs(pattern=None), guard=None):
            return 0
        case ast.match_case(pattern=ast.MatchAs(pattern=None)):
            return 1
        case ast.match_case(guard=guard):
            return 1 if guard is None else 2
        case _:
            return 0


def _is_elif(node: ast.If) -> bool:
    """Whether what follows is an `elif`: the tree only tells it from `else: if` by the column."""
    match node.orelse:
        case [ast.If(col_offset=column)]:
            return column == node.col_offset
        case _:
            return False


def _position(node: FunctionNode) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _report(meter: _Meter) -> FunctionReport:
    node = meter.node
    documented = not isinstance(node, ast.Lambda) and bool(ast.get_docstring(node))
    return FunctionReport(
        name=meter.name,
        line=node.lineno,
        length=(node.end_lineno or node.lineno) - node.lineno + 1,
        nesting=meter.nesting,
        complexity=meter.complexity,
        documented=documented,
        exported=meter.exported,
    )
