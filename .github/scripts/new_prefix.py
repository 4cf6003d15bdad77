"""A prefix of your own for the names of the distributions.

    hatch run new:prefix acme

The names of the packages here begin with it then, wherever a file says one: metadata, dependencies, extras, documents,
workflows, messages; with underscores too, as wheels are called. Nothing else changes: no folder, no module, no tag, and
not the word by itself, which names the project, its authors, and the keys that RedisQueue has written to a server.
Files that are not committed yet are renamed like the others. The way back is the same command with the old prefix.
"""

from __future__ import annotations

import re
import signal
import sys
from typing import TYPE_CHECKING

from distribution_prefix import prefix_of
from project_files import files
from projects import ROOT, read_projects
from service_name import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# As PEP 503 writes a name: an index would take any other spelling for this one.
PREFIX = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def check_prefix(prefix: str) -> None:
    """Raises :exc:`Refused`, with the cause and what to do."""
    if not PREFIX.fullmatch(prefix):
        like = re.sub(r"[^a-z0-9]+", "-", prefix.lower()).strip("-")
        raise Refused(
            f"{prefix!r} cannot be a prefix: it takes lower-case letters and digits, and single hyphens between them"
            + (f"; {like}, say" if like else "")
        )


def rename(new: str, root: Path = ROOT) -> dict[str, int]:
    """How many names were replaced in each file. All files are written or, if anything ends this early, none."""
    names = {
        f"{old}-{stem}".replace("-", hyphen): f"{new}-{stem}".replace("-", hyphen)
        for old in old_prefixes(root) - {new}
        # "*" for all of them, as Dependabot may be told.
        for stem in (*(stem_of(each.folder) for each in read_projects(root)), "*")
        # As an index writes it, and as the file of a wheel does.
        for hyphen in "-_"
    }
    before, after, counts = {}, {}, {}
    for file in files(root) if names else ():
        text = text_of(file)
        renamed, count = any_of(names).subn(lambda match: names[match[0]], text)
        if count:
            before[file], after[file], counts[file.relative_to(root).as_posix()] = text, renamed, count
    try:
        write(after)
    except BaseException:
        write(before)
        raise
    return counts


def old_prefixes(root: Path) -> set[str]:
    """Several where a branch came in that was begun before the last rename. A project without a prefix keeps its name:
    it is a word like others.
    """
    named = [(each.name, f"-{stem_of(each.folder)}") for each in read_projects(root)]
    return {name.removesuffix(stem) for name, stem in named if name.endswith(stem)}


def stem_of(project: Path) -> str:
    return project.name.replace("_", "-")


def any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Matches each of these; nothing in a longer word, or in the name of something else that begins like one.

    A version may follow: ``task_queue-0.1.0``.
    """
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9]|[-_][A-Za-z])")


def write(texts: dict[Path, str]) -> None:
    for file, text in texts.items():
        file.write_bytes(text.encode())


def text_of(file: Path) -> str:
    """Empty if it is no text."""
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        return ""


def main(arguments: list[str], root: Path = ROOT) -> int:
    if len(arguments) != 1:
        given = f"{len(arguments)} prefixes ({', '.join(arguments)})" if arguments else "no prefix"
        print(f"new:prefix takes one prefix and was given {given}: hatch run new:prefix acme", file=sys.stderr)
        return 2
    (new,) = arguments
    try:
        check_prefix(new)
        old = prefix_of(root)
        counts = rename(new, root)
    except ValueError as refused:
        print(f"new:prefix: {refused}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("new:prefix was interrupted: nothing was renamed", file=sys.stderr)
        return 130
    if not counts:
        print(f"nothing to do: the distributions carry the prefix {new} already")
        return 0
    for file, count in counts.items():
        print(f"{count:4} in {file}")
    back = f"; the way back: new:prefix {old}" if old != new else ""
    print(f"{sum(counts.values())} names in {len(counts)} files begin with {new} now{back}")
    print("next: hatch run fix, as lines have another length now, and hatch run test")
    return 0


if __name__ == "__main__":
    # What is ended politely tidies up, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
