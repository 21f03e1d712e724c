"""The official SDK's asynchronous client, unmodified, in the server's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest
from openai import AsyncOpenAI

from support.assistants import FAST, WEATHER, talking
from wiretape.sandbox.state import Sandbox
from wiretape.testing import StepClock

# The SDK marks the whole family as deprecated; it is what the sandbox is for.
pytestmark = pytest.mark.filterwarnings(r"ignore:(deprecated\Z|The Assistants API is deprecated):DeprecationWarning")


@pytest.fixture
async def client() -> AsyncIterator[AsyncOpenAI]:
    async with talking(Sandbox(FAST, StepClock(step_s=0))) as talk:
        url = str(talk.client.make_url("/v1"))
        async with AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as made:
            yield made


async def test_create_and_run_stream_brings_every_event_and_the_final_run(client: AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
    thread = {"messages": [{"role": "user", "content": "Hello!"}]}
    async with client.beta.threads.create_and_run_stream(assistant_id=assistant.id, thread=thread) as stream:  # type: ignore[arg-type]
        names = [event.event async for event in stream]
        run = await stream.get_final_run()
    assert names[:3] == ["thread.created", "thread.run.created", "thread.run.queued"]
    assert names[-1] == "thread.run.completed"
    assert run.status == "completed"


async def test_a_raw_stream_brings_typed_events(client: AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
    stream = await client.beta.threads.create_and_run(assistant_id=assistant.id, stream=True)
    kinds = [type(event).__name__ async for event in stream]
    assert (kinds[0], kinds[-1]) == ("ThreadCreated", "ThreadRunCompleted")


async def test_a_polled_tool_call_goes_round(client: AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])  # type: ignore[list-item]
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": "Weather in Rome?"}])
    run = await client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=1
    )
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    run = await client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=thread.id,
        tool_outputs=[{"tool_call_id": call.id, "output": '{"sky": "clear", "degrees": 31}'} for call in calls],
        poll_interval_ms=1,
    )
    messages = await client.beta.threads.messages.list(thread.id, run_id=run.id)
    assert run.status == "completed"
    assert "Weather for Rome: sky clear, degrees 31." in messages.data[0].content[0].text.value  # type: ignore[union-attr]


async def test_many_clients_talk_at_once(client: AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
    runs = await asyncio.gather(
        *(client.beta.threads.create_and_run_poll(assistant_id=assistant.id, poll_interval_ms=1) for _ in range(10))
    )
    assert {run.status for run in runs} == {"completed"}


async def test_wrong_outputs_are_refused(client: AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
    run = await client.beta.threads.create_and_run(assistant_id=assistant.id, metadata={"sandbox": "stall"})
    with pytest.raises(openai.BadRequestError, match="do not accept tool outputs"):
        await client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=[])
