"""The admin listener's `/api/sessions`: what a test suite in any language creates, resets, reads and asserts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote

import msgspec
from aiohttp import web
from msgspec import Struct

from wiretape.edge.checks import number_problems
from wiretape.edge.routes import SESSION_PREFIX
from wiretape.edge.sessions import Session, SessionCounts, Sessions, SessionSettings
from wiretape.errors import BadRequest, ConfigError, SessionUnknown

PATH = "/api/sessions"
ONE = PATH + "/{name}"
_ALL = "all"


class Wanted(SessionSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that creates a session: its name, and how it plays."""

    name: str


class Shown(Struct, frozen=True):
    """What a session has come to, and where its client has to send its requests; a list tells counts alone."""

    base_url: str
    report: SessionCounts


class SessionApi:
    """The handlers. `sessions` is None in a mode that has none; `traffic_url` is where clients ask."""

    def __init__(self, sessions: Sessions | None, traffic_url: Callable[[], str]) -> None:
        self._sessions = sessions
        self._traffic_url = traffic_url

    @property
    def routes(self) -> list[web.RouteDef]:
        """All of them; no GET changes anything."""
        return [
            web.get(PATH, self._list),
            web.post(PATH, self._create),
            web.get(ONE, self._named(self._show)),
            web.delete(ONE, self._named(self._delete)),
            web.post(f"{ONE}/reset", self._named(self._reset)),
            web.get(f"{ONE}/assert", self._named(self._assert)),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        return _json([self._shown(one) for one in self._sessions.counts()] if self._sessions else [])

    async def _create(self, request: web.Request) -> web.Response:
        wanted = _wanted(await request.read())
        settings = {name: getattr(wanted, name) for name in SessionSettings.__struct_fields__}
        try:
            made = await self._there(wanted.name).create(wanted.name, SessionSettings(**settings))
        except ConfigError as error:
            raise BadRequest(str(error)) from error
        return self._told(made, HTTPStatus.CREATED)

    async def _show(self, sessions: Sessions, request: web.Request) -> web.Response:
        return self._told(sessions.known(request.match_info["name"]))

    async def _delete(self, sessions: Sessions, request: web.Request) -> web.Response:
        sessions.delete(request.match_info["name"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _reset(self, sessions: Sessions, request: web.Request) -> web.Response:
        return self._told(sessions.reset(request.match_info["name"]))

    async def _assert(self, sessions: Sessions, request: web.Request) -> web.Response:
        """Answer 200, or 409 with the same report."""
        asked = request.query.get("played", "")
        if asked not in {"", _ALL}:
            raise BadRequest(f"`played` is `{_ALL}` or left out; got {asked!r}")
        session = sessions.known(request.match_info["name"])
        passes = session.report().passes(played_all=asked == _ALL)
        return self._told(session, HTTPStatus.OK if passes else HTTPStatus.CONFLICT)

    def _named(
        self, handle: Callable[[Sessions, web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            return await handle(self._there(request.match_info["name"]), request)

        return handler

    def _there(self, name: str) -> Sessions:
        if self._sessions is None:
            raise SessionUnknown(f"there is no session {name!r}: modes replay, auto and verify have sessions")
        return self._sessions

    def _told(self, session: Session, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
        return _json(self._shown(session.report()), status)

    def _shown(self, report: SessionCounts) -> Shown:
        return Shown(f"{self._traffic_url()}{SESSION_PREFIX}{quote(report.name, safe='')}/v1", report)


def _wanted(body: bytes) -> Wanted:
    try:
        wanted = msgspec.json.decode(body, type=Wanted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fields = ", ".join(("name", *SessionSettings.__struct_fields__))
        raise BadRequest(f"a session is created by a JSON object with {fields}: {error}") from error
    for problem in number_problems(wanted):
        raise BadRequest(problem)
    return wanted


def _json(value: object, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", status=status)
