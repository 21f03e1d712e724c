"""The requests of one connection, one after the other: aiohttp's own way, without a task and a writer for each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _PAYLOAD_ACCESS_ERROR, ERROR, _ErrInfo

from wiretape.edge.respond import Relayed

INTERNAL = 500
_NO_REQUEST = ERROR._replace(version=HttpVersion11)
"""What stands for bytes that are none: as HTTP/1.0, aiohttp's, its answer would not tell of the close that follows."""
Handler = Callable[[web.BaseRequest], Awaitable[Relayed]]


class Serving(web.RequestHandler):
    """Answers with what `handler` gives, and with `_objected` what is no request or went wrong."""

    __slots__ = ("handler",)

    def __init__(self, server: web.Server, handler: Handler, **options: Any) -> None:  # noqa: ANN401  aiohttp's own
        super().__init__(server, **options)
        self.handler = handler

    async def start(self) -> None:
        """Serve one request after the other, in this one task: aiohttp has a task, a writer and more for each."""
        while not self._force_close:
            if not self._messages:
                await self._next()
            message, payload = self._messages.popleft()
            self._make_room()
            request = self._request(message, payload)
            try:
                is_last = not await self._serve(request, message, payload)
            except ConnectionError:
                break
            except Exception as error:  # noqa: BLE001  a body that broke off while it was passed over, at most
                self.log_exception("Unhandled exception", exc_info=error)
                self.force_close()
                break
            except BaseException:
                self.force_close()
                raise
            if is_last or self._close:
                break
            self._wait_idle()
        self._leave()

    async def _next(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _make_room(self) -> None:
        """Let pipelined requests be parsed again, as aiohttp bounds those that wait."""
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()

    def _request(self, message: Any, payload: StreamReader) -> web.BaseRequest:  # noqa: ANN401  aiohttp's own
        head = _NO_REQUEST if isinstance(message, _ErrInfo) else message
        task = cast("asyncio.Task[None]", self._task_handler)
        return web.BaseRequest(head, payload, self, cast("AbstractStreamWriter", None), task, self._loop)

    async def _serve(self, request: web.BaseRequest, message: Any, payload: StreamReader) -> bool:  # noqa: ANN401  aiohttp's own
        """Answer a request, and see what is left of its body; gives whether the connection may carry another."""
        self._request_in_progress = True
        try:
            response = await self._answered(request, message)
            if self._upgraded:  # and refused: what came after the request is yet to be parsed
                await self.finish_response(request, cast("web.StreamResponse", response), None)
            else:
                await response.write_eof()
        finally:
            self._request_in_progress = False
            if self._handler_waiter is not None:
                self._handler_waiter.set_result(None)
        self._keepalive = response.keep_alive
        if payload is not EMPTY_PAYLOAD:
            await self._pass_over(payload)
        return self._keepalive

    async def _answered(self, request: web.BaseRequest, message: Any) -> Relayed:  # noqa: ANN401  aiohttp's own
        if isinstance(message, _ErrInfo):
            return self._objected(request, message.status, message.exc)
        self._current_request = request
        try:
            return await self.handler(request)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001  a mistake of ours; the handler has logged it
            return self._objected(request, INTERNAL, error)
        finally:
            self._current_request = None

    async def _pass_over(self, payload: StreamReader) -> None:
        """Read what is left of a body, but not for ever: after that the connection cannot be used."""
        if not payload.is_eof():
            await self._drop(payload)
        payload.set_exception(_PAYLOAD_ACCESS_ERROR)

    async def _drop(self, payload: StreamReader) -> None:
        await asyncio.sleep(0)  # an upload that was cancelled lets go of its body only now; two may not read it
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._lingering_time):
                while not (payload.is_eof() or self._force_close):
                    await payload.readany()
        if not payload.is_eof():
            self.close()

    def _wait_idle(self) -> None:
        due_s = self._loop.time() + self.keepalive_timeout
        self._next_keepalive_close_time = due_s
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(due_s, self._process_keepalive)

    def _leave(self) -> None:
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    def _objected(self, request: web.BaseRequest, status: int, error: BaseException | None) -> Relayed:
        """Answer in the handler's place."""
        raise NotImplementedError
