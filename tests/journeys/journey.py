"""A long conversation with an Assistants server by the official SDK alone; prints all that it saw as one JSON document.

It takes OPENAI_BASE_URL and OPENAI_API_KEY, runs wherever an SDK that speaks v2 is, and walks all chapters with the
blocking client and then with the asynchronous one. How often a helper polled is not told: everything else is.
"""

import asyncio
import json
import sys
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import openai
from flavour import done, each, listener, opened, refusal, seen
from library import library
from openai.types.beta.threads import RunStatus

Told = dict[str, Any]
POLL = {"poll_interval_ms": 1}
MODEL = "gpt-4o-mini"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
GREETED = {"messages": [{"role": "user", "content": "Hello!"}]}
FATES = ("fail rate_limit_exceeded", "expire")


async def assistants(client: Any) -> Told:
    """Made, listed page by page in both orders, read, changed, deleted."""
    ours = client.beta.assistants
    made = [seen(await done(ours.create(model=MODEL, name=f"No. {number}"))) for number in range(5)]
    first = made[0]["id"]
    return {
        "made": made,
        "up": await each(ours.list(limit=2, order="asc")),
        "down": await each(ours.list(limit=2, order="desc")),
        "page": await each((await done(ours.list(limit=9, order="asc", before=made[1]["id"]))).data),
        "changed": seen(await done(ours.update(first, name="Ada", metadata={"a": "1"}, temperature=0.5))),
        "read": seen(await done(ours.retrieve(first))),
        "deleted": seen(await done(ours.delete(first))),
        "gone": await refusal(lambda: ours.retrieve(first)),
        "wrong": await refusal(lambda: ours.create(model=MODEL, extra_body={"temperature": 3})),
    }


async def threads(client: Any) -> Told:
    """A thread with messages: listed page by page in both orders, read, changed; then it goes."""
    ours, messages = client.beta.threads, client.beta.threads.messages
    thread = await done(ours.create(messages=[_said("One"), _said("Two")], metadata={"b": "2"}))
    parts = [{"type": "text", "text": "Three"}]
    message = await done(messages.create(thread.id, role="user", content=parts, metadata={"c": "3"}))
    return {
        "made": seen(thread),
        "message": seen(message),
        "up": await each(messages.list(thread.id, limit=2, order="asc")),
        "down": await each(messages.list(thread.id, limit=2)),
        "read": seen(await done(messages.retrieve(message.id, thread_id=thread.id))),
        "labelled": seen(await done(messages.update(message.id, thread_id=thread.id, metadata={"c": "4"}))),
        "less": await _delete_message(messages, thread.id, message.id),
        "changed": seen(await done(ours.update(thread.id, metadata={"b": "5"}))),
        "again": seen(await done(ours.retrieve(thread.id))),
        "deleted": seen(await done(ours.delete(thread.id))),
        "gone": await refusal(lambda: ours.retrieve(thread.id)),
    }


async def _delete_message(messages: Any, thread_id: str, message_id: str) -> Told | None:
    """Delete a message; the oldest SDK has no method for it."""
    if not hasattr(messages, "delete"):
        return None
    return seen(await done(messages.delete(message_id, thread_id=thread_id)))


async def text(client: Any) -> Told:
    """An answer in text, four ways: the streaming helper twice, the raw stream, the polling helper."""
    ours, runs, assistant = client.beta.threads, client.beta.threads.runs, await _assistant(client)
    thread = await done(ours.create(messages=[_said("Hello!")]))
    where = {"thread_id": thread.id, "assistant_id": assistant}
    told = {"heard": await _stream(client, runs.stream, **where, additional_instructions="Be kind.")}
    async with opened(runs.stream(**where)) as stream:
        told["deltas"] = await _texts(stream.text_deltas)
    told["raw"] = await each(await done(runs.create(**where, stream=True)))
    run = await done(runs.create_and_poll(**where, instructions="Be brief.", **POLL))
    steps = await done(runs.steps.list(run.id, thread_id=thread.id, order="asc"))
    named = {"thread_id": thread.id, "run_id": run.id}
    return told | {
        "polled": seen(run),
        "steps": await each(steps.data),
        "step": seen(await done(runs.steps.retrieve(steps.data[0].id, **named))),
        "messages": await each(ours.messages.list(thread.id, limit=3)),
        "runs": await each(runs.list(thread.id, limit=2, order="asc")),
        "labelled": seen(await done(runs.update(**named, metadata={"d": "6"}))),
    }


async def tools(client: Any) -> Told:
    """A function call, by streams and by polls."""
    runs, assistant = client.beta.threads.runs, await _assistant(client, tools=[WEATHER])
    thread = await done(client.beta.threads.create(messages=[_said("What is the weather in Lisbon?")]))
    where = {"thread_id": thread.id, "assistant_id": assistant}
    told: Told = {"asked": await _stream(client, runs.stream, **where)}
    told["answered"] = await _stream(client, runs.submit_tool_outputs_stream, **_outputs(told["asked"]["run"]))
    told["waits"] = seen(await done(runs.create_and_poll(**where, **POLL)))
    told["polled"] = seen(await done(runs.submit_tool_outputs_and_poll(**_outputs(told["waits"]), **POLL)))
    told["waits raw"] = await each(await done(runs.create(**where, stream=True)))
    last = _outputs(told["waits raw"][-1]["data"])
    told["raw"] = await each(await done(runs.submit_tool_outputs(**last, stream=True)))
    told["late"] = await refusal(lambda: runs.submit_tool_outputs(**last))
    told["steps"] = await each(runs.steps.list(last["run_id"], thread_id=thread.id, limit=1, order="asc"))
    return told


