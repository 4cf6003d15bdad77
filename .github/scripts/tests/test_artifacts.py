"""What is uploaded is looked at first. Nothing is built here: `hatch run release:build` does, in every CI run."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import artifacts
import pytest
from artifacts import complaints, differences
from miniature import untouched
from projects import read_projects

if TYPE_CHECKING:
    from pathlib import Path

    from projects import Project

TOOLKIT = "acme-shared-testing"
METADATA = """\
Metadata-Version: 2.4
Name: acme-shop
Version: 1.0.0
Summary: A shop
License-Expression: MIT
Requires-Python: >=3.11
Requires-Dist: acme-queue>=1.0
Description-Content-Type: text/markdown

# acme-shop
"""
INFORMATION = "acme_shop-1.0.0.dist-info"
WHEEL = {
    "shop/__init__.py": "",
    "shop/py.typed": "",
    f"{INFORMATION}/METADATA": METADATA,
    f"{INFORMATION}/licenses/LICENSE": "MIT",
}
SDIST = dict.fromkeys(
    [
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "src/shop/__init__.py",
        "tests/test_shop.py",
    ],
    "",
)


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    # twine is installed where `hatch run release:...` runs.
    monkeypatch.setattr(artifacts, "_of_twine", lambda out: [])
    return next(each for each in read_projects(untouched()) if each.folder.name == "shop")


def built(folder: Path, wheel: dict[str, str] = WHEEL, sdist: dict[str, str] = SDIST, mode: int = 0o644) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / "acme_shop-1.0.0-py3-none-any.whl", "w") as packed:
        for path, text in wheel.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = mode << 16
            packed.writestr(entry, text)
    with tarfile.open(folder / "acme_shop-1.0.0.tar.gz", "w") as archive:
        for path, text in sdist.items():
            member = tarfile.TarInfo(f"acme_shop-1.0.0/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return folder


def without(files: dict[str, str], path: str) -> dict[str, str]:
    return {name: text for name, text in files.items() if name != path}


def test_what_is_complete_has_no_complaint(project: Project, tmp_path: Path) -> None:
    """A wheel and an sdist of this version, and nothing else."""
    assert complaints(project, built(tmp_path / "out"), TOOLKIT) == []


@pytest.mark.parametrize(
    ("wheel", "said"),
    [
        (without(WHEEL, "shop/__init__.py"), "its wheel lacks shop/__init__.py: there is nothing to import"),
        (without(WHEEL, "shop/py.typed"), "its wheel lacks shop/py.typed: type checkers would ignore its types"),
        (without(WHEEL, f"{INFORMATION}/licenses/LICENSE"), "/licenses/LICENSE: nobody may use it; name it in license"),
        ({**WHEEL, "tests/test_shop.py": ""}, "its wheel would install tests beside shop; see [tool.hatch.build"),
    ],
)
def test_a_wheel_holds_what_its_users_need(project: Project, tmp_path: Path, wheel: dict[str, str], said: str) -> None:
    """And nothing that gets in the way of other packages."""
    (complaint,) = complaints(project, built(tmp_path / "out", wheel), TOOLKIT)
    assert said in complaint


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "License-Expression: MIT\n",
            "",
            "its metadata lacks License-Expression; add it to [project] in pyproject.tom",
        ),
        ("acme-queue>=1.0", "acme_shared.testing>=1", "which is for tests; put it in [dependency-groups] test"),
        ("acme-queue>=1.0", "acme-queue @ file:///here", "and the index takes no address; name a version"),
    ],
)
def test_the_metadata_is_fit_for_the_index(project: Project, tmp_path: Path, old: str, new: str, said: str) -> None:
    """Nothing there leads to tests, or to somebody's disk."""
    wheel = {**WHEEL, f"{INFORMATION}/METADATA": METADATA.replace(old, new)}
    (complaint,) = complaints(project, built(tmp_path / "out", wheel), TOOLKIT)
    assert said in complaint


def test_an_sdist_holds_what_packagers_need(project: Project, tmp_path: Path) -> None:
    """Their own tests among it."""
    found = complaints(project, built(tmp_path / "out", sdist={"PKG-INFO": ""}), TOOLKIT)
    assert [each.rpartition("lacks ")[2] for each in found] == [
        *("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"),
        "its tests, which packagers run",
    ]


def test_another_version_is_not_uploaded(project: Project, tmp_path: Path) -> None:
    """What was built is what the tag says."""
    out = built(tmp_path / "out")
    (out / "acme_shop-1.0.0.tar.gz").rename(out / "acme_shop-1.0.1.tar.gz")
    (said,) = complaints(project, out, TOOLKIT)
    assert said.startswith(
        "packages/shop builds acme_shop-1.0.0-py3-none-any.whl, acme_shop-1.0.1.tar.gz, and not acme"
    )


def test_the_same_bytes_are_no_difference(tmp_path: Path) -> None:
    """Of the same files."""
    assert differences(built(tmp_path / "one"), built(tmp_path / "other")) == []


@pytest.mark.parametrize("wheel", [{**WHEEL, "shop/py.typed": "made at noon"}, without(WHEEL, "shop/py.typed")])
def test_a_difference_is_named(tmp_path: Path, wheel: dict[str, str]) -> None:
    """By the file inside: two hashes would help nobody."""
    found = differences(built(tmp_path / "one"), built(tmp_path / "other", wheel))
    assert found == ["acme_shop-1.0.0-py3-none-any.whl: shop/py.typed"]


def test_other_rights_or_another_order_are_differences_too(tmp_path: Path) -> None:
    """They come from the machine, and change the hash."""
    one = built(tmp_path / "one")
    assert "shop/__init__.py" in differences(one, built(tmp_path / "rights", mode=0o600))[0]
    (said,) = differences(one, built(tmp_path / "order", dict(reversed(WHEEL.items()))))
    assert said == "acme_shop-1.0.0-py3-none-any.whl: the order or the times of its members"


def test_what_was_built_once_cannot_be_compared(tmp_path: Path) -> None:
    """It is not taken for the same."""
    one, other = built(tmp_path / "one"), built(tmp_path / "other")
    (other / "acme_shop-1.0.0.tar.gz").unlink()
    assert differences(one, other) == ["acme_shop-1.0.0.tar.gz was built only once"]
