"""The official SDK, unmodified, as an application uses it; blocking, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AssistantEventHandler, OpenAI
from typing_extensions import override

from support.assistants import FAST, WEATHER
from support.serving import served
from wiretape.sandbox.state import Sandbox
from wiretape.testing import StepClock

# The SDK marks the whole family as deprecated; it is what the sandbox is for.
pytestmark = pytest.mark.filterwarnings(r"ignore:(deprecated\Z|The Assistants API is deprecated):DeprecationWarning")


@pytest.fixture
def client() -> Iterator[OpenAI]:
    with served(Sandbox(FAST, StepClock(step_s=0))) as url, OpenAI(base_url=url, api_key="any", max_retries=0) as made:
        yield made


class Listener(AssistantEventHandler):
    """Collects what the SDK's own handler is told."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.calls: list[Any] = []

    @override
    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.text += delta.value or ""

    @override
    def on_tool_call_done(self, tool_call: Any) -> None:
        self.calls.append(tool_call)


def _thread(client: OpenAI, question: str) -> str:
    return client.beta.threads.create(messages=[{"role": "user", "content": question}]).id


def test_a_conversation_streams_into_the_sdks_event_handler(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", name="Ada", instructions="Be kind.")
    thread_id, listener = _thread(client, "Hello!"), Listener()
    with client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant.id, event_handler=listener
    ) as stream:
        stream.until_done()
        run, messages = stream.get_final_run(), stream.get_final_messages()
    assert run.status == "completed"
    assert listener.text == messages[0].content[0].text.value  # type: ignore[union-attr]
    assert [one.role for one in client.beta.threads.messages.list(thread_id)] == ["assistant", "user"]


def test_a_tool_call_goes_round_through_submit_tool_outputs_stream(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])  # type: ignore[list-item]
    thread_id, asked, answered = _thread(client, "How is the weather in Bremen?"), Listener(), Listener()
    with client.beta.threads.runs.stream(thread_id=thread_id, assistant_id=assistant.id, event_handler=asked) as stream:
        stream.until_done()
        run = stream.get_final_run()
    assert run.status == "requires_action"
    assert [(call.function.name, call.function.arguments) for call in asked.calls] == [
        ("get_weather", '{"city":"Bremen"}')
    ]
    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id,
        thread_id=thread_id,
        tool_outputs=[{"tool_call_id": asked.calls[0].id, "output": "14 °C and rain"}],
        event_handler=answered,
    ) as stream:
        stream.until_done()
        run = stream.get_final_run()
    assert run.status == "completed"
    assert "Weather for Bremen: 14 °C and rain." in answered.text
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=thread_id, order="asc").data
    assert [step.type for step in steps] == ["tool_calls", "message_creation"]
    assert run.usage is not None
    assert run.usage.total_tokens == sum(step.usage.total_tokens for step in steps if step.usage)


def test_create_and_poll_sees_the_run_complete(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
    thread_id = _thread(client, "Hello!")
    run = client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant.id, poll_interval_ms=1)
    assert run.status == "completed"


def test_a_failed_run_brings_its_error(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, metadata={"sandbox": "fail rate_limit_exceeded"}, poll_interval_ms=1
    )
    assert run.status == "failed"
    assert run.last_error is not None
    assert run.last_error.code == "rate_limit_exceeded"


def test_a_stalled_run_is_cancelled(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
    run = client.beta.threads.create_and_run(assistant_id=assistant.id, metadata={"sandbox": "stall"})
    assert client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id).status == "cancelling"
    assert client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status == "cancelled"


def test_the_sdks_pages_walk_the_whole_list_in_either_order(client: OpenAI) -> None:
    made = [client.beta.assistants.create(model="gpt-4o", name=str(number)).id for number in range(7)]
    assert [one.id for one in client.beta.assistants.list(limit=2, order="asc")] == made
    assert [one.id for one in client.beta.assistants.list(limit=3)] == made[::-1]


def test_assistants_threads_and_messages_are_modified_and_deleted(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", name="Ada", metadata={"a": "1"})
    assert client.beta.assistants.update(assistant.id, name="Grace").name == "Grace"
    assert client.beta.assistants.retrieve(assistant.id).metadata == {"a": "1"}
    thread_id = _thread(client, "Hello!")
    assert client.beta.threads.update(thread_id, metadata={"b": "2"}).metadata == {"b": "2"}
    message = client.beta.threads.messages.create(thread_id, role="user", content=[{"type": "text", "text": "More"}])
    updated = client.beta.threads.messages.update(message.id, thread_id=thread_id, metadata={"c": "3"})
    assert updated.metadata == client.beta.threads.messages.retrieve(message.id, thread_id=thread_id).metadata
    assert client.beta.threads.messages.delete(message.id, thread_id=thread_id).deleted
    assert client.beta.threads.delete(thread_id).deleted
    assert client.beta.assistants.delete(assistant.id).deleted


def test_refusals_become_the_sdks_exceptions(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="No assistant found with id 'asst_x'"):
        client.beta.assistants.retrieve("asst_x")
    with pytest.raises(openai.BadRequestError, match="Invalid type for 'model'") as caught:
        client.beta.assistants.create(model="m", extra_body={"model": None})
    assert (caught.value.param, caught.value.code) == ("model", "invalid_type")
    assert (caught.value.request_id or "").startswith("req_")
    with pytest.raises(openai.BadRequestError, match="OpenAI-Beta"):
        client.beta.assistants.list(extra_headers={"OpenAI-Beta": "none"})
    with pytest.raises(openai.AuthenticationError):
        client.beta.assistants.list(extra_headers={"Authorization": "none"})


def test_a_busy_thread_refuses_messages_and_runs_naming_both_ids(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
    run = client.beta.threads.create_and_run(assistant_id=assistant.id, metadata={"sandbox": "stall"})
    with pytest.raises(openai.BadRequestError, match=f"{run.thread_id} while a run {run.id} is active"):
        client.beta.threads.messages.create(run.thread_id, role="user", content="More")
    with pytest.raises(openai.BadRequestError, match=f"{run.thread_id} already has an active run {run.id}"):
        client.beta.threads.runs.create(run.thread_id, assistant_id=assistant.id)
