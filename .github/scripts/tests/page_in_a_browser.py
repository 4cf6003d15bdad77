"""The page of ``--findings-html`` where it is read: in a browser. Run by ``hatch run page:check``, which needs one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from browser import Browser, Page, started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# One browser for all tests.
pytestmark = [pytest.mark.asyncio(loop_scope="module")]

_MOST_BYTES = 2_000_000

SUITE = """
import asyncio
import pytest

class Account:
    balance = 0

    async def deposit(self, amount):
        read = self.balance
        await asyncio.sleep(0.01)
        self.balance = read + amount

async def test_leaks_a_poller():
    asyncio.create_task(asyncio.sleep(3600))

@pytest.mark.explore
async def test_deposits():
    account = Account()

    async def later():
        await asyncio.sleep(0.015)
        await account.deposit(2)

    await asyncio.gather(account.deposit(1), later())
    assert account.balance == 3

async def test_in_a_row(virtual_clock):
    for number in (1, 2, 3):
        await asyncio.create_task(asyncio.sleep(number), name=f"task {number}")

async def test_together(virtual_clock):
    await asyncio.gather(*map(asyncio.sleep, (1, 2, 3)))

def test_plain(): pass

def test_wrong(): assert 1 == 2
"""

HOSTILE = """
import asyncio
import pytest

NAMES = [
    "</script><script>alert(1)</script>",
    "</script <b id=injected ",
    "<img src=x onerror=alert(1)>",
    "<!-- <script>",
    "\\"' onfocus='alert(1)' autofocus='",
    "nul\\0 line\\u2028 turned\\u202e half\\ud800",
    "javascript:alert(1)",
]

@pytest.mark.parametrize("name", NAMES, ids=NAMES[:5] + ["unseen", NAMES[6]])
async def test_hostile(name):
    task = asyncio.create_task(asyncio.sleep(60), name=name)  # </script><script>alert(1)</script><!-- <b id="injected">
    await asyncio.sleep(0)
    raise AssertionError(f"<b id=injected>{name}</b><iframe src=javascript:alert(1)></iframe>")

@pytest.mark.explore
async def test_explored():
    seen = []
    async def append(name):
        await asyncio.sleep(0.01)
        seen.append(name)
    await asyncio.gather(*(asyncio.create_task(append(name), name=name) for name in NAMES[:3]))
    assert seen == NAMES[:3], f"<b id=injected>{seen}"
"""

MANY = """
import asyncio
import pytest

async def fetch(number):
    for _ in range(3):
        await asyncio.sleep(0.001)
    return number

@pytest.mark.parametrize("number", range(480))
async def test_passes(number, virtual_clock):
    await asyncio.gather(*(fetch(each) for each in range(number % 12)))

@pytest.mark.parametrize("number", range(20))
async def test_leaks(number):
    asyncio.create_task(asyncio.sleep(60))
