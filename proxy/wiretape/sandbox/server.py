"""The sandbox on the network: aiohttp's requests to Calls, answers to JSON or event streams, headers and refusals.

The byte forms are those of captured traffic (reference 3.2, 3.3 and chapter 4): JSON indented by two spaces
without a final newline; a stream's event is `event:`, one line of compact JSON in `data:`, and a blank line,
and the last says `done`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from email.message import Message
from email.utils import formatdate
from pathlib import Path

import msgspec
from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from wiretape.errors import ConfigError
from wiretape.sandbox import api, api_files, api_vectors
from wiretape.sandbox.admission import check_beta, check_key, check_media_type
from wiretape.sandbox.api import Call, Content, Endpoint
from wiretape.sandbox.keeping import Keeper
from wiretape.sandbox.life import Leg, Life, visible
from wiretape.sandbox.objects import NO_FILES, Thread
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.refusals import Refused
from wiretape.sandbox.state import Sandbox, opened
from wiretape.sandbox.tenants import Tenants
from wiretape.sandbox.timeline import CUT, ENDS, Beat
from wiretape.sandbox.work import Run, Step

DONE = b"event: done\ndata: [DONE]\n\n"
LAST = ENDS | {CUT}
"""What nothing of a stream comes after, but `done`."""
ENDPOINTS = (*api.ENDPOINTS, *api_files.ENDPOINTS, *api_vectors.ENDPOINTS)
ASSISTANTS = ("/v1/assistants", "/v1/threads")
"""What needs the beta header, and JSON; files and vector stores do not (openai-dotnet, CanUseBatchIngestion)."""

SANDBOX = web.RequestKey("sandbox", Sandbox)
"""Where a request keeps whose sandbox it is for."""

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(sandbox: Sandbox | None = None, keeper: Keeper | None = None) -> web.Application:
    """An aiohttp application that serves this sandbox, or a new one, under `/v1`; further keys get further ones.

    Raises ConfigError for a file of the keeper's that cannot be read.
    """
    server = Server(Tenants(sandbox or Sandbox(), keeper))
    app = web.Application(middlewares=[server.envelope], client_max_size=server.options.body_bytes_max)
    for method, path, endpoint in ENDPOINTS:
        app.router.add_route(method, path, server.responder(endpoint))
    app.on_shutdown.append(server.stop)
    app.on_cleanup.append(server.close)
    return app


def served(options: SandboxOptions) -> web.Application:
    """The same for what the options describe. Raises ConfigError for a script or a state that cannot be read."""
    sandbox = opened(options)
    keeper = Keeper(Path(options.state)) if options.state else None
    try:
        return application(sandbox, keeper)
    except ConfigError:
        if keeper is not None:
            keeper.close()
        raise


class Server:
    """Sandboxes behind HTTP; open streams end unfinished when it stops."""

    def __init__(self, tenants: Tenants) -> None:
        self.tenants = tenants
        self.options = tenants.first.options
        self.clock = tenants.first.clock
        self._uploads = asyncio.Semaphore(self.options.uploads_max)
        self._open: dict[web.StreamResponse, Life] = {}
        self._stopping = False

    async def stop(self, _app: web.Application) -> None:
        """Wake all streams, so that none holds up the shutdown."""
        self._stopping = True
        for life in self._open.values():
            life.wake()

    async def close(self, _app: web.Application) -> None:
        """Let go of the file, when nobody writes any more."""
        self.tenants.close()

    @web.middleware
    async def envelope(self, request: web.Request, handler: Respond) -> web.StreamResponse:
        """Refuse who may not ask, and put every refusal, also the framework's, into the API's words."""
        try:
            sandbox = self.tenants.of(check(request, self.options.api_key))
            request[SANDBOX] = sandbox
            sandbox.obey(request.method, request.path)
            return await handler(request)
        except Refused as error:
            refused = error
        except web.RequestPayloadError:
            refused = Refused(400, "The request's body broke off, or is not encoded as its headers say.")
        except web.HTTPException as error:
            refused = in_api_words(error, request, self.options)
        answer = self._json(request, refused.body, refused.status)
        if refused.retry_after_s is not None:
            answer.headers["Retry-After"] = str(refused.retry_after_s)
        return answer

    def responder(self, endpoint: Endpoint) -> Respond:
        """What aiohttp calls for one route."""

        async def respond(request: web.Request) -> web.StreamResponse:
            call = await self._call(request)
            sandbox = request[SANDBOX]
            try:
                answer = endpoint(sandbox, call)
            finally:
                self.tenants.keep(sandbox)  # a refusal may have let time come to something, too
            if isinstance(answer, Life):
                return await self._stream(request, answer, answer.leg)
            if isinstance(answer, Content):
                return self._content(request, answer)
            return self._json(request, answer, 200)

        return respond

    async def _call(self, request: web.Request) -> Call:
        return Call(
            ids=request.match_info,
            query=request.query,
            body=await self._body(request),
            content_type=header(request, "Content-Type"),
            now_s=self.clock.now_s(),
            writes=request.method != "GET",
        )

    async def _body(self, request: web.Request) -> bytes:
        """The whole body; of uploads only so many are read at once, as each is held. Raises Refused for a slow one."""
        name, bytes_max = body_bound(request, self.options)
        turn = self._uploads if name == "upload_bytes_max" else nullcontext()
        try:
            async with asyncio.timeout(self.options.body_s), turn:
                return await request.clone(client_max_size=bytes_max).read()
        except TimeoutError as error:
            raise Refused(408, f"The request's body took longer than body_s, {self.options.body_s:g} s.") from error

    def _content(self, request: web.Request, answer: Content) -> web.Response:
        headers = {**self._headers(request, answer.media_type), "Content-Disposition": disposition(answer.filename)}
        return web.Response(body=answer.body, headers=headers)

    def _json(self, request: web.Request, answer: Struct, status: int) -> web.Response:
        body = msgspec.json.format(msgspec.json.encode(answer), indent=2)
        return web.Response(body=body, status=status, headers=self._headers(request, "application/json"))

    def _headers(self, request: web.Request, content_type: str) -> dict[str, str]:
        chance = request.get(SANDBOX, self.tenants.first).chance
        return {
            "Date": formatdate(self.clock.now_s(), usegmt=True),
            "Content-Type": content_type,
            "openai-version": "2020-10-01",
            "openai-organization": "wiretape-sandbox",
            "openai-project": "proj_sandbox",
            "openai-processing-ms": str(chance.processing_ms()),
            "x-request-id": chance.request_id(),
            "Server": "wiretape-sandbox",
            "X-Content-Type-Options": "nosniff",
        }

    async def _stream(self, request: web.Request, life: Life, leg: Leg) -> web.StreamResponse:
        response = web.StreamResponse(headers=self._headers(request, "text/event-stream; charset=utf-8"))
        response.enable_chunked_encoding()
        await response.prepare(request)
        self._open[response] = life
        try:
            is_whole = await self._play(response, life, leg)
        except ConnectionError:
            is_whole = False  # the client left; its run goes on
        finally:
            del self._open[response]
        if not is_whole and request.transport is not None:
            request.transport.abort()  # a torn stream must not look like a whole one
        return response

    async def _play(self, response: web.StreamResponse, life: Life, leg: Leg) -> bool:
        """Send the leg, each beat as it comes due, to its pause or end; False when stopped or torn before that."""
        clock, sent = self.clock, 0
        while not self._stopping:
            now_s = clock.now_s()
            life.advance(now_s)
            due, sent = leg.played[sent:], len(leg.played)
            if due:
                last = next((beat.event for beat in due if beat.event in LAST), "")
                await response.write(b"".join(frames(due, with_passages=leg.with_passages)))
                if last:
                    return last != CUT
            await life.until_due(clock, now_s)
        return False


def frames(beats: Sequence[Beat], *, with_passages: bool) -> Iterator[bytes]:
    """The bytes of events, up to the one that ends the stream, and `done` after it where the stream is not torn."""
    for beat in beats:
        if beat.event == CUT:
            return
        yield frame(beat, with_passages=with_passages)
        if beat.event in ENDS:
            yield DONE
            return


def disposition(filename: str) -> str:
    """The header that names what is downloaded (ruby-openai, files_content); RFC 5987 where the name is not plain."""
    message = Message()
    is_plain = filename.isascii() and filename.isprintable()
    message.add_header("D", "attachment", filename=filename if is_plain else ("utf-8", "", filename))
    return str(message["D"])


def frame(beat: Beat, *, with_passages: bool = False) -> bytes:
    """The event's bytes (reference chapter 4)."""
    told = _as_streamed(beat.data, with_passages=with_passages)
    return b"event: %b\ndata: %b\n\n" % (beat.event.encode(), msgspec.json.encode(told))


