"""The page: a template, a style, scripts, and what they show as one blob of JSON.

Names of tests and tasks, messages and source lines are anybody's text. None of it becomes markup: it travels in the
blob, in which no tag can begin, and the scripts only ever put it where a browser takes it for text. The page's policy
forbids every load, and every script and style but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

# In the order in which they need each other.
_SCRIPTS = ("elements.js", "lanes.js", "tasks.js", "findings.js", "list.js", "page.js")

# What is not seen, or turns the reading direction round: control characters but for tab and newline, halves of
# surrogate pairs, marks of direction, zero-width characters, separators of lines.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def document(data: dict[str, Any], title: str) -> str:
    """The whole page."""
    style, script = _part("page.css"), "\n".join(_part(name) for name in _SCRIPTS)
    parts = {
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        "title": _for_markup(visible(title)),
        "style": style,
        "script": script,
        "data": blob(data),
    }
    # In one go: what is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("page.html"))


def blob(data: object) -> str:
    """JSON for a script element: it holds no character with which markup could begin or end."""
    text = json.dumps(_seen(data), separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def visible(text: str) -> str:
    """With a name in the place of each character that would not be seen, or would hide others."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _seen(data: Any) -> Any:
    if isinstance(data, str):
        return visible(data)
    if isinstance(data, dict):
        return {visible(str(key)): _seen(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_seen(each) for each in data]
    return data


def _for_markup(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


@cache
def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8").strip()


def _hash(text: str) -> str:
    """How a policy names a script or style by its text, as it stands between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
