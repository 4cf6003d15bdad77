r"""Turn lines into the bytes of a file and back, losing nothing.

Only ``\n`` ends a line; ``str.splitlines`` would also cut at eight characters that are ordinary text. Reading takes
``\r\n`` for a line end too, so two contents need an escape, or they would not come back as they went in:

- a line that itself ends in ``\r`` is written with the line end ``\r\n``, of which a reader drops the ``\r\n``
  and nothing else;
- a file whose first line begins with U+FEFF gets a byte order mark in front, of which a reader drops the first.
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from file_handler.errors import LineError, NotAString, UndecodableText, UnencodableLine

BOM = codecs.BOM_UTF8

# Lines encoded in one go. Joining and encoding hold the interpreter: this bounds for how long.
BATCH = 8192

# Bytes decoded in one go. A piece of empty lines holds as many lines as it has bytes.
PIECE = 1 << 16

# Encodings that shift states (utf-7, hz), write "\n" as other bytes (utf-16) or read text as escapes change this.
_PROBE = "\r\n\\u0041+AGE-~{~"


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How text becomes bytes."""

    encoding: str = "utf-8"
    errors: str = "strict"

    def __post_init__(self) -> None:
        codecs.lookup_error(self.errors)
        if not _cuts_at_newlines(codecs.lookup(self.encoding).name):
            raise ValueError(
                f"encoding={self.encoding!r}: lines cannot be cut at the byte 0x0A in this encoding; "
                "use utf-8 (a byte order mark is dropped by itself), ascii, latin-1 or another superset of ASCII"
            )

    @property
    def has_bom(self) -> bool:
        return codecs.lookup(self.encoding).name == "utf-8"


def _cuts_at_newlines(encoding: str) -> bool:
    plain = _PROBE.encode("ascii")
    try:
        return _PROBE.encode(encoding) == plain and plain.decode(encoding) == _PROBE
    except (LookupError, ValueError):
        return False


def refuse_bare_text(lines: object, path: str) -> None:
    """Raise if `lines` is one text, or nothing that can be iterated."""
    if isinstance(lines, (str, bytes, bytearray)):
        raise NotAString(
            f"{path}: lines is one {type(lines).__name__}, which would be written one character a line; "
            "pass a list: [text], or text.split('\\n')"
        )
    if not isinstance(lines, (Iterable, AsyncIterable)):
        raise NotAString(f"{path}: lines is {type(lines).__name__}, which cannot be iterated; pass a list of str")


class LineEncoder:
    """Encodes the lines of one write, batch by batch, and knows the number of the line it has come to.

    `at_start` says that the first line will be the first of the file.
    """

    def __init__(self, text_format: TextFormat, path: str, *, at_start: bool = True) -> None:
        self._format = text_format
        self._path = path
        self._may_need_bom = at_start and text_format.has_bom
        self.count = 0

    def encode(self, lines: Sequence[str]) -> bytes:
        """The bytes of `lines`, each with its line end. Raises `LineError`, naming the line, if one is unfit."""
        if not lines:
            return b""
        try:
            text = "\n".join(lines)
        except TypeError:
            raise self._first_fault(lines) from None
        if text.count("\n") != len(lines) - 1:
            raise self._first_fault(lines)
        if "\r" in text:
            text = (text + "\n").replace("\r\n", "\r\r\n")[:-1]
        try:
            data = text.encode(self._format.encoding, self._format.errors)
        except UnicodeEncodeError:
            raise self._first_fault(lines) from None
        if self._may_need_bom and data.startswith(BOM):
            data = BOM + data
        self._may_need_bom = False
        self.count += len(lines)
        return data + b"\n"

    def _first_fault(self, lines: Sequence[object]) -> LineError:
        for number, line in enumerate(lines, self.count + 1):
            fault = self._fault(number, line)
            if fault is not None:
                return fault
        return LineError(f"{self._path}: lines changed while they were being written; nothing was written")

    def _fault(self, number: int, line: object) -> LineError | None:
        place = f"{self._path}: line {number}"
        if not isinstance(line, str):
            return NotAString(f"{place} is {type(line).__name__}, not str; nothing was written")
        if "\n" in line:
            at = line.index("\n")
            return LineError(
                f"{place} holds a line break at character {at} and would come back as two lines; "
                "split it or escape it; nothing was written"
            )
        try:
            line.encode(self._format.encoding, self._format.errors)
        except UnicodeEncodeError as error:
            what = f"{line[error.start]!r} at character {error.start}"
            return UnencodableLine(
                f"{place} cannot be written as {self._format.encoding}: {what} ({error.reason}); nothing was written",
                error,
            )
        return None


def encode_all(lines: Sequence[str], encoder: LineEncoder) -> Iterator[bytes]:
    """The bytes of `lines`, some thousand lines at a time."""
    return (encoder.encode(lines[at : at + BATCH]) for at in range(0, len(lines), BATCH))


class LineDecoder:
    """Cuts the blocks of one file into lines, in order."""

    def __init__(self, text_format: TextFormat, path: str) -> None:
        self._format = text_format
        self._path = path
        self._carry: list[bytes] = []
        self._offset = 0
        self._lines = 0
        self._at_start = True

    def feed(self, block: bytes) -> Iterator[list[str]]:
        """The lines that `block` completes, a list for each piece of it. To be exhausted before the next block."""
        start = 0
        for end in range(PIECE, len(block) + PIECE, PIECE):
            cut = block.rfind(b"\n", start, end) + 1
            if not cut:
                continue
            if self._carry:
                whole = b"".join((*self._carry, memoryview(block)[start:cut]))
                self._carry = []
                yield self._lines_of(whole, 0, len(whole))
            else:
                yield self._lines_of(block, start, cut)
            start = cut
        if start < len(block):
            self._carry.append(block[start:])

    def finish(self) -> list[str]:
        """The last line, if it has no line end."""
        rest = b"".join(self._carry)
        self._carry = []
        text = self._decode(rest, 0, len(rest))
        # A file of nothing but a byte order mark has no lines.
        return [text] if text else []

    def _lines_of(self, data: bytes, start: int, end: int) -> list[str]:
        lines = self._decode(data, start, end).split("\n")
        lines.pop()
        self._lines += len(lines)
        return lines

    def _decode(self, data: bytes, start: int, end: int) -> str:
        if self._at_start and data:
            self._at_start = False
            if self._format.has_bom and data.startswith(BOM):
                start += len(BOM)
                self._offset += len(BOM)
        try:
            # Through a memoryview the piece is not copied before it is decoded.
            text = str(memoryview(data)[start:end], self._format.encoding, self._format.errors)
        except UnicodeDecodeError as error:
            raise self._explain(error, data[start:end]) from None
        self._offset += end - start
        # Asked of the bytes: one memchr, where a search for "\r\n" costs more than the split.
        return text.replace("\r\n", "\n") if data.find(b"\r", start, end) >= 0 else text

    def _explain(self, error: UnicodeDecodeError, data: bytes) -> UndecodableText:
        offset = self._offset + error.start
        line = self._lines + data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        return UndecodableText(
            f"{self._path} is not {self._format.encoding}: byte 0x{byte:02x} at offset {offset}, line {line} "
            f"({error.reason}); give AsyncFileHandler the file's encoding=, or errors='replace'",
            error,
            offset=offset,
            line=line,
        )