"""


def page_of(folder: Path, source: str) -> Path:
    """The page of a run of these tests, in a process of its own."""
    (folder / "test_it.py").write_text(source)
    options = ["-q", "-pno:cacheprovider", "-pno:randomly", "-oasyncio_mode=auto", "--findings-html=page.html"]
    environment = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "test_it.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    page = folder / "page.html"
    assert page.exists(), done.stdout + done.stderr
    return page


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    sources = {"suite": SUITE, "hostile": HOSTILE, "many": MANY}
    return {name: page_of(tmp_path_factory.mktemp(name), source) for name, source in sources.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with started() as browser:
        yield browser


async def open_all(page: Page) -> None:
    """As who clicks on each test would."""
    await page.js('document.querySelectorAll(".head[aria-expanded=false]").forEach((head) => head.click())')


async def names(page: Page) -> list[str]:
    """The tests that are shown."""
    found: list[str] = await page.js('[...document.querySelectorAll(".tests .name")].map((name) => name.textContent)')
    return [name.partition("::")[2] for name in found]


async def focused(page: Page) -> str:
    found: str = await page.js('document.activeElement.querySelector(".name")?.textContent || ""')
    return found.partition("::")[2]


async def test_it_opens_and_shows_every_test(browser: Browser, pages: dict[str, Path]) -> None:
    """Without a word on the console, and without a request but for itself."""
    page = await browser.open(pages["suite"])
    assert set(await names(page)) == {
        "test_leaks_a_poller", "test_deposits", "test_in_a_row", "test_together", "test_plain", "test_wrong",
    }  # fmt: skip
    assert await page.js('document.querySelector("h1").textContent') == "2 findings, 3 tests failed"
    await open_all(page)
    assert page.complaints == []
    assert page.requests == [pages["suite"].as_uri()]


async def test_a_finding_shows_its_line_cause_and_fix(browser: Browser, pages: dict[str, Path]) -> None:
    """The guilty line is marked among its neighbours."""
    page = await browser.open(pages["suite"])
    await open_all(page)
    text = await page.js(
        '[...document.querySelectorAll(".finding")].find((e) => /AT301/.test(e.textContent)).innerText'
    )
    assert "test_it.py:14 in test_leaks_a_poller" in text
    assert "asyncio.create_task() returned a task that nobody awaited or cancelled" in text
    guilty = await page.js('[...document.querySelectorAll(".guilty")].map((line) => line.innerText.trim())')
    assert any(line.startswith("▶ 14") and "asyncio.create_task(asyncio.sleep(3600))" in line for line in guilty)


async def test_a_rule_has_its_page(browser: Browser, pages: dict[str, Path]) -> None:
    """A click on the code opens it, on the same page."""
    page = await browser.open(pages["suite"])
    await page.js('document.querySelector(".finding a.code").click()')
    assert await page.js('document.querySelector(".rule[open] summary").textContent') == (
        "AT301 task still running at the end"
    )
    assert "Not seen:" in await page.js('document.querySelector(".rule[open] pre").textContent')


async def test_a_failing_schedule_is_drawn_beside_the_passing_one(browser: Browser, pages: dict[str, Path]) -> None:
    """A lane for each task, who reads and who writes, the command that replays it."""
    page = await browser.open(pages["suite"])
    await open_all(page)
    assert await page.js('[...document.querySelectorAll(".lanes figcaption strong")].map((e) => e.textContent)') == [
        "Fails",
        "Passes",
    ]
    verbs = await page.js("""
        [...document.querySelectorAll(".lanes")].map((e) => [...e.querySelectorAll(".verb")].map((e) => e.textContent))
    """)
    assert verbs == [["reads", "reads", "writes", "writes"], ["reads", "writes", "reads", "writes"]]
    assert await page.js('document.querySelectorAll(".lanes")[0].querySelectorAll(".names span").length') == 3
    assert await page.js('document.querySelectorAll(".lanes .step.deviates").length') == 1
    assert re.fullmatch(
        r"pytest test_it\.py::test_deposits --replay=\S+",
        await page.js('document.querySelector(".replay code").textContent'),
    )
    # By the arrow keys from step to step.
    await page.js('document.querySelector(".lanes .scroll").focus()')
    before = await page.js('document.querySelector(".step-told").textContent')
    await page.press("ArrowRight")
    after = await page.js('document.querySelector(".step-told").textContent')
    assert before.startswith("step 4 ")
    assert after.startswith("step 5 ")


async def test_what_is_one_after_another_looks_so(browser: Browser, pages: dict[str, Path]) -> None:
    """Three tasks in a row do not overlap; three together begin at the same place."""
    page = await browser.open(pages["suite"])
    await open_all(page)
    places: list[list[list[float]]] = await page.js("""
        ["in_a_row", "together"].map((name) =>
          [...[...document.querySelectorAll(".tests > li")].find((e) => e.textContent.includes(name))
            .querySelectorAll(".timeline li:not(.outermost) .life")]
            .map((e) => [parseFloat(e.style.left), parseFloat(e.style.left) + parseFloat(e.style.width)]))
    """)
    row, together = places
    assert [len(row), len(together)] == [3, 3]
    assert all(earlier[1] <= later[0] + 0.01 for earlier, later in pairwise(row))
    assert {begin for begin, _ in together} == {0}
    sentences = await page.js('[...document.querySelectorAll(".tasks > p:not(.quiet)")].map((e) => e.textContent)')
    assert "3 tasks beside the test's own, never more than 1 at a time: one after another." in sentences
    assert "3 tasks beside the test's own, up to 3 at a time." in sentences


async def test_typing_filters(browser: Browser, pages: dict[str, Path]) -> None:
    """By text, outcome and rule; Escape shows all again."""
    page = await browser.open(pages["suite"])
    await page.press("/")
    await page.type("deposits")
    assert await names(page) == ["test_deposits"]
    assert await page.js('document.querySelector("[role=status]").textContent') == "1 of 6 tests"
    await page.press("Escape")
    assert len(await names(page)) == 6
    await page.press("/")
    await page.type("assert 1 == 2")
    assert await names(page) == ["test_wrong"]
    await page.press("Escape")
    choose = """
        (label, value) => {
          const select = document.querySelector(`[aria-label=${label}]`);
          select.value = value;
          select.dispatchEvent(new Event("change"));
        }
    """
    await page.js(f'({choose})("rule", "AT301")')
    assert await names(page) == ["test_leaks_a_poller"]
    await page.press("Escape")
    await page.js(f'({choose})("outcome", "passed")')
    assert await names(page) == ["test_in_a_row", "test_together", "test_plain"]


async def test_the_keyboard_is_enough(browser: Browser, pages: dict[str, Path]) -> None:
    """j and k move, Enter opens, Escape closes; the focus is to be seen; what is typed into the filter is text."""
    page = await browser.open(pages["suite"])
    shown = await names(page)
    await page.press("j", "j")
    assert await focused(page) == shown[1]
    assert await page.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await page.press("k")
    assert await focused(page) == shown[0]
    expanded = 'document.activeElement.getAttribute("aria-expanded")'
    # What needs looking at first is open when the page is.
    assert await page.js(expanded) == "true"
    await page.press("Escape")
    assert await page.js(expanded) == "false"
    await page.press("Enter")
    assert await page.js(expanded) == "true"
    await page.press("/")
    await page.type("jk/")
    assert await page.js("document.activeElement.value") == "jk/"
    unnamed = await page.js("""
        [...document.querySelectorAll("button, input, select, a, [tabindex]")]
          .filter((e) => !e.hidden && !(e.textContent.trim() || e.getAttribute("aria-label"))).length
    """)
    assert unnamed == 0


async def test_dark_and_light_differ(browser: Browser, pages: dict[str, Path]) -> None:
    """As the system prefers, or as the button says; both can be read."""
    page = await browser.open(pages["suite"])
    colors = "JSON.stringify([getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color])"
    light = await page.js(colors)
    await page.theme("dark")
    dark = await page.js(colors)
    assert dark != light
    await page.js('document.querySelector(".theme").click()')
    assert await page.js(colors) == light
    for theme in ("light", "dark"):
        other = await browser.open(pages["suite"], theme=theme)
        await open_all(other)
        assert await other.js(_CONTRASTS) == []


# Text of little contrast to what lies behind it: 4.5 is the least that WCAG 2 lets pass (AA).
_CONTRASTS = """
(() => {
  const parts = (color) => {
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (value) => value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const behind = (element) => {
    const color = parts(getComputedStyle(element).backgroundColor);
    return color[3] ? color : element.parentElement ? behind(element.parentElement) : [255, 255, 255];
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll("#page *")]
    .filter((element) => hasText(element) && element.offsetParent && !element.closest("option"))
    .map((element) => {
      const both = [light(parts(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
      return [(both[0] + 0.05) / (both[1] + 0.05), element];
    })
    .filter(([ratio]) => ratio < 4.5)
    .map(([ratio, element]) => `${ratio.toFixed(2)} ${element.className} ${element.textContent.slice(0, 30)}`);
})()
"""


async def test_a_narrow_screen_does_not_scroll_sideways(browser: Browser, pages: dict[str, Path]) -> None:
    """A telephone's; wide things scroll by themselves."""
    page = await browser.open(pages["suite"], width=390)
    await open_all(page)
    assert await page.js("document.documentElement.scrollWidth") <= 390


async def test_paper_shows_everything(browser: Browser, pages: dict[str, Path]) -> None:
    """What is closed is opened for it, and closed again; what can only be clicked is left out."""
    page = await browser.open(pages["suite"])
    await page.js("""
        window.printed = {};
        addEventListener("beforeprint", () => {
          printed.closed = document.querySelectorAll(".head[aria-expanded=false]").length;
          printed.details = document.querySelectorAll("details:not([open])").length;
          printed.bodies = [...document.querySelectorAll(".body")].filter((e) => !e.hidden).length;
        });
    """)
    opened = await page.js('document.querySelectorAll(".head[aria-expanded=true]").length')
    pdf = await page.pdf()
    assert pdf.startswith(b"%PDF")
    # The page's own listener came first.
    printed = await page.js("printed")
    # The plain test has nothing to open.
    assert printed == {"closed": 1, "details": 0, "bodies": 5}
    assert await page.js('document.querySelectorAll(".head[aria-expanded=true]").length') == opened
    await page.send("Emulation.setEmulatedMedia", media="print")
    assert await page.js('getComputedStyle(document.querySelector(".tools")).display') == "none"
    assert page.complaints == []


async def test_hostile_text_is_inert(browser: Browser, pages: dict[str, Path]) -> None:
    """No dialog, no element, no request; it is shown as it was written."""
    page = await browser.open(pages["hostile"])
    await open_all(page)
    await page.press("/")
    await page.type("<img")
    await page.press("Escape")
    await page.pdf()
    assert page.complaints == []
    assert page.requests == [pages["hostile"].as_uri()]
    strange = await page.js("""
        document.querySelectorAll("img, iframe, object, embed, #injected, [onerror], [onfocus], [autofocus]").length
          + document.querySelectorAll("#page script, a:not([href^='#'])").length
    """)
    assert strange == 0
    assert await page.js("document.scripts.length") == 2
    shown = "\n".join(await names(page))
    for name in (
        "</script><script>alert(1)</script>",
        "</script <b id=injected ",
        "<img src=x onerror=alert(1)>",
        "<!-- <script>",
    ):
        assert f"test_hostile[{name}]" in shown
    text = await page.js('document.getElementById("page").textContent')
    assert "<b id=injected>" in text
    assert "nul\\u0000 line\\u2028 turned\\u202e half\\ud800" in text


async def test_a_large_run_is_small_and_quick(
    browser: Browser, pages: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """500 tests with 20 findings."""
    size = pages["many"].stat().st_size
    page = await browser.open(pages["many"])
    assert len(await names(page)) == 500
    assert await page.js('document.querySelector("h1").textContent') == "20 findings, 20 tests failed"
    timing: dict[str, Any] = await page.js("performance.getEntriesByType('navigation')[0].toJSON()")
    await page.press("/")
    filtered = await page.js("""
        (() => { const began = performance.now(), input = document.activeElement;
          input.value = "leaks"; input.dispatchEvent(new Event("input")); document.body.offsetHeight;
          return performance.now() - began; })()
    """)
    with capsys.disabled():
        print(
            f"\n500 tests, 20 findings: {size / 1e6:.2f} MB, loaded in {timing['loadEventEnd'] / 1000:.2f} s, "
            f"filtered in {filtered / 1000:.3f} s"
        )
    assert size < _MOST_BYTES
    assert page.complaints == []
