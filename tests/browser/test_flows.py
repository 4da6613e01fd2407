"""What people come for, done as they do it: with a mouse, and with the keyboard alone."""

import re

from playwright.sync_api import Page, expect

from tallystick.domain.instant import HOUR, MINUTE
from tests.browser.conftest import MakeWindow, Window
from tests.browser.town import Town, instant_now

FOCUSED = """() => {
  const e = document.activeElement, s = getComputedStyle(e);
  return [e.tagName, (e.getAttribute('aria-label') || e.textContent || '').trim(),
          s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0];
}"""
TABS_MAX = 80


def is_hour_about_to_end() -> bool:
    """Whether the window that runs now may be another one before a slow machine has looked."""
    return instant_now() % HOUR > HOUR - 2 * MINUTE


def report(key: str, code: str, quantity: object, tenant: str = "acme") -> dict[str, object]:
    return {"TenantID": tenant, "ProductCode": code, "EventID": key, "Quantity": quantity}


def test_the_overview_moves_when_something_is_reported(window: Window, town: Town):
    live = window.page.locator("#live")
    expect(live).to_have_attribute("hx-trigger", "every 1s")
    counted = window.page.locator("#totals dd").first
    before = int(counted.inner_text().replace(",", ""))

    town.report(*(report(f"moves-{n}", "api_calls", 1) for n in range(3)))

    expect(counted).to_have_text(f"{before + 3:,}")
    expect(live.locator("table").last).to_contain_text("acme")


def test_live_numbers_stand_still_for_who_asks(window: Window, town: Town):
    counted = window.page.locator("#totals dd").first
    pause = window.page.get_by_role("button", name="Pause live numbers")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    before = counted.inner_text()

    town.report(report("still", "api_calls", 1))
    pause.click()

    expect(counted).not_to_have_text(before)


