"""The public API of a package as lines of text, read from its sources without importing them.

A package promises what its ``__all__`` names, the members of its public classes, and what their signatures speak of.
One line for each, complete enough that whatever a caller could notice changes a line: async or not, parameters, types,
defaults, decorators, bases, fields, the values of an enum, what a Protocol asks for.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef | ast.Assign | ast.AnnAssign
Found = tuple[str, Definition]

# Called by Python itself; what they do shows elsewhere.
_UNSEEN = ("__repr__", "__post_init__", "__reduce__")


@dataclass
class Sources:
    """The modules of one package, and who defines what in them."""

    name: str
    modules: dict[str, ast.Module] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Sources:
        sources = cls(folder.name)
        for file in sorted(folder.rglob("*.py")):
            parts = [folder.name, *file.relative_to(folder).with_suffix("").parts]
            module = ".".join(parts).removesuffix(".__init__")
            sources.modules[module] = ast.parse(file.read_text("utf-8"))
        return sources

    def find(self, module: str, name: str) -> Found | None:
        """Where that name of a module is defined, however often it is imported on; None outside the package."""
        for node in statements(self.modules[module].body):
            if isinstance(node, ast.ImportFrom) and node.module in self.modules:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self.find(node.module, alias.name)
            if isinstance(node, Definition) and name_of(node) == name:
                return module, node
        return None

    def exports(self, module: str) -> list[str]:
        """What a module offers: its ``__all__``, or each name that it defines without an underscore."""
        body = list(statements(self.modules[module].body))
        for node in body:
            if isinstance(node, ast.Assign) and name_of(node) == "__all__":
                return [str(name) for name in ast.literal_eval(node.value)]
        names = [name_of(node) for node in body if isinstance(node, Definition)]
        return sorted({name for name in names if not name.startswith("_")})


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """What a module or a class executes, also under ``if TYPE_CHECKING`` and the like."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.With, ast.Try)):
            yield from statements([*node.body, *getattr(node, "orelse", [])])


def name_of(node: Definition) -> str:
    if isinstance(node, ast.Assign):
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    else:
        return node.name
    return target.id if isinstance(target, ast.Name) else ""


def api_of(folder: Path, modules: Iterable[str] = ("",)) -> list[str]:
    """The lines of the package in `folder`. `modules`: what else callers may import from, such as ``http``."""
    return Reader(Sources.read(folder)).read(modules)


