"""Which keywords a method takes that says ``**kwargs``."""

from __future__ import annotations

import inspect
from typing import Any, NotRequired, TypedDict, Unpack

from shared_testing import mock_of


class Options(TypedDict):
    limit: int
    order: NotRequired[str]


class Client:
    def send(self, url: str, **options: Unpack[Options]) -> None: ...

    def get(self, url: str, **kwargs: Any) -> None:
        return self._request("GET", url, timeout=3, **kwargs)

    def _request(self, method: str, url: str, *, params: Any = None, timeout: float = 5) -> None: ...

    def changed(self, **kwargs: Any) -> None:
        kwargs.pop("own", None)
        return self._request("GET", "/", **kwargs)

    def elsewhere(self, **kwargs: Any) -> dict[str, Any]:
        return dict(**kwargs)


def keywords(name: str) -> list[str]:
    return list(inspect.signature(getattr(mock_of(Client), name)).parameters)


def test_keywords_that_are_only_handed_on() -> None:
    """Those of the method that gets them, without what it is given already."""
    assert keywords("get") == ["url", "params"]


def test_an_unpacked_typed_dict() -> None:
    """Its fields."""
    assert keywords("send") == ["url", "limit", "order"]


def test_what_is_used_otherwise_stays_open() -> None:
    """A keyword may be taken out before, or go anywhere."""
    assert keywords("changed") == ["kwargs"]
    assert keywords("elsewhere") == ["kwargs"]
