"""Do all of a release but the upload.

    hatch run release:check                       every package whose version has no tag yet, in the order to release
    hatch run release:check task-queue            that one
    hatch run release:check task-queue-v1.2.0     what the release workflow runs for a tag that was pushed

Version, changelog and tag must agree; what it needs of the other packages must be released, or ready to be released
before it; two builds must be the same bytes, complete and fit for the index; and the suite must pass on that wheel.
What was tested then lies in the package's dist/checked.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import artifacts
import releases
from monorepo import environment
from projects import Project, read_projects


def check(project: Project, projects: list[Project], *, tagged: bool) -> list[str]:
    """Stops at the first kind of complaint: a build says nothing of a version that must change."""
    found = [*releases.complaints(project), *releases.sibling_complaints(project, projects, released=tagged)]
    if found:
        return found
    print("   version, changelog and tag agree", flush=True)
    for each in releases.first(project, projects):
        print(f"   release {each} first", flush=True)
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        out, found = artifacts.checked(project, Path(folder), artifacts.toolkit_of(projects))
        if found:
            return found
        print("   built twice, the same bytes; metadata, licence, types and README are in order")
        for name, digest in artifacts.files_of(out).items():
            print(f"   {digest}  {name}", flush=True)
        return run_suite(project, out)


def run_suite(project: Project, built: Path) -> list[str]:
    """On a wheel that is made anew from the checkout, and must be the one that was looked at."""
    command = ["hatch", "run", "wheel:test", "-q"]
    # The builds that it is compared with had none.
    plain = {key: value for key, value in environment().items() if key != "SOURCE_DATE_EPOCH"}
    if subprocess.run(command, cwd=project.folder, env=plain, check=False).returncode:
        return [f"{project.path}: its suite fails on its wheel; see it with: cd {project.path}; hatch run wheel:test"]
    return [
        f"{project.path}: what the suite ran on is not what is committed: {each}; is there a file that git ignores?"
        for each in artifacts.differences(built, project.folder / "dist" / "checked")
    ]


def choose(words: list[str], projects: list[Project]) -> list[Project]:
    """In the order to release. Without words, those that have no release of their version; the others are listed."""
    ordered = releases.in_order(projects)
    if words:
        named = {releases.find(word, projects) for word in words}
        return [each for each in ordered if each in named]
    chosen = []
    for project in ordered:
        if not releases.tagged_commit(project):
            chosen.append(project)
        elif changed := releases.changes_since(project):
            print(f"{project} is released; {changed} files have changed since: raise its version to release them")
        else:
            print(f"{project} is released, and has not changed since")
    return chosen


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="packages, or the tags of their releases")
    parser.add_argument("--output", type=Path, help="a file to add the lines `folder=…` and `distribution=…` to")
    options = parser.parse_args(arguments)
    projects = read_projects()
    try:
        chosen = choose(options.names, projects)
        print(f"order: {', '.join(map(str, chosen)) or 'nothing is to be released'}", flush=True)
        failed = [project for project in chosen if not report(project, projects, options.names)]
    except (releases.Unknown, artifacts.BuildFailed) as error:
        sys.exit(f"release:check: {error}")
    if options.output:
        with options.output.open("a", encoding="utf-8") as file:
            file.writelines(f"folder={each.path}\ndistribution={each.distribution}\n" for each in chosen)
    return 1 if failed else 0


def report(project: Project, projects: list[Project], names: list[str]) -> bool:
    """Whether it may be released."""
    print(f"== {project}", flush=True)
    tagged = project.tag in names
    found = check(project, projects, tagged=tagged)
    for complaint in found:
        print(f"release:check: {complaint}", file=sys.stderr, flush=True)
    if not found and not tagged:
        # One at a time: GitHub starts nothing for tags of which more than three come at once.
        print(f"   ready: git tag {project.tag} && git push origin {project.tag}", flush=True)
    return not found


if __name__ == "__main__":
    sys.exit(main())
