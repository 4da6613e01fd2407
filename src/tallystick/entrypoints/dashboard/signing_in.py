"""Signing in with an API key, and out again. The key is looked up and forgotten."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tallystick.domain.api_key import KEY_LENGTH_MAX, Scope, digest_of
from tallystick.domain.instant import SECOND
from tallystick.entrypoints.dashboard.rendering import rendered
from tallystick.entrypoints.dashboard.sessions import SESSION_LENGTH
from tallystick.entrypoints.dashboard.visiting import (
    COOKIE,
    COOKIE_PATH,
    HOME,
    SIGN_IN,
    desk_of,
    find_session,
    own_path,
    read_form,
)
from tallystick.entrypoints.http.access import check_allows
from tallystick.entrypoints.http.problems import Problem
from tallystick.entrypoints.http.service import service_of

UNKNOWN: Final = "There is no such key, or it is revoked or has expired."
FOR_EMBEDDING: Final = "This token opens an embedded page, and no session here; sign in with a key."


async def show_sign_in(request: Request) -> Response:
    onward = own_path(request.query_params.get("next", ""))
    if find_session(request) is not None:
        return RedirectResponse(onward, status_code=303)
    return _form(onward)


async def sign_in(request: Request) -> Response:
    """A session for a live key that may read."""
    desk, address = desk_of(request), request.client.host if request.client else ""
    wait = desk.guesses.wait_for(address)
    if wait:
        return _too_often(wait)
    form = await read_form(request)
    onward = own_path(form.get("next", ("",))[0])
    text = form.get("key", ("",))[0].strip()
    fault = await _fault(request, text)
    if fault:
        desk.guesses.note_failure(address)
        return _form(onward, fault=fault, status=401)
    desk.guesses.forget(address)
    answer = RedirectResponse(onward, status_code=303)
    answer.set_cookie(
        COOKIE,
        desk.sessions.begin(digest_of(text)),
        max_age=SESSION_LENGTH // SECOND,
        path=COOKIE_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


async def sign_out(request: Request) -> Response:
    """End the session; without its token nobody is signed out by another's form."""
    session, form = find_session(request), await read_form(request)
    answer = RedirectResponse(SIGN_IN, status_code=303)
    if session is not None and form.get("csrf", ("",))[0] == session.csrf:
        desk_of(request).sessions.end(request.cookies[COOKIE])
        answer.delete_cookie(COOKIE, path=COOKIE_PATH)
    return answer


async def _fault(request: Request, text: str) -> str:
    """Why this text opens no session; '' where it does."""
    if not text or len(text) > KEY_LENGTH_MAX:
        return UNKNOWN
    service = service_of(request)
    try:
        key = await service.access.live(digest_of(text), service.in_thread)
        check_allows(key, Scope.READ)
    except Problem as problem:
        if problem.status == 401:
            return UNKNOWN
        if problem.status == 403:
            return "This key may not look at anything; sign in with one of scope read or admin."
        raise
    return FOR_EMBEDDING if key.is_token else ""


def _form(onward: str, *, fault: str = "", status: int = 200) -> Response:
    shown_next = "" if onward == HOME else onward
    return rendered("sign_in.html", {"onward": shown_next, "fault": fault}, status=status)


def _too_often(wait: int) -> Response:
    seconds = -(-wait // SECOND)
    fault = f"Too many attempts from this address; try again in {seconds} seconds."
    answer = _form(HOME, fault=fault, status=429)
    answer.headers["Retry-After"] = str(seconds)
    return answer
