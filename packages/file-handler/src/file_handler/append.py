"""Add lines to the end of a file, all of them or none."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from file_handler import append_journal, side_car
from file_handler.atomic_write import AtomicWrite, write_all
from file_handler.errors import naming
from file_handler.lines import BOM, LineEncoder, TextFormat, encode_all
from file_handler.regular_file import open_in

if TYPE_CHECKING:
    from collections.abc import Sequence


class Append(AtomicWrite):
    """One batch for the end of one file: `enter`, `begin`, `append`, `discard`.

    A file that does not exist yet is made by an atomic write.
    """

    _target: int | None = None

    def begin(self) -> None:
        """Lock the side-car and open the file."""
        with naming(self.path):
            if self._look_at_target() is None:
                super().begin()
            else:
                self._draft = self.claim(0o600)
            with suppress(FileNotFoundError):
                self._target = open_in(self.place, os.O_RDWR | os.O_APPEND)

    def append(self, lines: Sequence[str], text_format: TextFormat) -> None:
        """Write the lines in one go; on any error the file is as long as it was."""
        with naming(self.path):
            if self._target is None:
                self.write_each(encode_all(lines, LineEncoder(text_format, self.path)))
                self.commit()
            elif lines:
                self._append_to(self._target, lines, text_format)

    def _append_to(self, target: int, lines: Sequence[str], text_format: TextFormat) -> None:
        status = os.fstat(target)
        encoder = LineEncoder(text_format, self.path, at_start=status.st_size == 0)
        batch = [_missing_line_end(target, status.st_size, text_format), *encode_all(lines, encoder)]
        # Short batches, the rule, are joined to be one write each.
        if len(batch) == 2:
            batch = [batch[0] + batch[1]]
        write_all(self._draft, append_journal.header(status, sum(map(len, batch))))
        for data in batch:
            write_all(self._draft, data)
        self.decide()
        try:
            for data in batch:
                write_all(target, data)
            if self._durable:
                os.fsync(target)
        except BaseException:
            os.ftruncate(target, status.st_size)
            raise
        side_car.dismiss(self.place, self._draft)

    def discard(self) -> None:
        target, self._target = self._target, None
        if target is not None:
            with suppress(OSError):
                os.close(target)
        super().discard()


def _missing_line_end(target: int, size: int, text_format: TextFormat) -> bytes:
    r"""What the last line lacks to be one. After a lone ``\r``, which is text, that is the longer line end."""
    end = os.pread(target, len(BOM), max(0, size - len(BOM)))
    if not end or end.endswith(b"\n") or (size == len(BOM) and end == BOM and text_format.has_bom):
        return b""
    return b"\r\n" if end.endswith(b"\r") else b"\n"
