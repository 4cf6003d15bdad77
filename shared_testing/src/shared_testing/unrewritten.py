"""Import the modules of this package as Python does.

pytest compiles the modules of every plugin itself, to rewrite their asserts. Ours have none, and that takes longer
than all the rest of their import.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_rewriting() -> Iterator[None]:
    """Leave pytest's import hook out for as long as the block runs."""
    hooks = [finder for finder in sys.meta_path if type(finder).__module__ == "_pytest.assertion.rewrite"]
    for hook in hooks:
        sys.meta_path.remove(hook)
    try:
        yield
    finally:
        sys.meta_path[:0] = hooks
