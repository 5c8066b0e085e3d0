"""What an expression stands for: a dotted name of a module, or a value of a known type.

Only what the file itself shows is known. Where two assignments disagree, or something is not
understood, the answer is None and the rules are silent.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass

from perdure.lint._source import Binding, Function, Source

__all__ = ["HERE", "NUMBERS", "SET", "Names", "Resolved"]

HERE = "<this file>."
"""Begins the qualified name of what the file itself defines."""
SET = "builtins.set"
NUMBERS = "set of numbers"
"""A set whose walk does not depend on the process: numbers hash to themselves."""
_ITSELF = "itself"
"""What a value is made of, while that is being found out: `names = names | others`."""
_SET_TYPES = frozenset({
    SET, "builtins.frozenset", "typing.Set", "typing.FrozenSet", "typing.AbstractSet",
    "typing.MutableSet", "collections.abc.Set", "collections.abc.MutableSet",
})  # fmt: skip
_SET_METHODS = frozenset({"copy", "difference", "intersection", "symmetric_difference", "union"})
_NUMBER_TYPES = frozenset({"builtins.int", "builtins.float", "builtins.bool"})
_NUMBER_CALLS = frozenset({"builtins.int", "builtins.len", "builtins.ord", "builtins.float"})
_PATH = "pathlib.Path"
_PATH_MAKERS = frozenset({
    "absolute", "cwd", "expanduser", "home", "joinpath", "parent", "relative_to", "resolve",
    "with_name", "with_stem", "with_suffix",
})  # fmt: skip
_LOOP = "asyncio.AbstractEventLoop"
_MADE: dict[str, str] = {
    "asyncio.get_event_loop": _LOOP,
    "asyncio.get_running_loop": _LOOP,
    "socket.create_connection": "socket.socket",
}
_ALIASES = {
    "pathlib.PosixPath": _PATH,
    "posixpath.": "os.path.",
}


_Attributes = dict[str, list[tuple[ast.expr | None, ast.expr | None]]]
"""The values and annotations that a class gives its attributes, by name."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A name that is known."""

    qualified: str
    by_name: bool = False
    """Whether the file took it out of its module when it was imported."""


