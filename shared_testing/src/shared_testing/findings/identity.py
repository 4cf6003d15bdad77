"""Which thing it is, for what must not be kept alive and cannot be hashed.

As good as ``id()``, which is an audit event each time: whoever listens to those pays for each.
"""

from __future__ import annotations

identity = object.__hash__