def _as_streamed(data: Struct, *, with_passages: bool) -> Struct:
    """An object as streams show it: threads and runs have resources, in all captured streams; JSON answers `{}`."""
    match data:
        case Step():
            return visible(data, with_passages=with_passages)
        case Thread():
            return data.filled
        case Run() if not data.tool_resources:
            return replace(data, tool_resources=NO_FILES)
        case _:
            return data


def check(request: web.Request, api_key: str | None) -> str:
    """The bearer key. Raises Refused without one, or another than `api_key`, or without what else the API asks for."""
    key = check_key(header(request, "Authorization"), api_key)
    if request.path.startswith(ASSISTANTS):
        check_beta(request.headers.get("OpenAI-Beta"))
        if request.can_read_body:
            check_media_type(header(request, "Content-Type"))
    return key


def header(request: web.Request, name: str) -> str:
    """A header's text, empty where there is none; bytes that are no UTF-8 escaped, so that an answer can repeat it."""
    sent = request.headers.get(name, "").encode("utf-8", "surrogateescape")
    return sent.decode("utf-8", "backslashreplace")


def body_bound(request: web.Request, options: SandboxOptions) -> tuple[str, int]:
    """The option that bounds this request's body, by its name, and its value in bytes."""
    name = "upload_bytes_max" if (request.method, request.path) == api_files.UPLOAD else "body_bytes_max"
    return name, getattr(options, name)


def in_api_words(error: web.HTTPException, request: web.Request, options: SandboxOptions) -> Refused:
    """The framework's refusal as the API would say it."""
    match error.status:
        case 404:
            return Refused(404, f"Invalid URL ({request.method} {request.path})")
        case 405:
            return Refused(405, f"Invalid method for URL ({request.method} {request.path})")
        case 413:
            name, bytes_max = body_bound(request, options)
            return Refused(413, f"The request's body is larger than {name}, {bytes_max} bytes.")
        case status:
            return Refused(status, error.reason)