class Reader:
    """Walks from the names that a package exports to all that they promise."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        # By identity of the definition: what is exported twice, or spoken of often, is told once.
        self.labels: dict[int, str] = {}
        self.exported: set[int] = set()
        self.todo: list[tuple[str, Found]] = []
        self.lines: list[str] = []

    def read(self, modules: Iterable[str]) -> list[str]:
        for relative in modules:
            module = ".".join(filter(None, (self.sources.name, relative)))
            for name in self.sources.exports(module):
                label = ".".join(filter(None, (relative, name)))
                self.lines.append(f"export {label}")
                if found := self.sources.find(module, name):
                    self.plan(label, found)
        self.exported = set(self.labels)
        while self.todo:
            label, (module, node) = self.todo.pop()
            self.lines += self.tell(label, module, node)
        return sorted(set(self.lines), key=lambda line: (subject(line), line))

    def plan(self, label: str, found: Found) -> None:
        if id(found[1]) not in self.labels:
            self.labels[id(found[1])] = label
            self.todo.append((label, found))

    def tell(self, label: str, module: str, node: Definition) -> list[str]:
        if isinstance(node, ast.ClassDef):
            return self.tell_class(label, module, node)
        return [self.tell_one(label, module, node)]

    def tell_one(self, label: str, module: str, node: Definition) -> str:
        if isinstance(node, Function):
            return self.signature(label, module, node)
        if isinstance(node, ast.AnnAssign):
            self.speaks_of(module, node.annotation)
            value = f" = {ast.unparse(self.value(module, node.value))}" if node.value else ""
            return f"{label}: {ast.unparse(node.annotation)}{value}"
        if isinstance(node, ast.ClassDef):
            return f"class {label}"
        self.speaks_of(module, node.value)
        return f"{label} = {ast.unparse(node.value)}"

    # ------------------------------------------------------------ functions

    def signature(self, label: str, module: str, node: Function) -> str:
        for each in ast.walk(node.args):
            if isinstance(each, ast.arg) and each.annotation:
                self.speaks_of(module, each.annotation, given=True)
        if node.returns:
            self.speaks_of(module, node.returns)
        decorators = "".join(f"@{ast.unparse(each)} " for each in node.decorator_list)
        kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        # An async generator is iterated, a coroutine awaited, and both are written `async def`.
        yields = "  # yields" if kind == "async def" and _yields(node) else ""
        return f"{decorators}{kind} {label}({self.parameters(module, node.args)}){returns}{yields}"

    def parameters(self, module: str, arguments: ast.arguments) -> str:
        """As written, but with the value of a default that is a name of the package's own."""
        shown = copy.copy(arguments)
        shown.defaults = [self.value(module, each) for each in shown.defaults]
        shown.kw_defaults = [each and self.value(module, each) for each in shown.kw_defaults]
        return ast.unparse(shown)

    def value(self, module: str, default: ast.expr) -> ast.expr:
        found = self.sources.find(module, default.id) if isinstance(default, ast.Name) else None
        if found and isinstance(found[1], (ast.Assign, ast.AnnAssign)) and found[1].value:
            return found[1].value
        return default

    def speaks_of(self, module: str, annotation: ast.expr, *, given: bool = False) -> None:
        """Tell also of what is not exported, but stands in a public signature.

        Of what callers are to give only aliases and Protocols: they cannot make anything else themselves.
        """
        for each in ast.walk(annotation):
            if isinstance(each, ast.Name) and (found := self.sources.find(module, each.id)):
                if given and isinstance(found[1], ast.ClassDef) and "Protocol" not in map(_base, found[1].bases):
                    continue
                if isinstance(found[1], ast.Assign) and _base(found[1].value).startswith("TypeVar"):
                    continue
                self.plan(f"{found[0].partition('.')[2]}.{each.id}".lstrip("."), found)

    # ------------------------------------------------------------ classes

    def tell_class(self, label: str, module: str, node: ast.ClassDef) -> list[str]:
        lineage, bases = self.lineage(module, node)
        members: dict[str, list[tuple[str, Definition]]] = {}
        for owner, each in lineage:
            for name, found in _members(each).items():
                members.setdefault(name, [(owner, one) for one in found])
        lines = [self.class_line(label, node, bases, members)]
        if id(node) not in self.exported:
            # Nobody but the package makes one.
            members.pop("__init__", None)
        elif fields := [each for each in node.decorator_list if "dataclass" in ast.unparse(each)]:
            lines.append(self.constructor(label, lineage, ast.unparse(fields[0])))
        for name, several in members.items():
            overloads = [each for each in several if "overload" in _decorators(each[1])]
            lines += [self.tell_one(f"{label}.{name}", *each) for each in overloads or several]
        for owner, each in lineage:
            lines += self.attributes(label, owner, each, set(members))
        return lines

    def lineage(self, module: str, node: ast.ClassDef) -> tuple[list[tuple[str, ast.ClassDef]], list[str]]:
        """The class and those bases that are nobody's business, and the bases that callers know."""
        lineage, bases = [(module, node)], []
        for base in node.bases:
            name = base.value if isinstance(base, ast.Subscript) else base
            found = self.sources.find(module, name.id) if isinstance(name, ast.Name) else None
            if found is None or not isinstance(found[1], ast.ClassDef) or id(found[1]) in self.exported:
                bases.append(ast.unparse(base))
            else:
                inner, outer = self.lineage(found[0], found[1])
                lineage += inner
                bases += outer
        return lineage, bases

    def class_line(
        self, label: str, node: ast.ClassDef, bases: list[str], members: dict[str, list[tuple[str, Definition]]]
    ) -> str:
        # Whoever implements or unpacks such a class notices a new member: its line names them all.
        decorators = "".join(f"@{ast.unparse(each)} " for each in node.decorator_list)
        keywords = [f"{each.arg}={ast.unparse(each.value)}" for each in node.keywords]
        known = {base.partition("[")[0] for base in bases}
        asked = [
            name
            for name, (first, *_) in members.items()
            if {"Protocol", "NamedTuple"} & known or "abstractmethod" in _decorators(first[1])
        ]
        closed = f" of {', '.join(asked)}" if asked else ""
        return f"{decorators}class {label}({', '.join([*bases, *keywords])}){closed}"

    def constructor(self, label: str, lineage: list[tuple[str, ast.ClassDef]], decorator: str) -> str:
        """What a dataclass makes of its fields: a new one without a default breaks whoever calls it."""
        fields = [
            f"{name_of(each)}: {ast.unparse(each.annotation)}{_default(each.value and self.value(home, each.value))}"
            for home, owner in reversed(lineage)
            for each in owner.body
            if isinstance(each, ast.AnnAssign)
            and not (each.value and "init=False" in ast.unparse(each.value))
            and not ast.unparse(each.annotation).startswith("ClassVar")
        ]
        star = ["*"] if "kw_only=True" in decorator else []
        return f"def {label}.__init__({', '.join(['self', *star, *fields])})"

    def attributes(self, label: str, module: str, node: ast.ClassDef, known: set[str]) -> Iterator[str]:
        """What methods set on self: as public as what the class body declares."""
        for method in (each for each in node.body if isinstance(each, Function)):
            types = {each.arg: each.annotation for each in ast.walk(method.args) if isinstance(each, ast.arg)}
            for each in ast.walk(method):
                target = each.targets[0] if isinstance(each, ast.Assign) else getattr(each, "target", None)
                if not isinstance(each, (ast.Assign, ast.AnnAssign)) or not isinstance(target, ast.Attribute):
                    continue
                if ast.unparse(target.value) != "self" or target.attr.startswith("_") or target.attr in known:
                    continue
                known.add(target.attr)
                written = each.annotation if isinstance(each, ast.AnnAssign) else None
                given = types.get(each.value.id) if isinstance(each.value, ast.Name) else None
                kind = written or given
                if kind:
                    self.speaks_of(module, kind)
                yield f"{label}.{target.attr}" + (f": {ast.unparse(kind)}" if kind else "")


