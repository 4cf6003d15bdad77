"""A timeline as a picture: a lane for each task, a box for each step."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from shared_testing.exploration.lanes import lanes_of

if TYPE_CHECKING:
    from shared_testing.exploration.lanes import Box, Lanes
    from shared_testing.exploration.timeline import Timeline

_COLUMN, _BOX, _ROW, _HEIGHT, _TOP, _LEFT = 150, 142, 46, 34, 30, 190
_MOST_NAME, _MOST_TEXT = 26, 20
_STYLE = """
svg { font: 11px monospace; background: #fff } text { fill: #1c1e21 } .quiet { fill: #62666d }
rect { fill: #dde5f3; stroke: #4a6fb5 } .reads rect { fill: #d8f0ec; stroke: #0f766e }
.writes rect { fill: #f2e0f8; stroke: #8b2fb0 } .deviates rect { stroke: #b45309; stroke-width: 3 }
line { stroke: #e2e2dd } .wait { stroke: #62666d; stroke-dasharray: 1 4 }
"""


def as_svg(timeline: Timeline) -> str:
    """From left to right in the order in which they ran; what deviates from asyncio's own order has a thick edge."""
    lanes = lanes_of(timeline)
    width, height = _LEFT + round(lanes.columns * _COLUMN), _TOP + _ROW * max(1, len(lanes.rows))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
        f"<style>{_STYLE}</style>",
        *(_lane(row, name, width) for row, name in enumerate(lanes.rows)),
        *(_text(_x(column), 14, f"{at:.4f}s", "quiet") for column, at in lanes.moments),
        *_waits(lanes),
        *(_step(box) for box in lanes.boxes),
        "</svg>",
    ]
    return "\n".join(parts)


def as_html(timeline: Timeline) -> str:
    """The same on a page of its own, drawn as on that of ``--findings-html``."""
    from shared_testing.page.document import document
    from shared_testing.page.schedules import timeline_data

    return document({"schedule": timeline_data(timeline)}, "a schedule")


def _x(column: float) -> int:
    return _LEFT + round(column * _COLUMN)


def _lane(row: int, name: str, width: int) -> str:
    middle = _TOP + row * _ROW + _HEIGHT // 2
    line = f'<line x1="{_LEFT}" x2="{width}" y1="{middle}" y2="{middle}"/>'
    return line + _text(4, middle + 4, name, most=_MOST_NAME)


def _waits(lanes: Lanes) -> list[str]:
    middles = [(row, _TOP + row * _ROW + _HEIGHT // 2, begins, ends) for row, begins, ends in lanes.waits]
    return [
        f'<line class="wait" x1="{_x(begins) - _COLUMN + _BOX}" x2="{_x(ends)}" y1="{middle}" y2="{middle}"/>'
        for _, middle, begins, ends in middles
    ]


def _step(box: Box) -> str:
    x, y = _x(box.column), _TOP + box.row * _ROW
    touch = box.touches[-1] if box.touches else ""
    kind = f"{'deviates ' if box.deviates else ''}{touch.partition(' ')[0]}"
    told = f"{box.begins}  ->  {box.ends}\n{box.where}"
    rect = f'<rect x="{x}" y="{y}" width="{_BOX}" height="{_HEIGHT}" rx="4"/>'
    lines = _text(x + 5, y + 14, box.ends, most=_MOST_TEXT) + _text(x + 5, y + 28, touch, "quiet", most=_MOST_TEXT)
    return f'<g class="{kind}"><title>{_safe(told)}</title>{rect}{lines}</g>'


def _text(x: int, y: int, text: str, kind: str = "", most: int = 80) -> str:
    shown = text if len(text) <= most else f"{text[: most - 1]}…"
    return f'<text x="{x}" y="{y}" class="{kind}">{_safe(shown)}</text>'


def _safe(text: str) -> str:
    from shared_testing.page.document import visible

    return escape(visible(text))
