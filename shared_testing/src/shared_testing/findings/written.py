"""What is written on a line of the user's: the call, the await, the statement, in the user's own words.

Only read for a finding, so the file is parsed then, and not before.
"""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared_testing.findings.site import Site


def called_at(site: Site, name: str) -> str | None:
    """How the user wrote the call of `name` at this place: ``self.mailer.send`` for ``send``."""
    return next((text for text in calls_at(site) if text.rpartition(".")[2] == name), None)


def calls_at(site: Site) -> list[str]:
    """What is called at this place, as the user wrote it: the shortest call first."""
    calls = [each for each in _nodes_at(site.path, site.line) if isinstance(each, ast.Call)]
    return [ast.unparse(each.func) for each in sorted(calls, key=_height)]


def awaited_at(site: Site) -> ast.expr | None:
    """What the user awaits at this place, if it is one thing only."""
    awaits = [each.value for each in _nodes_at(site.path, site.line) if isinstance(each, ast.Await)]
    return awaits[0] if len(awaits) == 1 else None


def statement_at(site: Site) -> range:
    """The lines of the smallest statement at this place; for one with a body, those of its head."""
    statements = [each for each in _nodes_at(site.path, site.line) if isinstance(each, ast.stmt)]
    if not statements:
        return range(site.line, site.line + 1)
    smallest = min(statements, key=_height)
    body = getattr(smallest, "body", None)
    end = body[0].lineno if body else (smallest.end_lineno or smallest.lineno) + 1
    return range(smallest.lineno, max(end, site.line + 1))


def _nodes_at(path: str, line: int) -> list[ast.expr | ast.stmt]:
    return [
        node
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.expr | ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]


def _height(node: ast.expr | ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno


@lru_cache(maxsize=8)
def _parsed(path: str) -> ast.Module:
    try:
        return ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])
