"""May this version be released? What its pyproject.toml, its CHANGELOG.md and git say, and what must be released first.

Each answer is a list of complaints, each with its next step; an empty one is a yes.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

import changelog
from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version
from projects import git, normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from projects import Project


class Unknown(Exception):
    """What was asked for is no package of this repository, and no release of one."""


def find(word: str, projects: list[Project]) -> Project:
    """By its folder, by its distribution, or by the tag of the release that it is ready for."""
    for project in projects:
        names = (project.folder.name, normalize(project.folder.name), project.path, project.distribution, project.tag)
        if word in names:
            return project
    for project in sorted(projects, key=lambda each: len(each.tag_prefix), reverse=True):
        if word.startswith(project.tag_prefix):
            raise Unknown(
                f"the tag {word} is not the version in {project.path}/pyproject.toml, which is {project.version}; "
                f"take the tag back (git tag -d {word}; git push --delete origin {word}), and tag {project.tag}, "
                f"or set the version there first (hatch version {word.removeprefix(project.tag_prefix)})"
            )
    known = ", ".join(project.folder.name for project in projects)
    raise Unknown(f"{word} is no package; there are {known}, and tags such as {projects[-1].tag}")


# ------------------------------------------------------------ one package


def complaints(project: Project, today: date | None = None) -> list[str]:
    return [*_of_version(project), *_of_changelog(project, today or datetime.now(UTC).date()), *_of_git(project)]


def _of_version(project: Project) -> Iterator[str]:
    file = f"{project.path}/pyproject.toml"
    try:
        version = Version(project.version)
    except InvalidVersion:
        yield f"{file}: {project.version} is no version (PEP 440); write one such as 1.2.0"
        return
    if str(version) != project.version:
        yield f"{file}: write the version {project.version} as {version}, which is what its files will be called"
    tag, last = project.last_release()
    if last and tag != project.tag and version <= Version(last):
        yield f"{file}: {version} is not newer than {tag}; raise it: cd {project.path}; hatch version minor"


def _of_changelog(project: Project, today: date) -> Iterator[str]:
    text = (project.folder / "CHANGELOG.md").read_text("utf-8")
    for complaint in changelog.complaints(text, project.version, today):
        yield f"{project.path}/CHANGELOG.md: {complaint}"


def _of_git(project: Project) -> Iterator[str]:
    changed = git("status", "--porcelain", "--", project.path, root=project.root).splitlines()
    if changed:
        files = ", ".join(line[3:] for line in changed[:3]) + (" …" if len(changed) > 3 else "")
        yield f"{project.path} has changes that a tag would not hold: {files}; commit them"
    if not git("rev-parse", "HEAD", root=project.root):
        yield f"{project.path} is in no git repository: a release is a tag of one"
    elif tagged_commit(project) not in ("", git("rev-parse", "HEAD", root=project.root).strip()):
        yield (
            f"{project.tag} exists, on the commit {tagged_commit(project)[:12]}: {project} is released; "
            f"to release what came after it, raise the version: cd {project.path}; hatch version minor"
        )


def tagged_commit(project: Project) -> str:
    """The commit that was released as this version; empty before that."""
    return git("rev-parse", "--quiet", "--verify", f"refs/tags/{project.tag}^{{commit}}", root=project.root).strip()


def changes_since(project: Project) -> int:
    """How many of its files differ from its last release."""
    tag, _ = project.last_release()
    return len(git("diff", "--name-only", tag, "--", project.path, root=project.root).splitlines()) if tag else 0


# ------------------------------------------------------------ the packages that it needs


class Sibling(NamedTuple):
    project: Project
    requirement: Requirement

    def is_released(self) -> bool:
        versions = (tag.removeprefix(self.project.tag_prefix) for tag in self.project.releases())
        return any(self.allows(version) for version in versions)

    def allows(self, version: str) -> bool:
        return self.requirement.specifier.contains(version, prereleases=True)


def siblings(project: Project, projects: Iterable[Project]) -> list[Sibling]:
    """What it needs of this repository, for its extras too."""
    ours = {each.distribution: each for each in projects if each.distribution != project.distribution}
    return [
        Sibling(ours[normalize(each)], Requirement(each)) for each in project.requirements if normalize(each) in ours
    ]


def first(project: Project, projects: Iterable[Project]) -> list[Project]:
    """Those that must be released before it, for no release that there is will do."""
    waiting = [each for each in siblings(project, projects) if not each.is_released()]
    return list(
        {each.project.distribution: each.project for each in waiting if each.allows(each.project.version)}.values()
    )


def sibling_complaints(project: Project, projects: list[Project], *, released: bool) -> list[str]:
    """`released`: whether the siblings must have been released, and not only be ready for it."""
    found = []
    for each in siblings(project, projects):
        if each.is_released():
            continue
        if not each.allows(each.project.version):
            found.append(
                f"{project.path} needs {each.requirement}, which neither a release of {each.project.path} nor its "
                f"version {each.project.version} satisfies; mend the requirement"
            )
        elif released:
            found.append(
                f"{project.path} needs {each.requirement}: release {each.project} first, tag {each.project.tag}"
            )
    return found


def in_order(projects: list[Project]) -> list[Project]:
    """So that each finds on the index what it needs."""
    known = {each.distribution: each for each in projects}
    needed = {
        name: [each.project.distribution for each in siblings(project, projects)] for name, project in known.items()
    }
    try:
        return [known[name] for name in TopologicalSorter(needed).static_order()]
    except CycleError as error:
        circle = " needs ".join(reversed(error.args[1]))
        raise Unknown(f"{circle}: none of them can be released first; take one of these requirements away") from None
