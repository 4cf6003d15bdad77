"""No workflow runs here, so what it would run is looked at, and what decides over the others is run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, NamedTuple

import gate
import pytest
import yaml
from miniature import repository_in
from projects import ROOT, read_projects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GITHUB = ROOT / ".github"
HATCH = tomllib.loads((ROOT / "hatch.toml").read_text("utf-8"))
FILES = sorted((GITHUB / "workflows").glob("*.yml"))
WORKFLOWS: dict[str, dict[str, Any]] = {file.stem: yaml.safe_load(file.read_text("utf-8")) for file in FILES}
JOBS = {(name, job): its for name, workflow in WORKFLOWS.items() for job, its in workflow["jobs"].items()}

by_job = pytest.mark.parametrize("job", JOBS.values(), ids=["-".join(each) for each in JOBS])


class Call(NamedTuple):
    """`hatch run env:script`, where it stands, and whether it is run in a package or at the root."""

    where: str
    environment: str
    script: str
    in_package: bool

    def is_known(self) -> bool:
        environments = HATCH["shared"]["envs"] if self.in_package else HATCH["envs"]
        scripts = environments.get(self.environment, {}).get("scripts", {})
        # Those of the packages inherit the scripts of the default one.
        return self.script in {*scripts, *(environments["default"]["scripts"] if self.in_package else ()), "python"}


def calls(where: str, text: str, *, in_package: bool = False) -> Iterator[Call]:
    for match in re.finditer(r"\bhatch run (?:[+-]py=\S+ )?(?:([\w-]+):)?([\w-]+)", text):
        yield Call(where, match[1] or "default", match[2], in_package)


def all_calls() -> Iterator[Call]:
    for (name, job), its in JOBS.items():
        for step in its["steps"]:
            yield from calls(f"{name}.yml, {job}", step.get("run", ""), in_package="working-directory" in step)
    for file in (ROOT / ".ci" / "run", ROOT / ".pre-commit-config.yaml", GITHUB / "PULL_REQUEST_TEMPLATE.md"):
        yield from calls(file.name, file.read_text("utf-8"))
    for line in (GITHUB / "CONTRIBUTING.md").read_text("utf-8").splitlines():
        yield from calls("CONTRIBUTING.md", line, in_package="cd packages/" in line)
    for name, its in HATCH["envs"].items():
        for script in its.get("scripts", {}).values():
            text = script if isinstance(script, str) else "\n".join(script)
            yield from calls(f"hatch.toml, {name}", text, in_package="monorepo.py each" in text)


def test_every_command_exists() -> None:
    """Hatch takes an unknown script for a program of that name, and says only that there is none."""
    found = list(all_calls())
    assert len(found) > 30
    assert [each for each in found if not each.is_known()] == []


@pytest.mark.parametrize("text", ["hatch run tset", "hatch run repo:chek", "x && hatch run +py=3.13 al:test"])
def test_a_command_that_does_not_exist_is_noticed(text: str) -> None:
    """Misspelt, or renamed elsewhere."""
    assert [each.is_known() for each in calls("planted", text)] == [False]


def runs(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


@by_job
def test_nothing_is_pasted_into_a_script(job: dict[str, Any]) -> None:
    """What GitHub expands inside `run:` is program text, written by whoever named a branch; values come by `env:`."""
    assert [text for text in runs(job) if "${{" in text] == []


def test_an_action_is_the_same_everywhere() -> None:
    """By its full hash, with the version that it stands for; and so is hatch."""
    pins = re.findall(r"uses: (\S+)@(\S+)(.*)", "".join(file.read_text("utf-8") for file in FILES))
    assert [pin for pin in pins if not re.fullmatch(r"[0-9a-f]{40} # v[\d.]+", pin[1] + pin[2])] == []
    assert len(set(pins)) == len({pin[0] for pin in pins})
    assert len({workflow["env"]["HATCH_VERSION"] for workflow in WORKFLOWS.values()}) == 1


@by_job
def test_a_job_that_runs_suites_has_a_redis(job: dict[str, Any]) -> None:
    """Where CI is set they fail without one; GitHub sets it."""
    suites = r"hatch run (test$|\w+:test|each:|chaos|contract:(mutants|release)|release:check)"
    if re.search(suites, "\n".join(runs(job)), re.MULTILINE):
        assert any("redis-server" in text for text in runs(job))


# ------------------------------------------------------------ pull requests


def test_the_gate_waits_for_every_job() -> None:
    """One that it does not name could fail unseen."""
    jobs = WORKFLOWS["test"]["jobs"]
    assert sorted(jobs["gate"]["needs"]) == sorted(jobs.keys() - {"gate"})
    assert jobs["gate"]["if"] == "always()"


def test_the_gate_knows_which_jobs_the_plan_may_skip() -> None:
    """Those that go through the plan's packages; GitHub refuses a matrix without a value."""
    jobs = WORKFLOWS["test"]["jobs"]
    assert {name for name, job in jobs.items() if "if" in job} - {"gate"} == gate.PER_PACKAGE
    for name in gate.PER_PACKAGE:
        assert jobs[name]["if"] == "needs.plan.outputs.packages != '[]'"
        assert jobs[name]["strategy"]["matrix"]["package"] == "${{ fromJSON(needs.plan.outputs.packages) }}"


