"""Conversations of the official SDK, one for each way that a run may go; one text for both of its clients."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import openai
import pytest

from journeys.flavour import done, opened
from support.situations import CODE, TIME, WEATHER

Talk = Callable[[Any], Awaitable[None]]
POLL = {"poll_interval_ms": 20}
THINKS_S = 0.6
OUTPUT = '{"sky":"clear","celsius":22}'


async def text_streamed(client: Any) -> None:
    """A run in text, by the streaming helper."""
    await _streamed(client.beta.threads.create_and_run_stream, **await _greeted(client))


async def slowly(client: Any) -> None:
    """A run that thinks for a while before it says a word."""
    acts = json.dumps([{"wait_s": THINKS_S}, {"say": "Good things take time."}])
    await _streamed(client.beta.threads.create_and_run_stream, **await _greeted(client), metadata={"sandbox": acts})


async def text_polled(client: Any) -> None:
    """The same by the polling helper, and its steps read afterwards."""
    where = await _where(client)
    run = await done(client.beta.threads.runs.create_and_poll(**where, **POLL))
    await done(client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id))


async def tool_streamed(client: Any) -> None:
    """A function call: two streams, one run."""
    run = await _streamed(client.beta.threads.runs.stream, **await _where(client, "The weather?", WEATHER))
    await _streamed(client.beta.threads.runs.submit_tool_outputs_stream, **_outputs(run))


async def tool_polled(client: Any) -> None:
    """A function call, polled before the outputs and after them."""
    where = await _where(client, "The weather?", WEATHER)
    run = await done(client.beta.threads.runs.create_and_poll(**where, **POLL))
    await done(client.beta.threads.runs.submit_tool_outputs_and_poll(**_outputs(run), **POLL))


async def tools_parallel(client: Any) -> None:
    """Two calls in one step, answered at once."""
    where = await _where(client, "The weather and the time in Lisbon?", WEATHER, TIME)
    run = await _streamed(client.beta.threads.runs.stream, **where)
    await _streamed(client.beta.threads.runs.submit_tool_outputs_stream, **_outputs(run))


async def tools_mixed(client: Any) -> None:
    """The run is streamed, what follows the outputs is polled."""
    run = await _streamed(client.beta.threads.runs.stream, **await _where(client, "The weather?", WEATHER))
    await done(client.beta.threads.runs.submit_tool_outputs_and_poll(**_outputs(run), **POLL))


async def code(client: Any) -> None:
    """Code that the service runs."""
    await _streamed(client.beta.threads.runs.stream, **await _where(client, "What is the sum of 19 and 23?", CODE))


async def cancelled(client: Any) -> None:
    """A run that is cancelled while it works."""
    runs = client.beta.threads.runs
    run = await done(runs.create(**await _where(client), metadata={"sandbox": "stall"}))
    named = {"thread_id": run.thread_id, "run_id": run.id}
    await done(runs.cancel(**named))
    assert (await done(runs.poll(**named, **POLL))).status == "cancelled"


async def failed(client: Any) -> None:
    """Runs that fail, streamed and polled."""
    await _fated(client, "fail rate_limit_exceeded")


async def incomplete(client: Any) -> None:
    """Runs that stop at a bound, streamed and polled."""
    await _fated(client, "incomplete max_completion_tokens")


async def expired(client: Any) -> None:
    """Runs that expire, streamed and polled."""
    await _fated(client, "expire")


async def torn(client: Any) -> None:
    """A stream that breaks; its run goes on, and is polled to its end."""
    events: list[Any] = []
    with pytest.raises(openai.APIConnectionError):
        await _each(await _raw(client, "cut"), events)
    await _ended(client, events)


async def left(client: Any) -> None:
    """A client that hangs up while nothing comes; its run is cancelled by a later request."""
    stream = await _raw(client, json.dumps([{"say": "Wait for it."}, {"stall": True}]))
    events: list[Any] = []
    await _each(stream, events, until="thread.message.delta")
    await done(stream.close())
    run = events[0].data
    await done(client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id))
    await _ended(client, events)


TALKS: Mapping[str, Talk] = {
    one.__name__: one
    for one in (
        text_streamed, slowly, text_polled, tool_streamed, tool_polled, tools_parallel, tools_mixed, code, cancelled,
        failed, incomplete, expired, torn, left,
    )
}  # fmt: skip


async def _streamed(start: Callable[..., Any], **asked: Any) -> Any:
    """Follow a stream by the SDK's helper; gives its run."""
    async with opened(start(**asked)) as stream:
        await done(stream.until_done())
        return stream.current_run


async def _raw(client: Any, fate: str) -> Any:
    return await done(client.beta.threads.runs.create(**await _where(client), metadata={"sandbox": fate}, stream=True))


async def _each(stream: Any, events: list[Any], until: str = "") -> None:
    """Gather events to the stream's end, or to the first one of a name."""
    if not hasattr(stream, "__aiter__"):
        return _gather(stream, events, until)
    async for event in stream:
        events.append(event)
        if event.event == until:
            return None
    return None


def _gather(stream: Any, events: list[Any], until: str) -> None:
    for event in stream:
        events.append(event)
        if event.event == until:
            return


async def _ended(client: Any, events: list[Any]) -> None:
    run = events[0].data
    await done(client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, **POLL))


async def _fated(client: Any, fate: str) -> None:
    asked = {**await _greeted(client), "metadata": {"sandbox": fate}}
    await _streamed(client.beta.threads.create_and_run_stream, **asked)
    await done(client.beta.threads.create_and_run_poll(**asked, **POLL))


async def _greeted(client: Any) -> dict[str, Any]:
    greeting = {"messages": [{"role": "user", "content": "Hello!"}]}
    return {"assistant_id": await _assistant(client), "thread": greeting}


async def _where(client: Any, words: str = "Hello!", *tools: Any) -> dict[str, Any]:
    thread = await done(client.beta.threads.create(messages=[{"role": "user", "content": words}]))
    return {"thread_id": thread.id, "assistant_id": await _assistant(client, tools)}


async def _assistant(client: Any, tools: Any = ()) -> str:
    made = await done(client.beta.assistants.create(model="gpt-4o-mini", name="Ada", tools=tools))
    return str(made.id)


def _outputs(run: Any) -> dict[str, Any]:
    calls = run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": call.id, "output": OUTPUT} for call in calls]
    return {"run_id": run.id, "thread_id": run.thread_id, "tool_outputs": outputs}
