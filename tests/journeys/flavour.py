"""What makes one journey serve both clients of the SDK: the blocking one answers, the asynchronous one promises."""

import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai

HOOKS = (
    "on_end", "on_event", "on_exception", "on_image_file_done", "on_message_created", "on_message_delta",
    "on_message_done", "on_run_step_created", "on_run_step_delta", "on_run_step_done", "on_text_created",
    "on_text_delta", "on_text_done", "on_timeout", "on_tool_call_created", "on_tool_call_delta", "on_tool_call_done",
)  # fmt: skip


async def done(answer: Any) -> Any:
    """Give an answer, or wait for a promised one."""
    return await answer if inspect.isawaitable(answer) else answer


async def each(items: Any) -> list[Any]:
    """Walk pages or a stream to the end, as the SDK walks them, or the items that are at hand."""
    if hasattr(items, "__aiter__"):
        return [seen(one) async for one in items]
    return [seen(one) for one in items]


@asynccontextmanager
async def opened(manager: Any) -> AsyncIterator[Any]:
    """Enter and leave a manager of either kind."""
    if hasattr(manager, "__aenter__"):
        async with manager as inner:
            yield inner
    else:
        with manager as inner:
            yield inner


def seen(answer: Any) -> Any:
    """Give an object's fields as they came: with those that this SDK does not know, without those only it knows."""
    return json.loads(answer.model_dump_json(exclude_unset=True))


async def refusal(ask: Callable[[], Any]) -> dict[str, Any]:
    """Give what the SDK makes of an error; raises AssertionError where there is none."""
    try:
        await done(ask())
    except openai.APIStatusError as error:
        named = {name: getattr(error, name) for name in ("status_code", "type", "code", "param", "body")}
        return {"kind": type(error).__name__, "request": error.response.headers["x-request-id"], **named}
    raise AssertionError("this was not refused")


def listener(client: Any) -> tuple[Any, list[str]]:
    """Make the SDK's event handler for this client, and the list of its hooks as they are called."""
    called: list[str] = []
    is_async = isinstance(client, openai.AsyncOpenAI)
    kind = openai.AsyncAssistantEventHandler if is_async else openai.AssistantEventHandler
    hook = _promised_hook if is_async else _hook
    return type("Listener", (kind,), {name: hook(name, called) for name in HOOKS})(), called


def _hook(name: str, called: list[str]) -> Any:
    def note(_self: object, *_told: object) -> None:
        called.append(name)

    return note


def _promised_hook(name: str, called: list[str]) -> Any:
    async def note(_self: object, *_told: object) -> None:
        called.append(name)

    return note
