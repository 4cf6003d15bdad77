"""What is written on a line of the user's: the call, the await, the statement, in the user's own words.

Only read for a finding, so the file is parsed then, and not before.
"""

from __future__ import annotations

import ast

from shared_testing.findings.site import Site
from shared_testing.findings.syntax import nodes_of, with_qualname

# Lines that a file is looked for below its opening.
_NEAR = 6


def called_at(site: Site, name: str) -> str | None:
    """How the user wrote the call of `name` at this place: ``self.mailer.send`` for ``send``."""
    return next((text for text in calls_at(site) if text.rpartition(".")[2] == name), None)


def calls_at(site: Site) -> list[str]:
    """What is called at this place, as the user wrote it: the shortest call first."""
    calls = [each for each in _nodes_at(site.path, site.line) if isinstance(each, ast.Call)]
    return [ast.unparse(each.func) for each in sorted(calls, key=_height)]


def used_after_opening(site: Site) -> Site | None:
    """The line below that first uses the file which ``with open(...) as file`` or ``file = open(...)`` gave a name."""
    named = next((found for node in _nodes_at(site.path, site.line) if (found := _name_given(node, site.line))), "")
    # Further down the name may be another function's.
    for line in range(site.line + 1, site.line + _NEAR):
        for node in _nodes_at(site.path, line) if named else ():
            if isinstance(node, ast.Name) and node.id == named and isinstance(node.ctx, ast.Load):
                return site._replace(line=line)
    return None


def _name_given(node: ast.expr | ast.stmt, line: int) -> str:
    target: ast.expr | None = None
    if isinstance(node, (ast.With, ast.AsyncWith)) and node.lineno == line:
        target = next((item.optional_vars for item in node.items), None)
    elif isinstance(node, ast.Assign) and node.lineno == line:
        target = node.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def assigned_before(site: Site, called: str) -> Site | None:
    """The line above, in the same function or class, that keeps what the call of `called` gives."""
    owner, found = site.function.rpartition(".")[0], None
    for node in nodes_of(site.path):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        function = node.value.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name == called and (found is None or abs(site.line - node.lineno) < abs(site.line - found.line)):
            found = with_qualname(Site(site.path, node.lineno, ""))
    # In another function of the same object: `self.rows = read()` in its __init__.
    near = found is not None and (found.function == site.function or (owner and found.function.startswith(owner)))
    return found if near and not _iterated_at(site, called) else None


def _iterated_at(site: Site, called: str) -> bool:
    """Whether the line that takes the first step makes the generator itself: ``async for row in read():``."""
    return any(text.rpartition(".")[2] == called for text in calls_at(site))


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
        for node in nodes_of(path)
        if isinstance(node, ast.expr | ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]


def _height(node: ast.expr | ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno
