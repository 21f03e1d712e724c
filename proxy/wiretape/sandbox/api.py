"""The endpoints: for each method and path, what it does to the sandbox and what it answers.

An endpoint is a plain function from the sandbox and a Call to an answer: an object to be sent as JSON, Content
to be sent as it is, or a Life whose current leg is to be streamed. A further family of endpoints is a further
module with such a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from wiretape.sandbox.bodies import (
    AssistantFields,
    MetadataFields,
    NewAssistant,
    NewMessage,
    NewRun,
    NewThread,
    NewThreadRun,
    ThreadFields,
    ToolOutputs,
    read,
)
from wiretape.sandbox.conversation import Conversation
from wiretape.sandbox.grounds import check_outputs
from wiretape.sandbox.life import Life
from wiretape.sandbox.objects import Assistant, Deleted, ModifiedMessage, PlainMessage, Thread
from wiretape.sandbox.paging import INCLUDABLE, Page, check_include, page
from wiretape.sandbox.refusals import Refused
from wiretape.sandbox.state import Sandbox
from wiretape.sandbox.work import Run, Step


class Call(Struct, frozen=True, kw_only=True):
    """A request, as an endpoint sees it: `ids` are the path's, by name; `now_s` is the one look at the clock."""

    ids: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    content_type: str = ""
    now_s: float
    writes: bool = True
    """Whether the endpoint may change the thread that it is about."""


class Content(Struct, frozen=True):
    """An answer that is no JSON: bytes to be saved under a name."""

    body: bytes
    media_type: str
    filename: str


Answer = Struct | Life  # among the structs Content, which is sent as its bytes
Endpoint = Callable[[Sandbox, Call], Answer]


def _conversation(sandbox: Sandbox, call: Call) -> Conversation:
    conversation = sandbox.conversation(call.ids["thread_id"], call.now_s)
    if call.writes:
        sandbox.conversations.touch(conversation.thread.id)
    return conversation


def _life(sandbox: Sandbox, call: Call) -> Life:
    return _conversation(sandbox, call).life(call.ids["run_id"])


def includes_passages(call: Call) -> bool:
    """Whether the text of search results is asked for."""
    return INCLUDABLE[0] in {call.query.get("include[]"), call.query.get("include")}


def list_assistants(sandbox: Sandbox, call: Call) -> Page[Assistant]:
    """GET /assistants."""
    return page(list(sandbox.assistants.values()), call.query)


def create_assistant(sandbox: Sandbox, call: Call) -> Assistant:
    """POST /assistants."""
    return sandbox.create_assistant(read(call.body, NewAssistant), call.now_s, len(call.body))


def read_assistant(sandbox: Sandbox, call: Call) -> Assistant:
    """GET /assistants/{assistant_id}."""
    return sandbox.assistant(call.ids["assistant_id"])


def modify_assistant(sandbox: Sandbox, call: Call) -> Assistant:
    """POST /assistants/{assistant_id}."""
    return sandbox.modify_assistant(
        call.ids["assistant_id"], read(call.body, AssistantFields), call.now_s, len(call.body)
    )


def delete_assistant(sandbox: Sandbox, call: Call) -> Deleted:
    """DELETE /assistants/{assistant_id}."""
    sandbox.delete_assistant(call.ids["assistant_id"])
    return Deleted(id=call.ids["assistant_id"], object="assistant.deleted")


def create_thread(sandbox: Sandbox, call: Call) -> Thread:
    """POST /threads."""
    return sandbox.create_thread(read(call.body, NewThread), call.now_s, len(call.body)).thread


def read_thread(sandbox: Sandbox, call: Call) -> Thread:
    """GET /threads/{thread_id}."""
    return _conversation(sandbox, call).thread.filled


def modify_thread(sandbox: Sandbox, call: Call) -> Thread:
    """POST /threads/{thread_id}."""
    conversation = _conversation(sandbox, call)
    return sandbox.modify_thread(conversation, read(call.body, ThreadFields), call.now_s, len(call.body))


def delete_thread(sandbox: Sandbox, call: Call) -> Deleted:
    """DELETE /threads/{thread_id}."""
    sandbox.delete_thread(call.ids["thread_id"], call.now_s)
    return Deleted(id=call.ids["thread_id"], object="thread.deleted")


def list_messages(sandbox: Sandbox, call: Call) -> Page[PlainMessage]:
    """GET /threads/{thread_id}/messages."""
    return page(_conversation(sandbox, call).listed(call.query.get("run_id")), call.query)


def create_message(sandbox: Sandbox, call: Call) -> PlainMessage:
    """POST /threads/{thread_id}/messages."""
    conversation = _conversation(sandbox, call)
    return sandbox.add_message(conversation, read(call.body, NewMessage), call.now_s, len(call.body)).plain


def read_message(sandbox: Sandbox, call: Call) -> PlainMessage:
    """GET /threads/{thread_id}/messages/{message_id}."""
    return _conversation(sandbox, call).message(call.ids["message_id"]).plain


def modify_message(sandbox: Sandbox, call: Call) -> ModifiedMessage:
    """POST /threads/{thread_id}/messages/{message_id}."""
    conversation = _conversation(sandbox, call)
    message = conversation.message(call.ids["message_id"])
    metadata = read(call.body, MetadataFields).metadata
    if metadata is None:
        return message.modified
    return sandbox.label_message(conversation, message.id, metadata, len(call.body)).modified


