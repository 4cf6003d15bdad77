"""Let a thing die without Python's own complaint, when ours stands in its place."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class _Silence:
    """In the place of the module `warnings`, which finalizers take as an argument to have it until the end."""

    @staticmethod
    def warn(*_: Any, **__: Any) -> None:
        return None


def without_warning(finalizer: Callable[..., None]) -> Callable[[Any], None]:
    """The same ``__del__``, silent."""
    for name in inspect.signature(finalizer).parameters:
        if name == "_warn":
            return lambda dying: finalizer(dying, _warn=_Silence.warn)
        if name in ("_warnings", "warnings"):
            return lambda dying: finalizer(dying, **{name: _Silence})

    def quietly(dying: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            finalizer(dying)

    return quietly
