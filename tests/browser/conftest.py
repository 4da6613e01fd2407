"""Debian's Chromium before the running server: nothing may be loaded from elsewhere, nothing may
end up in the console, and a picture is kept of every page."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.town import Town, standing

HERE = Path(__file__).parent
AXE = next((HERE / "vendor").glob("axe-*.min.js")).read_text(encoding="utf-8")
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
MISSING = "There is no Chromium to test with: apt-get install chromium, or name one as CHROMIUM."
PATIENCE_MS = 60_000
GRAVE = ("serious", "critical")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Window:
    """One browser window, and what it did that it should not have."""

    page: Page
    town: Town
    name: str
    offences: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        answer = self.page.goto(f"{self.town.url}{path}")
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"

    def sign_in(self, key: str) -> None:
        self.go("/dashboard/sign-in")
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("button", name="Sign out").wait_for()

    def keep_picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{self.name}.png", full_page=True)

    def grave_findings(self) -> list[str]:
        """What axe finds serious or critical, with where."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {node['html'][:200]}: {node['failureSummary']}"
            for one in found["violations"]
            if one["impact"] in GRAVE
            for node in one["nodes"]
        ]


MakeWindow = Callable[..., Window]


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with standing(tmp_path_factory.mktemp("town")) as town:
        yield town


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.exit(MISSING, returncode=1)
    # Its own sandbox refuses to run as root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="session")
def open_window(browser: Browser, town: Town) -> Iterator[MakeWindow]:
    """Opens windows of a theme and a width."""
    opened: list[tuple[BrowserContext, Window]] = []

    def make(name: str = "plain", *, theme: str = "light", width: int = 1280) -> Window:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce"
        )
        context.set_default_timeout(PATIENCE_MS)
        window = Window(context.new_page(), town, name)
        _watch(window)
        opened.append((context, window))
        return window

    yield make
    for context, _ in opened:
        context.close()


@pytest.fixture
def window(open_window: MakeWindow, town: Town) -> Iterator[Window]:
    """A window of its own, with somebody who may do everything, and where nothing went amiss."""
    made = open_window()
    made.sign_in(town.admin)
    yield made
    assert made.offences == []


def _watch(window: Window) -> None:
    page, offences = window.page, window.offences
    inside = (f"{window.town.url}/", "data:", "blob:")
    page.on("request", lambda r: offences.extend([] if r.url.startswith(inside) else [r.url]))
    page.on("pageerror", lambda error: offences.append(f"error: {error}"))
    page.on(
        "console",
        lambda said: offences.extend(
            [f"console: {said.text}"] if said.type in ("error", "warning") else []
        ),
    )