def _base(node: ast.expr) -> str:
    return ast.unparse(node).partition("[")[0]


def _members(node: ast.ClassDef) -> dict[str, list[Definition]]:
    found: dict[str, list[Definition]] = {}
    for each in statements(node.body):
        if isinstance(each, Definition):
            name = name_of(each)
            special = name.startswith("__") and name.endswith("__") and isinstance(each, Function)
            if name and (special or not name.startswith("_")) and name not in _UNSEEN:
                found.setdefault(name, []).append(each)
    return found


def _decorators(node: Definition) -> str:
    return " ".join(ast.unparse(each) for each in getattr(node, "decorator_list", []))


def _default(value: ast.expr | None) -> str:
    if value is None or (ast.unparse(value).startswith("field(") and "default" not in ast.unparse(value)):
        return ""
    return f"={ast.unparse(value)}"


def _yields(node: Function) -> bool:
    todo: list[ast.AST] = list(node.body)
    while todo:
        each = todo.pop()
        if isinstance(each, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(each, (Function, ast.Lambda)):
            todo += ast.iter_child_nodes(each)
    return False


def subject(line: str) -> str:
    """What a line is about, by which they are sorted: ``async def A.b(self)`` is about ``A.b``."""
    while line.startswith("@"):
        line = line.partition(" async def " if " async def " in line else " def " if " def " in line else " class ")[2]
    for word in ("export ", "async def ", "def ", "class "):
        line = line.removeprefix(word)
    return line.partition("(")[0].partition(":")[0].partition(" ")[0]
