"""A person's request on its way to a page: who asks, whether they may, and what they sent.

A page is a plain function from a Visit to a Response; it runs in a thread that may block.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.entrypoints.dashboard.rendering import rendered
from tallystick.entrypoints.dashboard.sessions import Guesses, Session, Sessions
from tallystick.entrypoints.http.access import check_allows
from tallystick.entrypoints.http.bodies import read_whole
from tallystick.entrypoints.http.books import check_unbound
from tallystick.entrypoints.http.failing import problem_for
from tallystick.entrypoints.http.observing import KEY_ID
from tallystick.entrypoints.http.problems import TITLES, Problem, request_id, unreadable
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.stages.publishing import ADOPTING, PAUSE

HOME: Final = "/dashboard/"
SIGN_IN: Final = "/dashboard/sign-in"
COOKIE: Final = "tallystick_session"
COOKIE_PATH: Final = "/dashboard"
FORM_FIELDS_MAX: Final = 64
FORM_TYPE: Final = "application/x-www-form-urlencoded"
NO_FORM: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where people sign in."""

    sessions: Sessions
    guesses: Guesses


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request of somebody who is signed in. `asked` is the query, `form` what was posted."""

    service: Service
    key: ApiKey
    session: Session
    url: str
    asked: QueryParams
    form: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_FORM)

    @property
    def now(self) -> int:
        return self.service.app.clock.now()

    def check_unbound(self) -> None:
        """404 for a key of one tenant, where tenants cannot be told apart."""
        check_unbound(self.key)

    def posted(self, name: str) -> str:
        """A field of the form, without blanks around it; '' where it is not there."""
        return next(iter(self.form.get(name, ())), "").strip()

    def render(self, template: str, values: Mapping[str, object], *, status: int = 200) -> Response:
        """A whole page, with what every page shows."""
        switches = self.service.app.store.catalog.switches()
        frame: dict[str, object] = {
            "key": self.key,
            "csrf": self.session.csrf,
            "here": self.url,
            "notice": self.session.take_notice(),
            "is_paused": PAUSE in switches or ADOPTING in switches,
            "may_publish": self.key.allows(Scope.PUBLISH),
            "may_admin": self.key.allows(Scope.ADMIN),
        }
        return rendered(template, {**frame, **values}, status=status)

    def back_to(self, place: str, notice: str) -> Response:
        """Where to look after something was done, and what is said there, once."""
        self.session.notice = notice
        return RedirectResponse(place, status_code=303)


Page = Callable[[Visit], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def page(scope: Scope, show: Page) -> Endpoint:
    """The endpoint of a page that a key of this scope may see."""

    async def endpoint(request: Request) -> Response:
        visit = await _visit(request, scope)
        if visit is None:
            return _sent_to_sign_in(request)
        return await visit.service.in_thread(lambda: show(visit))

    return endpoint


def action(scope: Scope, carry_out: Page) -> Endpoint:
    """The endpoint of a form: the session's own token must be in it."""

    async def endpoint(request: Request) -> Response:
        form = await read_form(request)
        visit = await _visit(request, scope, form)
        if visit is None:
            return _sent_to_sign_in(request)
        if visit.posted("csrf") != visit.session.csrf:
            detail = "the form is from another session; open the page again and send it from there"
            raise Problem(status=403, kind="changed-meanwhile", detail=detail)
        return await visit.service.in_thread(lambda: carry_out(visit))

    return endpoint


def desk_of(request: Request) -> Desk:
    desk = request.app.state.desk
    assert isinstance(desk, Desk)  # noqa: S101  # for the type checker
    return desk


def is_signed_in(request: Request) -> bool | None:
    """None where nobody signs in at all: what is embedded has no desk."""
    if not hasattr(request.app.state, "desk"):
        return None
    return find_session(request) is not None


def find_session(request: Request) -> Session | None:
    session_id = request.cookies.get(COOKIE, "")
    return desk_of(request).sessions.find(session_id) if session_id else None


async def _visit(
    request: Request, scope: Scope, form: Mapping[str, tuple[str, ...]] = NO_FORM
) -> Visit | None:
    """None where nobody is signed in; a session whose key opens nothing any more ends here."""
    session, service = find_session(request), service_of(request)
    if session is None:
        return None
    try:
        key = await service.access.live(session.key_digest, service.in_thread)
    except Problem as problem:
        if problem.status != 401:
            raise
        desk_of(request).sessions.end(request.cookies[COOKIE])
        return None
    request.scope[KEY_ID] = key.id
    check_allows(key, scope)
    return Visit(
        service=service,
        key=key,
        session=session,
        url=_path_and_query(request),
        asked=request.query_params,
        form=form,
    )


def _path_and_query(request: Request) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def _sent_to_sign_in(request: Request) -> Response:
    """A page is left for the sign-in and found again after it; a part of one takes it along."""
    is_fragment = "hx-request" in request.headers
    if is_fragment or request.method == "POST":
        place = SIGN_IN
    else:
        place = f"{SIGN_IN}?next={quote(_path_and_query(request), safe='')}"
    if is_fragment:
        return Response(status_code=401, headers={"HX-Redirect": place})
    return RedirectResponse(place, status_code=303)


def own_path(text: str) -> str:
    """A path of these pages, so that nobody is sent elsewhere after signing in."""
    split = urlsplit(text.replace("\\", "/"))
    is_own = not split.scheme and not split.netloc and split.path.startswith(HOME)
    return text if is_own and text.isprintable() else HOME


async def read_form(request: Request) -> dict[str, tuple[str, ...]]:
    """What a form of ours sent. A browser says where it stood; elsewhere it is refused."""
    _check_origin(request)
    if request.headers.get("content-type", "").partition(";")[0].strip() != FORM_TYPE:
        detail = f"Content-Type must be {FORM_TYPE} here"
        raise Problem(status=415, kind="unsupported-content", detail=detail)
    service = service_of(request)
    body = await read_whole(request, service.memory)
    service.memory.give_back(len(body))
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX, errors="strict"
        )
    except ValueError as error:
        raise unreadable("this is no form of ours") from error
    found: dict[str, tuple[str, ...]] = {}
    for name, text in pairs:
        found[name] = (*found.get(name, ()), text)
    return found


def _check_origin(request: Request) -> None:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_foreign = site not in (None, "same-origin", "none")
    if site is None and origin is not None:
        is_foreign = urlsplit(origin).netloc != request.headers.get("host", "")
    if is_foreign:
        detail = "this form was sent from another site; open the page here"
        raise Problem(status=403, kind="changed-meanwhile", detail=detail)


async def show_problem(request: Request, error: Exception) -> Response:
    """A refusal as a page; a person is told what to do, and the request's name for the log."""
    problem = problem_for(request, error)
    values = {
        "status": problem.status,
        "title": TITLES[problem.kind],
        "detail": problem.detail,
        "request": request_id(request),
        "is_signed_in": is_signed_in(request),
    }
    answer = rendered("problem.html", values, status=problem.status)
    answer.headers.update(problem.headers)
    return answer
