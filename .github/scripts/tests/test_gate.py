"""The one required check says no more and no less than all the others together."""

from __future__ import annotations

from typing import Any

import pytest
from gate import PER_PACKAGE, complaints

JOBS = ("plan", "suite", "oldest", "wheel", "whole", "checks")


def needs(packages: str = '["packages/shop"]', **results: str) -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {job: {"result": results.get(job, "success"), "outputs": {}} for job in JOBS}
    made["plan"]["outputs"] = {"packages": packages}
    return made


def test_it_opens_when_all_succeeded() -> None:
    """Nothing to say."""
    assert complaints(needs()) == []


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("result", ["failure", "cancelled"])
@pytest.mark.parametrize("packages", ["[]", '["packages/shop"]'])
def test_a_job_that_failed_or_was_cancelled_closes_it(job: str, result: str, packages: str) -> None:
    """Also one that need not have run."""
    assert complaints(needs(packages, **{job: result})) == [f"{job}: {result}; look at its log"]


@pytest.mark.parametrize("job", JOBS)
def test_a_skipped_job_closes_it_when_the_plan_asked_for_it(job: str) -> None:
    """GitHub itself takes a skipped check for a passed one."""
    (said,) = complaints(needs(**{job: "skipped"}))
    assert said.startswith(f"{job} was skipped, though the plan")


def test_the_suites_of_packages_are_skipped_when_the_plan_named_none() -> None:
    """And nothing else is."""
    assert complaints(needs("[]", **dict.fromkeys(PER_PACKAGE, "skipped"))) == []
    assert len(complaints(needs("[]", **dict.fromkeys(JOBS, "skipped")))) == len(set(JOBS) - PER_PACKAGE)


def test_a_plan_without_a_result_closes_it() -> None:
    """A job that fails gives no outputs, and what was skipped for it is no success."""
    made = needs(plan="failure", **dict.fromkeys(PER_PACKAGE, "skipped"))
    made["plan"]["outputs"] = {}
    assert len(complaints(made)) == 2 + len(PER_PACKAGE)
    del made["plan"]
    assert "the gate does not wait for the job plan: add it to its `needs`" in complaints(made)
