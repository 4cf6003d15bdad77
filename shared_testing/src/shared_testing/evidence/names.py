"""What a name stood for in a frame, found without running any of the user's code."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType


def value_of(expression: ast.expr | None, frame: FrameType) -> Any:
    """The value of ``name`` or ``name.attribute``; None for all that takes more than looking."""
    if isinstance(expression, ast.Name):
        return frame.f_locals.get(expression.id, frame.f_globals.get(expression.id))
    if not isinstance(expression, ast.Attribute) or (owner := value_of(expression.value, frame)) is None:
        return None
    found = inspect.getattr_static(owner, expression.attr, None)
    return found.__func__ if isinstance(found, staticmethod | classmethod) else found
