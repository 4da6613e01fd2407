"""Every page in both themes and at a phone's width: axe finds nothing grave, nothing sticks out."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeWindow, Window
from tests.browser.town import Town

PAGES = {
    "overview": "/dashboard/",
    "tenants": "/dashboard/tenants",
    "tenant": "/dashboard/tenant?id=acme&reach=week&size=DAY",
    "tenant-empty": "/dashboard/tenant?id=tenant-01",
    "publications": "/dashboard/publications",
    "reconciliation": "/dashboard/reconciliation",
    "dead-letters": "/dashboard/dead-letters",
    "meters": "/dashboard/meters",
    "keys": "/dashboard/keys",
}
LOOKS = {
    "light": {"theme": "light", "width": 1280},
    "dark": {"theme": "dark", "width": 1280},
    "phone-light": {"theme": "light", "width": 360},
    "phone-dark": {"theme": "dark", "width": 360},
}
STICKS_OUT = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(scope="module", params=LOOKS)
def looked_at(request: pytest.FixtureRequest, open_window: MakeWindow, town: Town) -> Window:
    window = open_window(request.param, **LOOKS[request.param])
    window.go("/dashboard/sign-in")
    _hold(window, "sign-in")
    window.sign_in(town.admin)
    return window


@pytest.mark.parametrize("name", PAGES)
def test_every_page_can_be_read_by_everybody(looked_at: Window, name: str):
    looked_at.go(PAGES[name])

    if name == "tenant":
        expect(looked_at.page.locator(".plot canvas")).to_be_visible()
    _hold(looked_at, name)


def test_a_publication_and_its_line_can_be_read_by_everybody(looked_at: Window):
    looked_at.go("/dashboard/publications")
    for name, heading in (("publication", "Publication"), ("entry", "Line")):
        looked_at.page.locator("tbody th a").first.click()
        looked_at.page.locator("h1", has_text=heading).filter(
            has_not_text="Publications"
        ).wait_for()
        _hold(looked_at, name)


def test_the_embedded_page_can_be_read_by_everybody(looked_at: Window, town: Town):
    looked_at.go(f"/embed/usage#token={town.tenant_reader}")
    expect(looked_at.page.locator("#usage tfoot")).to_contain_text("The whole span")
    _hold(looked_at, "embedded")


def test_a_refusal_can_be_read_by_everybody(open_window: MakeWindow, town: Town):
    window = open_window("light")
    window.sign_in(town.reader)
    window.page.goto(f"{town.url}/dashboard/keys")

    expect(window.page.get_by_role("alert")).to_contain_text("has no scope")
    window.offences.clear()  # the browser notes the 403 itself
    _hold(window, "refused")


def test_the_theme_is_the_person_s_choice_and_stays(window: Window):
    toggle = window.page.get_by_role("button", name="Dark theme")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    before = window.page.evaluate("getComputedStyle(document.body).backgroundColor")

    toggle.click()
    window.go("/dashboard/tenants")

    expect(toggle).to_have_attribute("aria-pressed", "true")
    assert window.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert window.grave_findings() == []


def _hold(window: Window, name: str) -> None:
    window.keep_picture(name)
    assert window.grave_findings() == []
    assert not window.page.evaluate(STICKS_OUT), "something is wider than the window"
    assert window.offences == []