def test_every_supported_python_is_tested() -> None:
    """Those of `hatch run all:test`; the job then makes sure that it really is that one."""
    (row,) = HATCH["shared"]["envs"]["all"]["matrix"]
    assert JOBS["test", "suite"]["strategy"]["matrix"]["python"] == row["python"]
    assert JOBS["test", "suite"]["env"]["PYTHON"] == "${{ matrix.python }}"


def shell(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """As GitHub runs it."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_the_plan_hands_its_packages_on(tmp_path: Path) -> None:
    """The step's own words, in a repository where one package has changed."""
    repository = repository_in(tmp_path)
    ignored = shutil.ignore_patterns("tests", "__pycache__")
    shutil.copytree(GITHUB / "scripts", repository.root / ".github" / "scripts", ignore=ignored)
    base = repository.commit({})
    repository.commit({"packages/shop/src/shop.py": "changed"})
    (text,) = runs(JOBS["test", "plan"])
    output = tmp_path / "output"
    ran = shell(text, repository.root, BASE=base, GITHUB_OUTPUT=str(output))
    assert ran.returncode == 0, ran.stderr
    assert output.read_text() == 'packages=["packages/lonely", "packages/shop"]\n'


@pytest.mark.parametrize(("result", "code"), [("success", 0), ("failure", 1)])
def test_the_gate_opens_and_closes(result: str, code: int) -> None:
    """The step's own words, with what GitHub would give it."""
    (text,) = runs(JOBS["test", "gate"])
    needs = {job: {"result": "success", "outputs": {}} for job in JOBS["test", "gate"]["needs"]}
    needs["plan"]["outputs"] = {"packages": '["packages/shop"]'}
    needs["suite"]["result"] = result
    ran = shell(text, ROOT, NEEDS=json.dumps(needs))
    assert (ran.returncode, ran.stdout) == (code, "" if code == 0 else "gate: suite: failure; look at its log\n")


# ------------------------------------------------------------ releases


def test_the_tag_of_each_package_starts_its_release() -> None:
    """And the name of a branch or of another tag does not."""
    # PyYAML reads `on` as a truth value.
    (pattern,) = WORKFLOWS["release"][True]["push"]["tags"]  # type: ignore[index]
    assert [project.tag for project in read_projects() if not fnmatch(project.tag, pattern)] == []
    assert not any(fnmatch(other, pattern) for other in ("v1.0.0", "task-queue-next", "task-queue-version"))


def test_who_may_publish_runs_nothing_of_ours() -> None:
    """It takes the files that were tested, and the right to publish is all that it has."""
    build, publish = JOBS["release", "build"], JOBS["release", "publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert runs(publish) == []
    assert not any("checkout" in step["uses"] for step in publish["steps"])
    assert publish["needs"] == "build"
    assert publish["environment"]["name"] == "pypi-${{ needs.build.outputs.distribution }}"
    assert build["permissions"] == {"contents": "read"}


def test_a_release_is_checked_before_it_is_uploaded() -> None:
    """By the command that everybody can run; its outputs name what is taken."""
    (check,) = (step for step in JOBS["release", "build"]["steps"] if step.get("id") == "check")
    assert check["run"] == 'hatch run release:check "$GITHUB_REF_NAME" --output "$GITHUB_OUTPUT"'
    taken = next(step["with"]["path"] for step in JOBS["release", "build"]["steps"] if "upload" in step.get("uses", ""))
    checked = "${{ steps.check.outputs.folder }}/dist/checked"
    assert taken.splitlines() == [f"{checked}/*.whl", f"{checked}/*.tar.gz"]


# ------------------------------------------------------------ every night


@pytest.mark.parametrize("job", ["explore", "fuzz"])
def test_a_night_can_be_run_again(job: str) -> None:
    """The seed is printed in the very command that is run."""
    (text,) = (text for text in runs(JOBS["nightly", job]) if "SEED" in text)
    told, ran = text.strip().splitlines()
    assert told.removeprefix('echo "::notice::again: ').removesuffix('"') == ran.replace('"$SEED"', "$SEED")
    assert WORKFLOWS["nightly"]["env"]["SEED"] == "${{ inputs.seed || github.run_id }}"


def test_what_is_explored_is_there() -> None:
    """A selection that selects nothing ends the run; here before the night."""
    suites = "".join(file.read_text("utf-8") for file in ROOT.glob("packages/*/tests/test_*.py"))
    assert "@pytest.mark.explore" in suites