def delete_message(sandbox: Sandbox, call: Call) -> Deleted:
    """DELETE /threads/{thread_id}/messages/{message_id}."""
    sandbox.delete_message(_conversation(sandbox, call), call.ids["message_id"])
    return Deleted(id=call.ids["message_id"], object="thread.message.deleted")


def list_runs(sandbox: Sandbox, call: Call) -> Page[Run]:
    """GET /threads/{thread_id}/runs."""
    return page([life.run for life in _conversation(sandbox, call).runs.values()], call.query)


def create_run(sandbox: Sandbox, call: Call) -> Run | Life:
    """POST /threads/{thread_id}/runs."""
    conversation = _conversation(sandbox, call)
    check_include(call.query)
    sent = read(call.body, NewRun)
    sandbox.check_run(sent, conversation.messages.values(), call.now_s)
    sandbox.check_free(conversation, sent)
    shows = includes_passages(call)
    with sandbox.store_in(conversation, len(call.body)):
        life = sandbox.create_run(conversation, sent, call.now_s, opens_thread=False, with_passages=shows)
    return life if sent.stream else life.run


def create_thread_and_run(sandbox: Sandbox, call: Call) -> Run | Life:
    """POST /threads/runs."""
    sent = read(call.body, NewThreadRun)
    sandbox.check_new_thread(sent, call.now_s)
    conversation = sandbox.create_thread(sent.thread or NewThread(), call.now_s, len(call.body))
    shows = includes_passages(call)
    try:
        life = sandbox.create_run(conversation, sent, call.now_s, opens_thread=True, with_passages=shows)
    except Refused:
        sandbox.delete_thread(conversation.thread.id, call.now_s)
        raise
    return life if sent.stream else life.run


def read_run(sandbox: Sandbox, call: Call) -> Run:
    """GET /threads/{thread_id}/runs/{run_id}."""
    return _life(sandbox, call).run


def modify_run(sandbox: Sandbox, call: Call) -> Run:
    """POST /threads/{thread_id}/runs/{run_id}."""
    conversation = _conversation(sandbox, call)
    life = conversation.life(call.ids["run_id"])
    life.check_modifiable()
    metadata = read(call.body, MetadataFields).metadata
    if metadata is not None:
        with sandbox.store_in(conversation, len(call.body)):
            life.modify(metadata)
    return life.run


def submit_tool_outputs(sandbox: Sandbox, call: Call) -> Run | Life:
    """POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs."""
    conversation = _conversation(sandbox, call)
    life = conversation.life(call.ids["run_id"])
    sent = read(call.body, ToolOutputs)
    check_outputs(sent.tool_outputs, sandbox.options.outputs_bytes_max)
    with sandbox.store_in(conversation, len(call.body)):
        life.submit(sent.tool_outputs, call.now_s, sandbox.legs(conversation, life.run))
    return life if sent.stream else life.run


def cancel_run(sandbox: Sandbox, call: Call) -> Run:
    """POST /threads/{thread_id}/runs/{run_id}/cancel."""
    life = _life(sandbox, call)
    life.cancel(call.now_s, sandbox.options.pace_s)
    return life.run


def list_steps(sandbox: Sandbox, call: Call) -> Page[Step]:
    """GET /threads/{thread_id}/runs/{run_id}/steps."""
    life = _life(sandbox, call)
    check_include(call.query)
    return page(life.listed_steps(with_passages=includes_passages(call)), call.query)


def read_step(sandbox: Sandbox, call: Call) -> Step:
    """GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}."""
    life = _life(sandbox, call)
    check_include(call.query)
    return life.step(call.ids["step_id"], with_passages=includes_passages(call))


_ASSISTANT = "/v1/assistants/{assistant_id}"
_THREAD = "/v1/threads/{thread_id}"
_MESSAGE = f"{_THREAD}/messages/{{message_id}}"
_RUN = f"{_THREAD}/runs/{{run_id}}"

ENDPOINTS: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/v1/assistants", list_assistants),
    ("POST", "/v1/assistants", create_assistant),
    ("GET", _ASSISTANT, read_assistant),
    ("POST", _ASSISTANT, modify_assistant),
    ("DELETE", _ASSISTANT, delete_assistant),
    ("POST", "/v1/threads", create_thread),
    ("POST", "/v1/threads/runs", create_thread_and_run),  # before the thread of that name (reference chapter 2)
    ("GET", _THREAD, read_thread),
    ("POST", _THREAD, modify_thread),
    ("DELETE", _THREAD, delete_thread),
    ("GET", f"{_THREAD}/messages", list_messages),
    ("POST", f"{_THREAD}/messages", create_message),
    ("GET", _MESSAGE, read_message),
    ("POST", _MESSAGE, modify_message),
    ("DELETE", _MESSAGE, delete_message),
    ("GET", f"{_THREAD}/runs", list_runs),
    ("POST", f"{_THREAD}/runs", create_run),
    ("GET", _RUN, read_run),
    ("POST", _RUN, modify_run),
    ("POST", f"{_RUN}/submit_tool_outputs", submit_tool_outputs),
    ("POST", f"{_RUN}/cancel", cancel_run),
    ("GET", f"{_RUN}/steps", list_steps),
    ("GET", f"{_RUN}/steps/{{step_id}}", read_step),
)
"""Method, path and endpoint, in the order in which paths are tried."""
