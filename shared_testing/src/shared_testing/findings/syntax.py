"""The syntax tree of the user's functions, for what a frame alone does not tell."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import CodeType
from typing import TYPE_CHECKING

from shared_testing.findings.by_code import by_code
from shared_testing.findings.site import Site, site_of_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    Function = ast.FunctionDef | ast.AsyncFunctionDef

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_NESTED = (*DEFINITIONS, ast.Lambda)


@lru_cache(maxsize=64)
def tree_of(path: str) -> ast.Module | None:
    """The file as a tree; None if it cannot be read as Python."""
    return _parsed(linecache.getlines(path))


def nodes_of(path: str) -> Iterator[ast.AST]:
    """All nodes of the file's tree; none if it cannot be read as Python."""
    tree = tree_of(path)
    return ast.walk(tree) if tree is not None else iter(())


def _parsed(lines: list[str]) -> ast.Module | None:
    try:
        return ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return None


@by_code
def function_at(code: CodeType) -> Function | None:
    """The definition that this code was compiled from; a lambda or a comprehension has none."""
    if code.co_name.startswith("<"):
        return None
    return _read_alone(code) or _functions_of(code.co_filename).get((code.co_name, code.co_firstlineno))


def _read_alone(code: CodeType) -> Function | None:
    """Parse the function by itself: its file may be a hundred times as long. None if it cannot be cut out."""
    lines = linecache.getlines(code.co_filename)
    first = code.co_firstlineno - 1
    text = lines[first : _end(lines, first, _last_line(code))]
    # What is indented stands below something.
    above = ["if True:\n"] if text and text[0][:1].isspace() else []
    if (tree := _parsed(above + text)) is None:
        return None
    ast.increment_lineno(tree, first - len(above))
    match tree.body:
        case [ast.If(body=[function])] | [function]:
            if isinstance(function, _FUNCTIONS) and function.name == code.co_name:
                return function
    return None


def _end(lines: list[str], first: int, last: int) -> int:
    """How far the block goes that begins at `first` and has `last` in it: to what is indented no further."""
    own = indent(lines[first]) if first < len(lines) else 0
    while last < len(lines) and (not lines[last].strip() or indent(lines[last]) > own):
        last += 1
    return last


def indent(line: str) -> int:
    """How many characters stand before its text."""
    return len(line) - len(line.lstrip())


def _last_line(code: CodeType) -> int:
    nested = (_last_line(each) for each in code.co_consts if isinstance(each, CodeType))
    return max([code.co_firstlineno, *(end for _, end, _, _ in code.co_positions() if end), *nested])


@lru_cache(maxsize=64)
def _functions_of(path: str) -> dict[tuple[str, int], Function]:
    """Those of the file by name and first line, which is that of the first decorator."""
    found: dict[tuple[str, int], Function] = {}
    for node in nodes_of(path):
        if isinstance(node, _FUNCTIONS):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found.setdefault((node.name, first), node)
    return found


def async_functions_at(site: Site) -> Iterator[ast.AsyncFunctionDef]:
    """Those of the site's name around its line, the outermost first."""
    name = site.function.rpartition(".")[2]
    for node in nodes_of(site.path):
        if isinstance(node, ast.AsyncFunctionDef) and node.name == name and covers([node], site.line):
            yield node


def loops_at(site: Site) -> Iterator[ast.While | ast.For | ast.AsyncFor]:
    """The loops of that async function that have the site's line in them, the outermost first."""
    for function in async_functions_at(site):
        for node in own_nodes(function):
            if isinstance(node, (ast.While, ast.For, ast.AsyncFor)) and covers([node], site.line):
                yield node


def own_nodes(root: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, without those of the functions and classes inside."""
    for child in ast.iter_child_nodes(root):
        yield child
        if not isinstance(child, _NESTED):
            yield from own_nodes(child)


def decorator_site(code: CodeType, *words: str) -> Site:
    """The decorator of the function that has one of the words in it; its ``def``, if there is none."""
    function = function_at(code)
    for each in function.decorator_list if function is not None else ():
        if any(word in ast.unparse(each) for word in words):
            return Site(code.co_filename, each.lineno, code.co_qualname)
    return site_of_code(code)


def with_qualname(site: Site) -> Site:
    """The same line in ``Job.run``, where all that is known is ``run``, or nothing."""
    tree = tree_of(site.path)
    names: list[str] = []
    node: ast.AST | None = tree
    while node is not None:
        node = next((each for each in _definitions(node) if covers([each], site.line)), None)
        if node is not None:
            names += [node.name] if isinstance(node, ast.ClassDef) else [node.name, "<locals>"]
    function = site.function or next((name for name in reversed(names) if name != "<locals>"), "")
    while names and names[-1] != function:
        # A comprehension or a lambda stands below the last definition; else this is another text than what ran.
        if function.startswith("<"):
            names.append(function)
        else:
            names.pop()
    return Site(site.path, site.line, ".".join(names)) if names else site


def _definitions(root: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """The nearest definitions below, however deep in other statements."""
    for child in ast.iter_child_nodes(root):
        if isinstance(child, DEFINITIONS):
            yield child
        else:
            yield from _definitions(child)


def covers(statements: list[ast.stmt], line: int) -> bool:
    """Whether the line lies in these statements."""
    return bool(statements) and statements[0].lineno <= line <= (statements[-1].end_lineno or 0)