class Names:
    """Answers for one file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._resolved: dict[ast.AST, Resolved | None] = {}
        self._types: dict[ast.AST, str | None] = {}
        self._attributes: dict[ast.ClassDef, _Attributes] = {}
        self._classes = {
            f"{HERE}{node.name}": node
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ClassDef)
        }

    def resolve(self, node: ast.AST) -> Resolved | None:
        """The dotted name that an expression stands for, a method by the type of its object."""
        if node not in self._resolved:
            # Until it is known; `clock = clock.next` comes back to itself.
            self._resolved[node] = None
            self._resolved[node] = self._resolve(node)
        return self._resolved[node]

    def _resolve(self, node: ast.AST) -> Resolved | None:
        match node:
            case ast.Name(id=name):
                return self._resolve_name(name, node)
            case ast.Attribute(value=value, attr=attribute):
                base = self.resolve(value)
                if base is not None:
                    return Resolved(_canonical(f"{base.qualified}.{attribute}"))
                of = self.type_of(value)
                return None if of is None else Resolved(f"{of}.{attribute}")
            case _:
                return None

    def qualified(self, node: ast.AST) -> str:
        """The dotted name alone; empty where it is not known."""
        found = self.resolve(node)
        return "" if found is None else found.qualified

    def is_known(self, node: ast.AST, names: frozenset[str]) -> bool:
        """Whether the expression stands for one of the names."""
        return self.qualified(node) in names

    def type_of(self, node: ast.AST | None) -> str | None:
        """The type of a value, by its qualified name."""
        if node is None:
            return None
        if node not in self._types:
            self._types[node] = _ITSELF
            self._types[node] = self._type_of(node)
        return self._types[node]

    def _type_of(self, node: ast.AST) -> str | None:
        match node:
            case ast.Set(elts=elements):
                return NUMBERS if all(map(_is_number, elements)) else SET
            case ast.SetComp(elt=element):
                return NUMBERS if self._gives_number(element) else SET
            case ast.Call():
                return self._type_of_call(node)
            case ast.Await(value=value) | ast.NamedExpr(value=value):
                return self.type_of(value)
            case ast.BinOp(left=left, op=operator, right=right):
                return self._type_of_operation(left, operator, right)
            case ast.IfExp(body=body, orelse=orelse):
                return _agreed([self.type_of(body), self.type_of(orelse)])
            case ast.Name(id=name):
                found = self.source.bindings(name, node)
                return _agreed([self._type_of_binding(each) for each in found])
            case ast.Attribute(value=value, attr=attribute):
                return self._type_of_attribute(value, attribute)
            case _:
                return None

    def definition(self, node: ast.AST) -> Function | ast.ClassDef | None:
        """The function or class of this file that an expression names."""
        match node:
            case ast.Name(id=name):
                found = self.source.bindings(name, node)
                if len(found) == 1 and isinstance(found[0].node, Function | ast.ClassDef):
                    return found[0].node
                return None
            case ast.Attribute(value=value, attr=attribute):
                owner = self.owner(value)
                return None if owner is None else self.method(owner, attribute)
            case _:
                return None

    def owner(self, value: ast.AST) -> ast.ClassDef | None:
        """The class of this file whose attributes an expression has: an instance, or the class."""
        named = self.definition(value)
        if isinstance(named, ast.ClassDef):
            return named
        if isinstance(value, ast.Call) and self.qualified(value.func) == "builtins.super":
            above = self.source.parents(value)
            around = next((each for each in above if isinstance(each, ast.ClassDef)), None)
            bases = [] if around is None else self.bases(around)
            return bases[0] if bases else None
        return self.class_named(self.type_of(value))

    def class_named(self, qualified: str | None) -> ast.ClassDef | None:
        """The class of this file with that qualified name."""
        return None if qualified is None else self._classes.get(qualified)

    def bases(self, owner: ast.ClassDef) -> list[ast.ClassDef]:
        """The classes of this file that it inherits from, the nearest first."""
        found: list[ast.ClassDef] = []
        for base in owner.bases:
            plain = base.value if isinstance(base, ast.Subscript) else base
            named = self.definition(plain)
            if isinstance(named, ast.ClassDef) and named is not owner and named not in found:
                found += [named, *self.bases(named)]
        return found

    def method(self, owner: ast.ClassDef, name: str) -> Function | None:
        """A method of the class or of its bases."""
        for each in [owner, *self.bases(owner)]:
            for node in each.body:
                if isinstance(node, Function) and node.name == name:
                    return node
        return None

    def _resolve_name(self, name: str, node: ast.AST) -> Resolved | None:
        found = self.source.bindings(name, node)
        if not found:
            return Resolved(f"builtins.{name}") if hasattr(builtins, name) else None
        first = found[0]
        if all(each.kind == "import" for each in found):
            by_name = first.by_name and first.scope is self.source.tree
            return Resolved(_canonical(first.qualified), by_name)
        if len(found) == 1 and first.kind == "value" and isinstance(first.value, _NAMING):
            original = self.resolve(first.value)
            if original is None:
                return None
            return Resolved(original.qualified, original.by_name or first.scope is self.source.tree)
        return None

    def _type_of_call(self, call: ast.Call) -> str | None:
        named = self.definition(call.func)
        if isinstance(named, ast.ClassDef):
            return f"{HERE}{named.name}"
        if named is not None:
            return self.type_of_annotation(named.returns)
        found = self.resolve(call.func)
        if found is None:
            return None
        qualified = found.qualified
        if qualified in _SET_TYPES:
            return self._type_of_made_set(call)
        base, _, method = qualified.rpartition(".")
        if base in {SET, NUMBERS} and method in _SET_METHODS:
            return base
        if base == _PATH and method in _PATH_MAKERS:
            return _PATH
        if qualified in _MADE:
            return _MADE[qualified]
        if base == "builtins" or method[:1].isupper():
            return qualified
        return None

    def _type_of_made_set(self, call: ast.Call) -> str | None:
        match call.args:
            case [ast.Call(func=function)] if self.qualified(function) == "builtins.range":
                return NUMBERS
            case [ast.GeneratorExp(elt=element) | ast.ListComp(elt=element)]:
                return NUMBERS if self._gives_number(element) else SET
            case [ast.List(elts=elements) | ast.Tuple(elts=elements)]:
                return NUMBERS if all(map(_is_number, elements)) else SET
            case _:
                return SET

    def _gives_number(self, element: ast.expr) -> bool:
        return _is_number(element) or (
            isinstance(element, ast.Call) and self.is_known(element.func, _NUMBER_CALLS)
        )

    def _type_of_operation(
        self, left: ast.expr, operator: ast.operator, right: ast.expr
    ) -> str | None:
        first = self.type_of(left)
        if isinstance(operator, ast.Div) and first == _PATH:
            return _PATH
        if isinstance(operator, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
            second = self.type_of(right)
            if first in {SET, NUMBERS}:
                return first
            if _is_view(left) and (_is_view(right) or second in {SET, NUMBERS}):
                return SET
        return None

    def _type_of_attribute(self, value: ast.expr, attribute: str) -> str | None:
        owner = self.class_named(self.type_of(value))
        if owner is None:
            if attribute in _PATH_MAKERS and self.type_of(value) == _PATH:
                return _PATH
            return None
        types: list[str | None] = []
        for each in [owner, *self.bases(owner)]:
            types += self._types_set(each, attribute)
        return _agreed(types)

    def _types_set(self, owner: ast.ClassDef, attribute: str) -> list[str | None]:
        """The types that the class gives an attribute: in its body, and on `self`."""
        if owner not in self._attributes:
            self._attributes[owner] = _attributes_of(owner, self.source)
        types: list[str | None] = []
        for value, annotation in self._attributes[owner].get(attribute, []):
            if annotation is not None:
                return [self.type_of_annotation(annotation)]
            types.append(self.type_of(value))
        return types

    def _type_of_binding(self, binding: Binding) -> str | None:
        if binding.kind == "argument":
            return self._type_of_argument(binding)
        if binding.kind != "value":
            return None
        if binding.annotation is not None:
            return self.type_of_annotation(binding.annotation)
        return self.type_of(binding.value)

    def _type_of_argument(self, binding: Binding) -> str | None:
        if binding.annotation is not None:
            return self.type_of_annotation(binding.annotation)
        function, owner = binding.scope, self.source.parent(binding.scope)
        if not isinstance(function, Function) or not isinstance(owner, ast.ClassDef):
            return None
        first = [*function.args.posonlyargs, *function.args.args][:1]
        static = any(self.qualified(each).endswith(".staticmethod") for each in _marks(function))
        return f"{HERE}{owner.name}" if first == [binding.node] and not static else None

    def type_of_annotation(self, annotation: ast.expr | None) -> str | None:
        """The type that an annotation names; of a union with None, the other half."""
        match annotation:
            case ast.Constant(value=str(text)):
                try:
                    parsed = ast.parse(text, mode="eval").body
                except SyntaxError:
                    return None
                return self.type_of_annotation(parsed) if _is_plain(parsed) else None
            case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
                return self.type_of_annotation(left)
            case ast.Subscript(value=value, slice=element):
                qualified = self.qualified(value)
                if qualified in _SET_TYPES:
                    return NUMBERS if self.is_known(element, _NUMBER_TYPES) else SET
                return qualified or None
            case ast.Name() | ast.Attribute():
                named = self.definition(annotation)
                if isinstance(named, ast.ClassDef):
                    return f"{HERE}{named.name}"
                qualified = self.qualified(annotation)
                return SET if qualified in _SET_TYPES else qualified or None
            case _:
                return None


_NAMING = (ast.Name, ast.Attribute)


def _marks(function: Function) -> list[ast.expr]:
    return [each.func if isinstance(each, ast.Call) else each for each in function.decorator_list]


def _attributes_of(owner: ast.ClassDef, source: Source) -> _Attributes:
    """What the class gives its attributes: in its body, and on `self`."""
    found: _Attributes = {}
    for node in ast.walk(owner):
        value: ast.expr | None
        annotation: ast.expr | None = None
        match node:
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                targets = [target]
            case ast.Assign(targets=targets, value=value):
                pass
            case _:
                continue
        for target in targets:
            for part in ast.walk(target):
                name = _attribute(part, in_body=source.parent(node) is owner)
                if name:
                    # Of `self.a, self.b = …` nothing is known but that it is set.
                    entry = (value if part is target else None, annotation)
                    found.setdefault(name, []).append(entry)
    return found


def _attribute(target: ast.AST, *, in_body: bool) -> str:
    match target:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name
        case ast.Name(id=name):
            return name if in_body else ""
        case _:
            return ""


def _is_plain(node: ast.expr) -> bool:
    """Whether an annotation in quotes reads names that are in no scope of the tree."""
    return isinstance(node, ast.Name) and hasattr(builtins, node.id)


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _is_view(node: ast.expr) -> bool:
    """Whether it is `x.keys()`: alone it walks in order, an operator makes a set of it."""
    return isinstance(node, ast.Call) and (
        isinstance(node.func, ast.Attribute) and node.func.attr == "keys" and not node.args
    )


def _agreed(types: list[str | None]) -> str | None:
    others = {each for each in types if each != _ITSELF}
    return others.pop() if len(others) == 1 else None


def _canonical(qualified: str) -> str:
    for old, new in _ALIASES.items():
        if qualified == old or (old.endswith(".") and qualified.startswith(old)):
            return new + qualified[len(old) :]
    return qualified
