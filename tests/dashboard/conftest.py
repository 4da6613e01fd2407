"""The dashboard in this process: somebody who is signed in, and what lies behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tallystick.domain.api_key import Scope
from tests.dashboard.markup import Element, read
from tests.http.conftest import Api, api, make_api
from tests.http.test_management import billed

__all__ = ["api", "billed", "make_api"]


@dataclass
class Person:
    """Somebody at a browser of their own."""

    api: Api
    cookie: str

    def get(self, path: str, *, status: int = 200, **headers: str) -> Any:
        answer = self.api.client.get(
            f"/dashboard{path}", headers=self._headers(headers), follow_redirects=False
        )
        assert answer.status_code == status, f"{answer.status_code}: {answer.text[:2000]}"
        return answer

    def see(self, path: str, *, status: int = 200) -> Element:
        return read(self.get(path, status=status).text)

    def main(self, path: str) -> Element:
        return self.see(path).one("main")

    def post(
        self, path: str, /, *, status: int = 303, csrf: str | None = None, **fields: Any
    ) -> Any:
        """Send a form, by default with the token that a page of the session holds."""
        sent = {"csrf": self.csrf() if csrf is None else csrf, **fields}
        answer = self.api.client.post(
            f"/dashboard{path}", data=sent, headers=self._headers({}), follow_redirects=False
        )
        assert answer.status_code == status, f"{answer.status_code}: {answer.text[:2000]}"
        return answer

    def csrf(self) -> str:
        return self.see("/meters").all("input", name="csrf")[0].attributes["value"]

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {"cookie": self.cookie} | {k.replace("_", "-"): v for k, v in more.items()}


SignIn = Callable[..., Person]


def signed_in(api: Api, *scopes: Scope, key: str = "", **more: Any) -> Person:
    text = key or api.key(*(scopes or (Scope.ADMIN,)), **more)
    answer = api.client.post("/dashboard/sign-in", data={"key": text}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    api.client.cookies.clear()
    return Person(api, answer.headers["set-cookie"].partition(";")[0])


@pytest.fixture
def admin(api: Api) -> Person:
    return signed_in(api)
