"""The bad days of the fake server."""

from __future__ import annotations

from collections import Counter

import pytest

from shared_testing.fakes.weather import Weather


def test_fair_weather_is_the_default() -> None:
    """Without a word nothing goes wrong and nothing takes time."""
    weather = Weather()
    assert {weather.mishap() for _ in range(100)} == {None}
    assert weather.delay() == 0


def test_shares_are_met() -> None:
    """A share of the requests is that share of the requests."""
    weather = Weather(throttled=0.1, broken=0.2, reset=0.3, seed=7)
    met = Counter(weather.mishap() for _ in range(10_000))
    shares = [round(met[name] / 10_000, 1) for name in ("throttled", "broken", "reset", None)]
    assert shares == [0.1, 0.2, 0.3, 0.4]


def test_the_same_seed_gives_the_same_weather() -> None:
    """A bad day can be replayed."""
    days = [[Weather(latency=1, broken=0.5, seed=seed).delay() for _ in range(2)] for seed in (1, 1, 2)]
    assert days[0] == days[1] != days[2]


@pytest.mark.parametrize("shares", [{"broken": 0.6, "reset": 0.6}, {"broken": -0.1}])
def test_shares_add_up_to_at_most_one(shares: dict[str, float]) -> None:
    """More mishaps than requests cannot be drawn."""
    with pytest.raises(ValueError, match="shares of the requests"):
        Weather(broken=shares["broken"], reset=shares.get("reset", 0.0))


def test_latency_is_not_negative() -> None:
    """No server answers before it is asked."""
    with pytest.raises(ValueError, match="give 0 or more seconds"):
        Weather(latency=-1)
