"""Who is let in, for how long, and that nobody else's form or page does anything in their name."""

import re

import pytest

from tallystick.domain.api_key import Scope
from tallystick.domain.instant import HOUR, MINUTE, SECOND
from tallystick.entrypoints.dashboard.sessions import (
    ADDRESSES_MAX,
    FAILURES_MAX,
    SESSIONS_MAX,
    Guesses,
    Sessions,
)
from tallystick.entrypoints.dashboard.site import PAGES
from tallystick.entrypoints.dashboard.visiting import own_path
from tests.dashboard.conftest import Person, signed_in
from tests.dashboard.markup import read
from tests.http.conftest import AUDIT, NOW, Api

OPEN = ("/sign-in", "/static/{name:path}")
SEEN = [r.path for r in PAGES if "GET" in (r.methods or ()) and r.path not in OPEN]
DONE = [r.path for r in PAGES if "POST" in (r.methods or ()) and r.path != "/sign-in"]


def sign_in(api: Api, key: str, path: str = "/dashboard/sign-in", **headers: str):
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return api.client.post(path, data={"key": key}, headers=names, follow_redirects=False)


@pytest.mark.parametrize("path", SEEN)
def test_a_stranger_is_sent_to_sign_in_and_back(api: Api, path):
    stranger = Person(api, "tallystick_session=made-up")

    place = stranger.get(f"{path}?id=acme", status=303).headers["location"]
    assert place.startswith("/dashboard/sign-in?next=%2Fdashboard%2F")

    fragment = stranger.get(path, status=401, hx_request="true")
    assert fragment.headers["hx-redirect"] == "/dashboard/sign-in"
    assert fragment.text == ""


def test_after_signing_in_one_is_where_one_wanted_to_be(api: Api):
    page = read(api.client.get("/dashboard/sign-in?next=%2Fdashboard%2Fmeters").text)
    onward = page.one("input", name="next").attributes["value"]
    sent = {"key": api.key(Scope.READ), "next": onward}

    answer = api.client.post("/dashboard/sign-in", data=sent, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/meters")


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/dashboard/", "/\\evil.example", "/api/v1/keys", "",
     "/dashboard/\r\nx: y", "\\\\evil.example", "javascript:alert(1)", "/dashboardx"],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_signing_in(elsewhere):
    assert own_path(elsewhere) == "/dashboard/"
    assert own_path("/dashboard/tenant?id=a%2Fb") == "/dashboard/tenant?id=a%2Fb"


def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_lines(api: Api):
    plain = sign_in(api, api.key(Scope.READ)).headers["set-cookie"]
    url = "https://testserver/dashboard/sign-in"
    safe = sign_in(api, api.key(Scope.READ), url).headers["set-cookie"]

    for part in ("HttpOnly", "Path=/dashboard", "SameSite=strict", "Max-Age=43200"):
        assert part in plain
        assert part in safe
    assert ("Secure" in plain, "Secure" in safe) == (False, True)
    assert re.search(r"tallystick_session=[\w-]{43};", plain)


def test_only_a_live_key_that_may_look_opens_a_session(api: Api):
    expired = api.key(Scope.READ, expires_at=NOW)
    ingest = api.key(Scope.INGEST)

    for key in ("", "tally_nobody", "x" * 1_000, expired):
        refused = sign_in(api, key)
        assert refused.status_code == 401
        assert "There is no such key" in read(refused.text).one("p", id="fault").text
    refused = sign_in(api, ingest)
    assert "may not look" in read(refused.text).one("p", id="fault").text
    assert "set-cookie" not in refused.headers


def test_a_session_ends_after_twelve_hours(api: Api, admin: Person):
    admin.get("/meters")
    api.clock.sleep(12 * HOUR - 1)
    admin.get("/meters")
    api.clock.sleep(1)

    assert "sign-in" in admin.get("/meters", status=303).headers["location"]


def test_a_session_ends_with_its_key(api: Api):
    reader = signed_in(api, Scope.READ)
    key = api.store.keys.list()[-1]
    reader.get("/meters")

    api.store.keys.revoke(key.id, NOW, AUDIT)
    api.clock.sleep(2 * SECOND)

    assert "sign-in" in reader.get("/meters", status=303).headers["location"]
    # Or whoever has it would go round in circles.
    assert reader.main("/sign-in").all("input", name="key")


def test_who_signs_out_is_out(api: Api, admin: Person):
    admin.post("/sign-out")

    admin.get("/meters", status=303)


@pytest.mark.parametrize("path", DONE)
@pytest.mark.parametrize("token", ["", "made-up"])
def test_no_form_works_without_the_session_s_own_token(api: Api, admin: Person, path, token):
    before = (api.store.catalog.overrides(), api.store.keys.list())

    fields = {"action": "pause", "why": "x", "slug": "x", "scope": "read", "reason": "invalid"}
    status = 303 if path == "/sign-out" else 403
    answer = admin.post(path, csrf=token, status=status, **fields)

    assert (api.store.catalog.overrides(), api.store.keys.list()) == before
    admin.get("/meters")
    assert path == "/sign-out" or "another session" in answer.text


@pytest.mark.parametrize("path", ["/sign-in", *DONE])
@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}],
)
def test_a_form_from_another_site_is_refused(api: Api, admin: Person, path, headers):
    sent = {"csrf": admin.csrf(), "key": api.key(Scope.READ), "why": "x", "action": "pause"}
    names = {"cookie": admin.cookie, **headers}

    answer = api.client.post(f"/dashboard{path}", data=sent, headers=names, follow_redirects=False)

    assert answer.status_code == 403
    assert "another site" in answer.text
    assert "set-cookie" not in answer.headers


def test_whoever_guesses_has_to_wait(api: Api):
    for _ in range(FAILURES_MAX):
        assert sign_in(api, "tally_guess").status_code == 401
    key = api.key(Scope.READ)

    refused = sign_in(api, key)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "300")
    assert "300 seconds" in read(refused.text).one("p", id="fault").text

    api.clock.sleep(5 * MINUTE)
    assert sign_in(api, key).status_code == 303


def test_who_signs_in_has_no_failures_left(api: Api):
    for _ in range(2):
        for _ in range(FAILURES_MAX - 1):
            sign_in(api, "tally_guess")
        assert sign_in(api, api.key(Scope.READ)).status_code == 303


def test_what_is_remembered_of_people_is_bounded(api: Api):
    guesses, sessions = Guesses(api.clock), Sessions(api.clock)
    first = sessions.begin("digest")
    for number in range(ADDRESSES_MAX + 10):
        guesses.note_failure(f"10.0.{number // 256}.{number % 256}")
        sessions.begin("digest")

    assert len(guesses._failures) == ADDRESSES_MAX
    assert len(sessions._sessions) == SESSIONS_MAX
    assert sessions.find(first) is None


def test_a_dump_of_the_memory_opens_no_session(api: Api):
    sessions = Sessions(api.clock)
    session_id = sessions.begin("digest")

    assert session_id not in repr(vars(sessions))
    assert sessions.find(session_id) is not None


def test_what_is_no_form_is_refused(api: Api, admin: Person):
    names = {"cookie": admin.cookie, "content-type": "application/json"}
    answer = api.client.post("/dashboard/meters", content=b"{}", headers=names)
    assert answer.status_code == 415

    names["content-type"] = "application/x-www-form-urlencoded"
    for content in (b"\xff=%ff", b"&".join(b"a=b" for _ in range(100))):
        answer = api.client.post("/dashboard/meters", content=content, headers=names)
        assert answer.status_code == 400
