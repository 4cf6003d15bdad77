"""How the tests are spread when several processes run them: `hatch run test` at the root and in shared_testing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# The tests of each share what takes half a minute to make, mostly of waiting. They begin first.
TOGETHER = ("shared_testing/tests/test_corpus.py", ".github/scripts/tests/test_chaos.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """One test at a time to whoever is free."""
    from xdist.scheduler import LoadScopeScheduling

    class OneByOne(LoadScopeScheduling):
        # What has the same scope stays in one process, and the largest scope begins. (With `--dist loadgroup` and its
        # marks xdist 3.8 groups nothing on pytest 9.2: it writes to an attribute that is no more.)
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in TOGETHER else nodeid

    return OneByOne(config, log)
