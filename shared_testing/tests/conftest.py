from __future__ import annotations

import pytest

# They stand in the environment for test_works_with.py alone, which asks for them by name.
_STRANGERS = ("randomly", "timeout", "xdist", "xdist.looponfail")


@pytest.fixture(autouse=True)
def as_on_a_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest and the plugin print more where they take themselves to be on a CI machine: here text is compared."""
    for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Runs pytest without the plugins of strangers, unless the test names one with ``-p``."""
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in _STRANGERS))
    return pytester
