r"""Lines to bytes and back: the round trip, the line ends, the byte order mark, the faults."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from file_handler import LineError, NotAString, UndecodableText, UnencodableLine, lines
from file_handler.lines import LineDecoder, LineEncoder, TextFormat, refuse_bare_text

CHARACTERS = st.characters(exclude_characters="\n", exclude_categories=["Cs"]) | st.sampled_from(
    "\r\ufeff\x0b\x85\u2028"
)
LINES = st.lists(st.text(CHARACTERS, max_size=8), max_size=12)


def decode(data: bytes, text_format: TextFormat | None = None, block: int = 1 << 20) -> list[str]:
    decoder = LineDecoder(text_format or TextFormat(), "f")
    found = [
        line for at in range(0, len(data), block) for lines in decoder.feed(data[at : at + block]) for line in lines
    ]
    return found + decoder.finish()


def encode(content: list[Any], text_format: TextFormat | None = None) -> bytes:
    return LineEncoder(text_format or TextFormat(), "f").encode(content)


@given(LINES)
def test_every_list_of_lines_comes_back(content: list[str]) -> None:
    r"""Whatever stands in the lines, except "\n", is read as it was written. (F1, F3)"""
    assert decode(encode(content)) == content


@given(LINES, LINES, st.integers(1, 9), st.integers(1, 9))
def test_batches_and_blocks_leave_no_trace(first: list[str], second: list[str], block: int, piece: int) -> None:
    """Where the writer cuts its batches and the reader its blocks and pieces changes nothing."""
    encoder = LineEncoder(TextFormat(), "f")
    data = encoder.encode(first) + encoder.encode(second)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "PIECE", piece)
        assert decode(data, block=block) == first + second
    assert encoder.count == len(first) + len(second)


@pytest.mark.parametrize("separator", list("\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029\r"))
def test_what_splitlines_would_cut_at_is_text(separator: str) -> None:
    r"""Only "\n" ends a line. (F1)"""
    assert decode(encode([f"a{separator}b"])) == [f"a{separator}b"]


@pytest.mark.parametrize(
    ("content", "data"),
    [
        ([], b""),
        ([""], b"\n"),
        (["", ""], b"\n\n"),
        (["a", ""], b"a\n\n"),
        (["a\r", "\r", "b"], b"a\r\r\n\r\r\nb\n"),
        (["\ufeffa", "\ufeffb"], b"\xef\xbb\xbf\xef\xbb\xbfa\n\xef\xbb\xbfb\n"),
    ],
)
def test_each_line_has_its_own_end(content: list[str], data: bytes) -> None:
    r"""Every line ends with "\n", so lists that differ are files that differ. (F3)"""
    assert encode(content) == data
    assert decode(data) == content


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\n\r\nb", ["a", "", "b"]),
        (b"a\rb\n", ["a\rb"]),
        (b"a\r", ["a\r"]),
        (b"\xef\xbb\xbfa\r\n", ["a"]),
        (b"\xef\xbb\xbf", []),
        (b"\xef\xbb\xbf\n", [""]),
        (b"a\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"a", ["a"]),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 100])
def test_files_of_other_programs_are_understood(data: bytes, content: list[str], block: int) -> None:
    """CRLF ends a line, a byte order mark is dropped, a missing last line end is no loss. (F8)"""
    assert decode(data, block=block) == content


@pytest.mark.parametrize("bad", [5, None, b"x", ["x"]])
def test_an_item_that_is_no_string_is_named(bad: object) -> None:
    """The error says which line and what it is. (F5)"""
    encoder = LineEncoder(TextFormat(), "/data/f")
    encoder.encode(["a", "b"])
    with pytest.raises(NotAString, match=rf"/data/f: line 4 is {type(bad).__name__}, not str"):
        encoder.encode(["c", bad])  # type: ignore[list-item]


@pytest.mark.parametrize("bad", ["a\nb", "\n", "a\n", "\r\n"])
def test_a_line_break_inside_a_line_is_refused(bad: str) -> None:
    """It would come back as two lines. (F1)"""
    with pytest.raises(LineError, match="line 2 holds a line break at character"):
        encode(["fine", bad])


def test_a_character_without_bytes_is_named() -> None:
    """The error is the UnicodeEncodeError one expects, and says where. (F5)"""
    with pytest.raises(UnicodeEncodeError, match="line 2 cannot be written as utf-8") as caught:
        encode(["x", "ab\ud800"])
    assert isinstance(caught.value, UnencodableLine)
    assert caught.value.start == 2
    with pytest.raises(UnencodableLine, match="ascii"):
        encode(["é"], TextFormat("ascii"))


@pytest.mark.parametrize("text", ["abc", b"bytes", bytearray(b"more bytes"), "", 5, None])
def test_one_text_is_not_a_list_of_lines(text: object) -> None:
    """A bare string would be written one character a line. (F11)"""
    with pytest.raises(TypeError, match="f: lines is"):
        refuse_bare_text(text, "f")


@pytest.mark.parametrize("block", [1, 3, 100])
def test_bytes_that_are_no_text_are_located(block: int) -> None:
    """The error names the file, the offset in it and the line."""
    with pytest.raises(UndecodableText, match="f is not utf-8: byte 0xff at offset 9, line 3") as caught:
        decode(b"\xef\xbb\xbfa\nbc\nd\xffe\nf\n", block=block)
    assert (caught.value.offset, caught.value.line) == (9, 3)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "shift_jis", "gb18030", "euc_kr"])
def test_supersets_of_ascii_are_supported(encoding: str) -> None:
    """Their lines can be cut at the byte 0x0A."""
    text_format = TextFormat(encoding)
    assert decode(encode(["a\r", "", "~"], text_format), text_format) == ["a\r", "", "~"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le", "utf-7", "utf-8-sig", "cp037", "base64", "hz"])
def test_encodings_that_cannot_be_cut_are_refused(encoding: str) -> None:
    """Rather than read as garbage."""
    with pytest.raises(ValueError, match="use utf-8"):
        TextFormat(encoding)


def test_unknown_names_are_refused_at_once() -> None:
    """A misspelt encoding or error handler is found before a file is touched."""
    with pytest.raises(LookupError):
        TextFormat("utf-9")
    with pytest.raises(LookupError):
        TextFormat(errors="strikt")


def test_an_error_handler_is_used_both_ways() -> None:
    """errors= means what it means to open()."""
    text_format = TextFormat(errors="surrogateescape")
    assert encode(decode(b"a\xff\n", text_format), text_format) == b"a\xff\n"
