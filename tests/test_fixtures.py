"""What the toolkit gives to each package's suite: the same fixtures, once, ended in the right order."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from distribution_prefix import prefix_of

if TYPE_CHECKING:
    from collections.abc import Callable

    RunSuite = Callable[..., pytest.RunResult]

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = sorted(file.parent for file in ROOT.glob("packages/*/pyproject.toml"))

# Names are public: users' tests ask for them.
FIXTURES = {
    "files": "function",
    "network": "function",
    "processes": "function",
    "queues": "function",
    "redis_server": "function",
    "redis_url": "function",
    "responses": "function",
    "settle": "function",
    "tasks": "function",
    "tcp_proxy": "function",
    "users": "function",
    "virtual_clock": "function",
    "wall_clock": "function",
}

in_each_package = pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)


def test_the_toolkit_offers_these_and_no_others() -> None:
    """A name that slips in is promised; one that is lost breaks every suite that asks for it."""
    tree = ast.parse((ROOT / "shared_testing/src/shared_testing/fixtures.py").read_text("utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    offered = {node.name for node in functions if any("fixture" in ast.unparse(each) for each in node.decorator_list)}
    assert {name for name in offered if not name.startswith("_")} == set(FIXTURES)


@in_each_package
def test_a_package_sees_the_fixtures_once(project: Path, run_suite: RunSuite) -> None:
    """Beside its own conftest: with their scopes, not hidden by a fixture of the same name, from one plugin."""
    result = run_suite(
        f"""
        import pytest

        FIXTURES = {FIXTURES!r}

        def test_scopes(request):
            find = request._fixturemanager.getfixturedefs
            seen = {{
                name: [(each.func.__module__, each.scope) for each in find(name, request.node)] for name in FIXTURES
            }}
            assert seen == {{name: [("shared_testing.fixtures", scope)] for name, scope in FIXTURES.items()}}

        def test_one_plugin(request):
            plugins = [str(plugin) for plugin in request.config.pluginmanager.get_plugins()]
            assert sum("shared_testing/plugin.py" in plugin for plugin in plugins) == 1

        async def test_they_work_together(virtual_clock, settle, tasks, users, network):
            await settle()
            await tasks.slow(3600)()
            assert virtual_clock.now == 3600
            assert users.url
        """,
        conftest=conftest.read_text("utf-8") if (conftest := project / "tests" / "conftest.py").exists() else "",
    )
    result.assert_outcomes(passed=3)


@in_each_package
def test_a_package_asks_for_the_toolkit_only_in_its_tests(project: Path) -> None:
    """By its dependency group, so that nothing of it reaches the wheel."""
    metadata = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    needs = [each.partition("[")[0] for each in metadata["dependency-groups"]["test"]]
    assert f"{prefix_of()}-shared-testing" in needs
    assert not any("shared-testing" in each for each in metadata["project"]["dependencies"])


def test_the_toolkit_is_there_until_the_suites_own_fixtures_have_ended(run_suite: RunSuite) -> None:
    """A client that is closed in a teardown still finds its server, its host and its clock."""
    result = run_suite(
        """
        import asyncio
        import aiohttp
        import pytest_asyncio
        from aiohttp import web

        @pytest_asyncio.fixture
        async def client(users, network, virtual_clock):
            network.serve("https://api.test", web.Application())
            users.populate(1)
            return aiohttp.ClientSession()

        @pytest_asyncio.fixture
        async def closing(client, users, virtual_clock):
            yield
            async with client.get(f"{users.url}/users/1") as response:
                assert response.status == 200
            async with client.get("https://api.test/") as response:
                assert response.status == 404
            await asyncio.sleep(60)
            assert virtual_clock.now >= 60
            await client.close()

        async def test_it(closing):
            pass
        """
    )
    result.assert_outcomes(passed=1)
