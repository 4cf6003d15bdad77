"""`hatch run release:check`, but for the build and the suites."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import artifacts
import pytest
import release_check
from miniature import Repository, package, repository_in
from releases import Unknown

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Its packages build, and pass."""
    made = repository_in(tmp_path)
    monkeypatch.setattr(release_check, "read_projects", made.projects)
    monkeypatch.setattr(artifacts, "toolkit_of", lambda projects: "acme-shared-testing")
    monkeypatch.setattr(artifacts, "checked", lambda *_: (tmp_path, []))
    monkeypatch.setattr(release_check, "run_suite", lambda *_: [])
    return made


def chosen(repository: Repository, *words: str) -> list[str]:
    return [each.folder.name for each in release_check.choose(list(words), repository.projects())]


def test_without_a_name_all_that_wait_are_checked(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """In the order in which they must be released; of the others it is said how they stand."""
    assert set(chosen(repository)) == {"shared_testing", "files", "queue", "shop", "lonely"}
    repository.git("tag", "files-v1.0.0")
    repository.git("tag", "lonely-v1.0.0")
    repository.commit({"packages/lonely/src/lonely.py": "more"})
    waiting = chosen(repository)
    assert set(waiting) == {"shared_testing", "queue", "shop"}
    assert waiting.index("queue") < waiting.index("shop")
    said = capsys.readouterr().out.splitlines()
    assert "files 1.0.0 is released, and has not changed since" in said
    assert "lonely 1.0.0 is released; 1 files have changed since: raise its version to release them" in said


def test_those_that_are_named_are_sorted_too(repository: Repository) -> None:
    """Whoever names two need not know their order."""
    assert chosen(repository, "shop", "acme-files", "queue-v1.0.0") == ["files", "queue", "shop"]


def test_the_whole_of_it(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """What is in order ends with the commands that release it, what is not with what to do."""
    assert release_check.main(["queue", "files"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "order: files 1.0.0, queue 1.0.0",
        "== files 1.0.0",
        "   version, changelog and tag agree",
        "   built twice, the same bytes; metadata, licence, types and README are in order",
        "   ready: git tag files-v1.0.0 && git push origin files-v1.0.0",
        "== queue 1.0.0",
        "   version, changelog and tag agree",
        "   release files 1.0.0 first",
        "   built twice, the same bytes; metadata, licence, types and README are in order",
        "   ready: git tag queue-v1.0.0 && git push origin queue-v1.0.0",
    ]


def test_a_tag_that_was_pushed_needs_its_siblings_released(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody would install it, and get nothing; the workflow learns which folder it is."""
    output = tmp_path / "output"
    repository.git("tag", "queue-v1.0.0")
    assert release_check.main(["queue-v1.0.0"]) == 1
    assert capsys.readouterr().err == (
        "release:check: packages/queue needs acme-files~=1.0: release files 1.0.0 first, tag files-v1.0.0\n"
    )
    repository.git("tag", "files-v1.0.0")
    assert release_check.main(["queue-v1.0.0", "--output", str(output)]) == 0
    assert output.read_text() == "folder=packages/queue\ndistribution=acme-queue\n"
    assert "ready: " not in capsys.readouterr().out


def test_nothing_is_built_of_a_version_that_must_change(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would take a minute, for something else than what is released."""
    monkeypatch.setattr(artifacts, "checked", lambda *_: pytest.fail("it was built"))
    files = package("shop", "1.0.1")
    del files["packages/shop/CHANGELOG.md"]
    repository.commit(files)
    assert release_check.main(["shop"]) == 1
    assert "its first section is 1.0.0, the version is 1.0.1; " in capsys.readouterr().err


def test_a_file_that_differs_from_what_was_tested_is_named(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git ignores it, the builder does not: nobody else has it."""
    monkeypatch.undo()
    project = repository.project("shop")
    tested, looked_at = project.folder / "dist" / "checked", tmp_path / "out"
    for folder, text in ((tested, "here"), (looked_at, "there")):
        folder.mkdir(parents=True)
        (folder / "acme_shop-1.0.0.tar.gz").write_bytes(_sdist(text))
    monkeypatch.setattr("subprocess.run", lambda *_, **__: _Passed())
    (said,) = release_check.run_suite(project, looked_at)
    assert said.startswith(
        "packages/shop: what the suite ran on is not what is committed: acme_shop-1.0.0.tar.gz: secret"
    )


class _Passed:
    returncode = 0


def _sdist(text: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("secret.py")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.mark.parametrize("word", ["shops", "shop-v9.9.9"])
def test_a_wrong_name_ends_it(repository: Repository, word: str) -> None:
    """Before anything is built."""
    with pytest.raises(Unknown):
        chosen(repository, word)
    with pytest.raises(SystemExit, match="release:check: "):
        release_check.main([word])