def test_from_a_new_meter_to_its_usage(window: Window, town: Town):
    page = window.page
    page.get_by_role("link", name="Meters").click()
    page.get_by_label("Name", exact=True).fill("pages")
    page.get_by_label("Where the value is").fill("$.quantity")
    page.get_by_role("button", name="Add the meter").click()
    expect(page.get_by_role("status").first).to_have_text(
        "The meter pages counts pages from now on."
    )

    page.get_by_role("link", name="Tenants").click()
    page.get_by_label("Id begins with").fill("tenant-05")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="tenant-05").click()
    expect(page.locator("#open-windows")).to_contain_text("Nothing was counted")
    town.report(report("p1", "pages", "1234.5", "tenant-05"))
    if not is_hour_about_to_end():
        expect(page.locator("#open-windows .figure")).to_have_text("1,234.5")

    page.get_by_label("Meter").select_option("pages")
    page.get_by_label("Span").select_option("7 days")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#usage tfoot td").last).to_have_text("1,234.5")
    expect(page.locator(".plot canvas")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert download.value.path().read_text().splitlines()[-1].endswith(",1234.5")


def test_a_bar_tells_its_exact_number(window: Window):
    window.go("/dashboard/tenant?id=acme&meter=tokens&reach=week&size=DAY")
    plot = window.page.locator(".plot .u-over")
    rows = window.page.locator("#usage tbody tr").all_inner_texts()
    box = plot.bounding_box()
    assert box is not None

    window.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    reading = window.page.locator("[data-chart-reading]")
    expect(reading).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d 00:00: [\d,.]+$"))
    day, quantity = reading.inner_text().rsplit(": ", 1)
    assert any(row.startswith(day) and row.endswith(quantity) for row in rows)


def test_from_a_publication_down_to_an_event(window: Window):
    page = window.page
    page.get_by_role("link", name="Publications").click()
    first = page.locator("tbody tr").first
    total = first.locator("td").nth(5).inner_text()
    first.get_by_role("link").click()
    put = page.locator("tbody tr").first.locator("td").nth(4)
    expect(put).to_have_text(total)

    page.locator("tbody th a").first.click()

    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("acme-0-")
    counts = [text.replace(",", "") for text in rows.locator("td:nth-child(6)").all_inner_texts()]
    assert sum(map(int, counts)) == int(total.replace(",", ""))


def test_reconciliation_is_run_and_shows_both_sides(window: Window):
    page = window.page
    page.get_by_role("link", name="Reconciliation").click()
    page.get_by_role("button", name="Compare everything now").click()

    lines = page.get_by_role("region", name="Ours beside the provider's").locator("tbody tr")
    expect(lines).to_have_count(2)
    for row in lines.all():
        ours, theirs = (row.locator("td").nth(n).inner_text() for n in (3, 4))
        assert ours == theirs != "0"
    window.keep_picture("reconciled")


def test_a_dead_letter_is_mended_and_replayed(window: Window, town: Town):
    status, text, _ = town.served.request(
        "POST", "/api/v1/meters", {"slug": "gb", "eventType": "gigabytes", "aggregation": "SUM",
                                   "valueProperty": "$.quantity"})  # fmt: skip
    assert status == 201, text
    town.report(report("late-1", "minutes", 1), report("late-2", "minutes", 1))
    page = window.page
    page.get_by_role("link", name="Dead letters", exact=True).click()
    page.get_by_label("Reason").select_option("unknown code")
    page.get_by_role("button", name="Show").click()
    letters = page.locator(".letter")
    expect(letters).to_have_count(2)
    letters.first.get_by_text("What was sent").click()
    expect(letters.first.locator("pre")).to_contain_text("late-1")

    letters.first.get_by_role("button", name="Replay").click()

    expect(page.get_by_role("status").first).to_contain_text("1 could not be counted again")
    window.go("/dashboard/meters")
    page.get_by_label("Name", exact=True).fill("minutes")
    page.get_by_role("button", name="Add the meter").click()
    window.go("/dashboard/dead-letters?reason=unknown_code")
    expect(page.locator(".empty")).to_contain_text("No dead letter has this reason")


def test_a_key_is_made_used_and_revoked(window: Window, open_window: MakeWindow):
    page = window.page
    page.get_by_role("link", name="Keys").click()
    page.get_by_label("Name").fill("Bob")
    page.get_by_label("ingest").uncheck()
    page.get_by_label("read").check()
    page.get_by_role("button", name="Make the key").click()
    text = page.locator("#key-text").inner_text()
    bob = open_window("bob")
    bob.sign_in(text)

    made = page.locator("tbody tr").first
    made.get_by_text("Revoke", exact=True).first.click()
    made.get_by_role("textbox").fill("Bob has left")
    made.get_by_role("button", name=re.compile("Revoke key")).click()

    expect(page.locator("tbody tr").first).to_contain_text("revoked")
    # His page asks each second, so it meets the key's end by itself.
    bob.page.wait_for_url(re.compile("/dashboard/sign-in"))


def test_an_embedded_page_keeps_its_token_to_itself(open_window: MakeWindow, town: Town):
    window = open_window("embedded")
    sent: list[str] = []
    window.page.on("request", lambda request: sent.append(request.url))

    window.go(f"/embed/usage#token={town.tenant_reader}")
    expect(window.page.locator("#usage tfoot")).to_contain_text("The whole span")
    window.page.get_by_label("Meter").select_option("tokens")
    expect(window.page.locator("#usage caption")).to_contain_text("tokens")

    assert window.page.url == f"{town.url}/embed/usage"
    assert not [url for url in sent if town.tenant_reader in url.partition("#")[0]]
    assert town.tenant_reader not in window.page.content()
    kept = window.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    assert kept == [0, 0, ""]
    assert window.offences == []


def test_an_embedded_page_without_a_token_says_so(open_window: MakeWindow):
    window = open_window("embedded")

    window.go("/embed/usage")

    expect(window.page.get_by_role("alert")).to_contain_text("needs a read token")
    assert window.offences == []


# ── With the keyboard alone ───────────────────────────────────────────────────────────────────────


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on what has this name; each stop must be visible."""
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        tag, text, is_seen = page.evaluate(FOCUSED)
        assert is_seen, f"the focus is on <{tag}> {text!r} and cannot be seen"
        if text.startswith(name):
            return
    raise AssertionError(f"{name!r} cannot be reached by Tab")


def test_somebody_without_a_mouse_gets_everywhere(open_window: MakeWindow, town: Town):
    window = open_window("keyboard")
    page = window.page
    window.go("/dashboard/sign-in")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type(town.admin)
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/")

    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED)[1] == "Skip to the content"
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    window.go("/dashboard/")
    tab_to(page, "Tenants")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/tenants")
    tab_to(page, "acme")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")
    tab_to(page, "api_calls")
    page.keyboard.press("t")
    tab_to(page, "Show")
    page.keyboard.press("Enter")
    expect(page.locator("#usage caption")).to_contain_text("tokens")
    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/sign-in")
    assert window.offences == []


def test_a_live_number_does_not_take_the_focus_away(window: Window, town: Town):
    link = window.page.locator("#live a").first
    link.focus()
    counted = window.page.locator("#totals dd").first
    before = counted.inner_text()

    town.report(report("focus", "api_calls", 1))

    expect(counted).not_to_have_text(before)
    expect(link).to_be_focused()
