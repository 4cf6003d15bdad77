"""A timeline as a picture: one lane for each task, one box for each step."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared_testing.exploration.timeline import Step, Timeline

_LANE, _ROW, _TOP, _LEFT = 260, 26, 40, 90
_FONT = 'font-family="monospace" font-size="11"'


def as_svg(timeline: Timeline) -> str:
    """From top to bottom in the order in which they ran; what deviates from asyncio's own order is filled."""
    names = timeline.names()
    lanes = {number: at for at, number in enumerate(names)}
    width, height = _LEFT + _LANE * max(1, len(lanes)), _TOP + _ROW * (len(timeline.steps) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {_FONT}>',
        *(_text(_LEFT + _LANE * lanes[number], 18, name, "bold") for number, name in names.items()),
        *(_box(step, _LEFT + _LANE * lanes[step.number], _TOP + _ROW * row) for row, step in enumerate(timeline.steps)),
        "</svg>",
    ]
    return "\n".join(parts)


def as_html(timeline: Timeline) -> str:
    """The picture on a page of its own."""
    head = '<!doctype html><meta charset="utf-8"><title>schedule</title>'
    return f"{head}\n{as_svg(timeline)}\n"


def _box(step: Step, x: int, y: int) -> str:
    fill, stroke = ("#ffd9b3", "#c60") if step.deviates else ("#eef3fb", "#68a")
    said = f"{step.ends.line}: {step.ends.source}" if step.ends is not None else "ends"
    where = f"<title>{escape(str(step.ends or step.begins or step.task))}</title>"
    box = f'<rect x="{x}" y="{y}" width="{_LANE - 12}" height="{_ROW - 4}" rx="3" fill="{fill}" stroke="{stroke}"/>'
    moment = _text(4, y + 15, f"{step.at:.4f}s")
    return f"<g>{where}{box}{_text(x + 5, y + 15, said[:38])}{moment}</g>"


def _text(x: int, y: int, text: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(text)}</text>'