async def together(client: Any) -> Told:
    """Thread and run made by one request: streamed by the helper and raw, and polled."""
    ours, assistant = client.beta.threads, await _assistant(client, name="Together")
    whole = {"assistant_id": assistant, "thread": GREETED}
    return {
        "helper": await _stream(client, ours.create_and_run_stream, **whole),
        "raw": await each(await done(ours.create_and_run(**whole, stream=True))),
        "polled": seen(await done(ours.create_and_run_poll(**whole, **POLL))),
    }


async def fates(client: Any) -> Told:
    """Runs that do not complete, and one that is cancelled while its thread is busy."""
    ours, runs, assistant = client.beta.threads, client.beta.threads.runs, await _assistant(client)
    told: Told = {}
    for fate in FATES:
        rehearsed = {"assistant_id": assistant, "thread": GREETED, "metadata": {"sandbox": fate}}
        told[fate] = await _stream(client, ours.create_and_run_stream, **rehearsed)
        told[f"{fate}, polled"] = seen(await done(ours.create_and_run_poll(**rehearsed, **POLL)))
    stalled = {"assistant_id": assistant, "thread": GREETED, "metadata": {"sandbox": "stall"}}
    run = await done(ours.create_and_run(**stalled))
    named = {"thread_id": run.thread_id, "run_id": run.id}
    return told | {
        "stalled": seen(run),
        "busy": await refusal(lambda: ours.messages.create(run.thread_id, role="user", content="More")),
        "busy too": await refusal(lambda: runs.create(run.thread_id, assistant_id=assistant)),
        "cancelling": seen(await done(runs.cancel(**named))),
        "cancelled": seen(await done(runs.poll(**named, **POLL))),
        "too late": await refusal(lambda: runs.cancel(**named)),
        "runs": await each(runs.list(run.thread_id)),
    }


async def bounded(client: Any) -> Told:
    """A run that stops at a bound: the oldest SDK does not know `incomplete`, and would poll for ever."""
    ours, rehearsed = client.beta.threads, {"metadata": {"sandbox": "incomplete max_completion_tokens"}}
    whole = {"assistant_id": await _assistant(client), "thread": GREETED, **rehearsed}
    told = await _stream(client, ours.create_and_run_stream, **whole)
    is_known = "incomplete" in get_args(RunStatus)
    return told | {"polled": seen(await done(ours.create_and_run_poll(**whole, **POLL))) if is_known else None}


async def farewell(client: Any) -> Told:
    """Every assistant that is left is deleted, so that the next journey starts as this one did."""
    ours = client.beta.assistants
    left = await each(ours.list())
    return {"deleted": [seen(await done(ours.delete(one["id"]))) for one in left], "none": await each(ours.list())}


CHAPTERS: tuple[Callable[[Any], Awaitable[Told]], ...] = (
    assistants, threads, text, tools, together, fates, bounded, library, farewell,
)  # fmt: skip


def _said(words: str) -> Told:
    return {"role": "user", "content": words}


async def _assistant(client: Any, **settings: Any) -> str:
    return (await done(client.beta.assistants.create(model=MODEL, **settings))).id


async def _texts(deltas: Any) -> list[str]:
    return [one async for one in deltas] if hasattr(deltas, "__aiter__") else list(deltas)


async def _stream(client: Any, start: Callable[..., Any], **settings: Any) -> Told:
    """Let the SDK's helper follow a stream: the events, the hooks called, and what it put together from them."""
    handler, called = listener(client)
    async with opened(start(**settings, event_handler=handler)) as stream:
        return {
            "events": await each(stream),
            "called": called,
            "run": seen(await done(stream.get_final_run())),
            "steps": [seen(one) for one in await done(stream.get_final_run_steps())],
            "messages": [seen(one) for one in await _messages(stream)],
        }


async def _messages(stream: Any) -> list[Any]:
    """Give the finished messages; where a run wrote none, the SDK raises."""
    try:
        return await done(stream.get_final_messages())
    except RuntimeError:
        return []


def _outputs(run: Told) -> Told:
    """Answer all the calls that a run waits for."""
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = [{"tool_call_id": call["id"], "output": '{"sky":"clear","celsius":22}'} for call in calls]
    return {"run_id": run["id"], "thread_id": run["thread_id"], "tool_outputs": outputs}


async def main() -> Told:
    """Walk all chapters, one after the other, with either client."""
    return {"sync": await _walk(openai.OpenAI()), "async": await _walk(openai.AsyncOpenAI())}


async def _walk(client: Any) -> Told:
    async with opened(client):
        return {chapter.__name__: await chapter(client) for chapter in CHAPTERS}


if __name__ == "__main__":
    warnings.simplefilter("error")
    # That the hosted service is gone is why we are here; the SDK says so at every call.
    warnings.filterwarnings("ignore", r"deprecated\Z|The Assistants API is deprecated", DeprecationWarning)
    json.dump({"sdk": openai.__version__, **asyncio.run(main())}, sys.stdout)
