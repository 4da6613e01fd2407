"""A tenant's usage in somebody else's page: by a token of that tenant, and framed by who may."""

from collections.abc import Callable

import pytest

from tallystick.config import Settings, read_settings
from tallystick.domain.api_key import Scope
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.tenant import Tenant
from tests.dashboard.markup import read
from tests.http.conftest import AUDIT, NOW, Api, native

ORIGIN = "https://app.example.com"


def usage(api: Api, key: str, query: str = ""):
    names = {"authorization": f"Bearer {key}"}
    return api.client.get(f"/embed/usage/now{query}", headers=names)


def test_a_token_shows_its_tenant_and_no_other(api: Api):
    api.store.catalog.save(Tenant(id="beta"), AUDIT)
    api.post([native("a", "1.5"), {**native("b", 900), "TenantID": "beta"}])

    answer = usage(api, api.key(Scope.READ, tenant="acme"), "?reach=day&id=beta&tenant=beta")

    page = read(answer.text)
    assert page.one("dl", id="open-windows").one("dd").text.startswith("1.5 sum of 1 events")
    assert page.one("table", id="usage").one("tfoot").text == "The whole span 1.5"
    assert "beta" not in answer.text
    assert "900" not in page.text


def test_what_is_no_token_of_a_tenant_shows_nothing(api: Api):
    assert usage(api, "tally_made_up").status_code == 401
    assert usage(api, api.key(Scope.READ, tenant="acme", expires_at=NOW)).status_code == 401
    assert usage(api, api.key(Scope.INGEST, tenant="acme")).status_code == 403
    refused = usage(api, api.key(Scope.READ))
    assert refused.status_code == 403
    assert "bound to it" in read(refused.text).one("p", role="alert").text
    assert "Sign in" not in refused.text


def test_a_token_of_the_api_opens_the_page_until_it_ends(api: Api):
    names = {"authorization": f"Bearer {api.key(Scope.READ)}"}
    asked = {"tenant": "acme", "expires_in": 60}
    token = api.client.post("/api/v1/tokens", json=asked, headers=names).json()["token"]

    assert usage(api, token).status_code == 200
    refused = api.client.post("/dashboard/sign-in", data={"key": token}, follow_redirects=False)
    assert refused.status_code == 401
    assert "opens an embedded page" in refused.text
    api.clock.sleep(60_000_000)
    assert usage(api, token).status_code == 401


def test_the_shell_is_open_to_all_and_holds_nothing(api: Api):
    answer = api.client.get("/embed/usage")

    assert answer.status_code == 200
    assert "acme" not in answer.text
    form = read(answer.text).one("form")
    assert form.attributes["hx-get"] == "/embed/usage/now"


@pytest.mark.parametrize(
    ("origins", "framing"), [((), "'none'"), ((ORIGIN, "https://*.example.org"),) * 2]
)
def test_only_who_may_frames_the_page(make_api: Callable[..., Api], origins, framing):
    api = make_api(Settings(embed_origins=origins))
    wanted = framing if isinstance(framing, str) else " ".join(framing)

    for path in ("/embed/usage", "/embed/usage/now"):
        headers = api.client.get(path).headers
        assert headers["content-security-policy"].endswith(f"frame-ancestors {wanted}")
        assert headers.get("x-frame-options") == (None if origins else "DENY")
    everywhere = api.client.get("/dashboard/sign-in").headers["content-security-policy"]
    assert everywhere.endswith("frame-ancestors 'none'")


def test_whose_pages_may_frame_is_read_strictly():
    def read_as(text: str) -> tuple[str, ...]:
        return read_settings({"TALLYSTICK_EMBED_ORIGINS": text}).embed_origins

    assert read_as("") == ()
    assert read_as(f"{ORIGIN}, http://localhost:3000\nhttps://*.example.org:*") == (
        ORIGIN, "http://localhost:3000", "https://*.example.org:*")  # fmt: skip
    for text in ("*", "example.com", "http://example.com", f"{ORIGIN}/path", "'self'", f"{ORIGIN};",
                 "https:"):  # fmt: skip
        with pytest.raises(InvalidSetting, match="no origin"):
            read_as(text)
