"""The errors are what one would expect to catch, and name what the caller named."""

from __future__ import annotations

import errno

import pytest

import file_handler
from file_handler import errors


@pytest.mark.parametrize(
    ("error", "built_in"),
    [
        (errors.LineError, ValueError),
        (errors.NotAString, TypeError),
        (errors.UnencodableLine, UnicodeEncodeError),
        (errors.UndecodableText, UnicodeDecodeError),
        (errors.OutsideRoot, PermissionError),
        (errors.SpecialFile, OSError),
        (errors.HandlerClosed, RuntimeError),
        (errors.WriteInsideWrite, RuntimeError),
    ],
)
def test_each_error_is_the_built_in_one_too(error: type[Exception], built_in: type[Exception]) -> None:
    """So code that knows nothing of this package catches it."""
    assert issubclass(error, built_in)
    assert issubclass(error, errors.FileHandlerError)


def test_an_os_error_names_the_callers_path() -> None:
    """Not the side-car, nor both names of a rename."""
    with pytest.raises(PermissionError) as caught, errors.naming("/mine"):
        raise OSError(errno.EACCES, "Permission denied", ".x.fh-draft", None, "x")
    assert str(caught.value) == "[Errno 13] Permission denied: '/mine'"


def test_the_public_names_are_sorted_and_exist() -> None:
    """What can be raised can be imported."""
    assert file_handler.__all__ == sorted(file_handler.__all__)
    assert all(hasattr(file_handler, name) for name in file_handler.__all__)
