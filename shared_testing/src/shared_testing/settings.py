"""What the user has chosen: ini file and command line, as one frozen value."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Mode = Literal["error", "warn", "off"]
MODES: tuple[Mode, ...] = get_args(Mode)


class Settings(NamedTuple):
    """`findings`: what a finding does to its test. `disabled`: the codes that are not looked for."""

    findings: Mode = "error"
    disabled: frozenset[str] = frozenset()
    step_seconds: float = 0.2
    """How much CPU time one step on the loop may take (AT202)."""
    block_seconds: float = 0.1
    """How long a step may wait in a call that no rule knows by name, such as a slow disk's (AT201)."""
    strict_state: bool = False
    """Whether a test that leaves a changed global behind fails by that alone (AT501)."""


class SettingsError(Exception):
    """A setting that cannot be meant; the text names what exists."""


def read_mode(value: str) -> Mode:
    if value not in MODES:
        raise SettingsError(f"findings = {value!r}: choose one of {', '.join(MODES)}")
    return value


def read_codes(values: list[str], known: frozenset[str]) -> frozenset[str]:
    codes = frozenset(values)
    if unknown := sorted(codes - known):
        raise SettingsError(f"findings_disable names {', '.join(unknown)}; the rules are {', '.join(sorted(known))}")
    return codes


def read_seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise SettingsError(f"{name} = {value!r}: give seconds above 0")
    return seconds
