"""The second look: in the hosted service's words, always with a complaint, never with an error of its own.

Where the words come from stands beside each case: a recording of the corpus, or a public issue or file that quotes
the service. `matrix` is a public compatibility table that measured chat completions against the service in 2026, so
the words are the service's and the endpoint another; `analogy` is the same words in a place where nobody quotes them.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
from wiretape.sandbox.complaints import complaint
from wiretape.sandbox.refusals import Refused
from wiretape.sandbox.vector_bodies import (
    NewBatch,
    NewStore,
    NewStoreFile,
    Search,
    StoreFields,
    StoreFileFields,
)

KINDS = (
    AssistantFields, MetadataFields, NewAssistant, NewMessage, NewRun, NewThread, NewThreadRun, ThreadFields,
    ToolOutputs, NewBatch, NewStore, NewStoreFile, Search, StoreFields, StoreFileFields,
)  # fmt: skip
RUN = {"assistant_id": "asst_1"}
MODEL = {"model": "m"}
LONG = "k" * 70


def _tool(tool: Any) -> dict[str, Any]:
    return {**MODEL, "tools": [tool]}


WORDS: tuple[tuple[str, type, Any, str, str, str], ...] = (
    (
        "corpus: ruby-openai's messages_modify.yml, runs_modify.yml, threads_modify.yml",
        MetadataFields, {"metadata": {"modified": True}}, "metadata.modified", "invalid_type",
        "Invalid type for 'metadata.modified': expected a string, but got a boolean instead.",
    ),
    (
        "matrix",
        MetadataFields, {"metadata": {LONG: "v"}}, f"metadata.{LONG}", "property_name_above_max_length",
        ("Invalid property name in 'metadata': 'kkk...kkk' is too long. Expected a string with maximum length 64, "
        "but got a string with length 70 instead."),
    ),
    (
        "MicrosoftDocs/azure-docs#122953",
        NewMessage, {"role": "user", "content": "Hi", "file_ids": ["file-1"]}, "file_ids", "unknown_parameter",
        "Unknown parameter: 'file_ids'.",
    ),
    (
        "sashabaranov/go-openai#773",
        NewThreadRun, {**RUN, "thread": {"messages": [{"role": "user", "content": "Hi", "file_ids": []}]}},
        "thread.messages[0].file_ids", "unknown_parameter", "Unknown parameter: 'thread.messages[0].file_ids'.",
    ),
    (
        "openai/openai-python#1983",
        NewAssistant, {**MODEL, "tool_resources": {"file_search": {"file_ids": ["file-1"]}}},
        "tool_resources.file_search.file_ids", "unknown_parameter",
        "Unknown parameter: 'tool_resources.file_search.file_ids'.",
    ),
    (
        "openai/openai-node#902 (an empty thread id makes it POST /threads)",
        NewThread, {"role": "user", "content": "Hi"}, "role", "unknown_parameter", "Unknown parameter: 'role'.",
    ),
    (
        "PipedreamHQ/pipedream#15397",
        ThreadFields, {"tool_resources": {"file_search": {"vector_store_ids": "vs_1"}}},
        "tool_resources.file_search.vector_store_ids", "invalid_type",
        ("Invalid type for 'tool_resources.file_search.vector_store_ids': expected an array of strings, but got a "
        "string instead."),
    ),
    (
        "quoted in comments of public programs on the Assistants API, param included",
        NewAssistant, _tool({"type": "retrieval"}), "tools[0].type", "invalid_value",
        "Invalid value: 'retrieval'. Supported values are: 'code_interpreter', 'function', and 'file_search'.",
    ),
    (
        "quoted in comments of public programs on the Assistants API, param included",
        NewMessage, {"role": "human", "content": "Hi"}, "role", "invalid_value",
        "Invalid value: 'human'. Supported values are: 'user' and 'assistant'.",
    ),
    (
        "quoted in public notes on the Agents service of Azure, which speaks the same protocol",
        NewRun, {"assistant_id": "EFSAGENT"}, "assistant_id", "invalid_value",
        "Invalid 'assistant_id': 'EFSAGENT'. Expected an ID that begins with 'asst'.",
    ),
    (
        "chatboxai/chatbox#2556",
        NewAssistant, _tool({"type": "function", "function": {"name": "a b"}}), "tools[0].function.name",
        "invalid_value", ("Invalid 'tools[0].function.name': string does not match pattern. Expected a string that "
        "matches the pattern '^[a-zA-Z0-9_-]+$'."),
    ),
    (
        "pydantic/pydantic-ai#2653",
        NewMessage, {"role": "user", "content": {}}, "content", "invalid_type",
        "Invalid type for 'content': expected one of a string or array of objects, but got an object instead.",
    ),
    (
        "microsoft/graphrag#672",
        NewMessage, {"role": "user", "content": ["Hi"]}, "content[0]", "invalid_type",
        "Invalid type for 'content[0]': expected an object, but got a string instead.",
    ),
    (
        "langchain-ai/langgraphjs#506",
        NewMessage, {"role": "user", "content": [{}]}, "content[0].type", "missing_required_parameter",
        "Missing required parameter: 'content[0].type'.",
    ),
    (
        "matrix (`one of one of` is the service's)",
        NewRun, {**RUN, "tool_choice": 7}, "tool_choice", "invalid_type",
        ("Invalid type for 'tool_choice': expected one of one of 'none', 'auto', or 'required' or object, but got an "
        "integer instead."),
    ),
    (
        "matrix",
        NewRun, {**RUN, "tool_choice": "any"}, "tool_choice", "invalid_value",
        "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
    ),
    (
        "matrix",
        NewRun, {**RUN, "tool_choice": {"type": "function"}}, "tool_choice.function", "missing_required_parameter",
        "Missing required parameter: 'tool_choice.function'.",
    ),
    (
        "matrix",
        NewRun, {**RUN, "response_format": {"type": "bogus"}}, "response_format.type", "invalid_value",
        "Invalid value: 'bogus'. Supported values are: 'json_object', 'json_schema', and 'text'.",
    ),
    (
        "matrix",
        NewRun, {**RUN, "response_format": {"type": "json_schema"}}, "response_format.json_schema",
        "missing_required_parameter", "Missing required parameter: 'response_format.json_schema'.",
    ),
    (
        "matrix",
        NewRun, {**RUN, "temperature": "hot"}, "temperature", "invalid_type",
        "Invalid type for 'temperature': expected a decimal, but got a string instead.",
    ),
    (
        "matrix",
        NewRun, {**RUN, "max_prompt_tokens": 1.5}, "max_prompt_tokens", "invalid_type",
        "Invalid type for 'max_prompt_tokens': expected an integer, but got a decimal number instead.",
    ),
    (
        "matrix",
        NewRun, {**RUN, "stream": "y"}, "stream", "invalid_type",
        "Invalid type for 'stream': expected a boolean, but got a string instead.",
    ),
    (
        "matrix",
        NewAssistant, {**MODEL, "tools": "x"}, "tools", "invalid_type",
        "Invalid type for 'tools': expected an array of objects, but got a string instead.",
    ),
    (
        "matrix: what is missing comes before what is unknown",
        NewMessage, {"content": "Hi", "zzz": 1}, "role", "missing_required_parameter",
        "Missing required parameter: 'role'.",
    ),
    (
        "matrix: what is unknown comes before a wrong type",
        NewAssistant, {"model": 7, "zzz": 1}, "zzz", "unknown_parameter", "Unknown parameter: 'zzz'.",
    ),
    (
        "analogy",
        NewMessage, {"role": None, "content": "Hi"}, "role", "invalid_type",
        "Invalid type for 'role': expected one of 'user' or 'assistant', but got null instead.",
    ),
    (
        "analogy",
        NewMessage, {"role": "user", "content": "Hi", "attachments": [{"file_id": "x"}]}, "attachments[0].file_id",
        "invalid_value", "Invalid 'attachments[0].file_id': 'x'. Expected an ID that begins with 'file'.",
    ),
    (
        "analogy",
        NewAssistant, _tool({"type": 7}), "tools[0].type", "invalid_type",
        ("Invalid type for 'tools[0].type': expected one of 'code_interpreter', 'function', or 'file_search', but got "
        "an integer instead."),
    ),
    (
        "analogy",
        NewRun, {**RUN, "truncation_strategy": {"type": "last_messages"}}, "truncation_strategy.last_messages",
        "missing_required_parameter", "Missing required parameter: 'truncation_strategy.last_messages'.",
    ),
    (
        "analogy",
        NewRun, {**RUN, "truncation_strategy": {"type": "auto", "last_messages": 1}},
        "truncation_strategy.last_messages", "invalid_type",
        "Invalid type for 'truncation_strategy.last_messages': expected null, but got an integer instead.",
    ),
    (
        "analogy",
        NewRun, {**RUN, "reasoning_effort": "much"}, "reasoning_effort", "invalid_value",
        "Invalid value: 'much'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'.",
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "sent", "param", "code", "message"),
    [case[1:] for case in WORDS],
    ids=[case[4] + case[3] for case in WORDS],
)
def test_a_body_is_refused_in_the_words_of_the_service(
    kind: type, sent: Any, param: str, code: str, message: str
) -> None:
    with pytest.raises(Refused) as caught:
        read(json.dumps(sent).encode(), kind)
    error = caught.value.body.error
    assert (error.type, error.param, error.code, error.message) == ("invalid_request_error", param, code, message)


@pytest.mark.parametrize("name", ["additional_instructions", "additional_messages", "reasoning_effort"])
def test_a_run_with_a_thread_of_its_own_takes_nothing_that_adds(name: str) -> None:
    """Reference 2: `/threads/runs` has none of the three."""
    with pytest.raises(Refused, match=f"Unknown parameter: '{name}'"):
        read(json.dumps({**RUN, name: None}).encode(), NewThreadRun)
    assert read(json.dumps({**RUN, name: None}).encode(), NewRun).assistant_id == "asst_1"


def test_a_name_may_not_end_in_a_newline_which_pythons_dollar_lets_pass() -> None:
    sent = _tool({"type": "function", "function": {"name": "get_weather\n"}})
    with pytest.raises(Refused, match="does not match pattern"):
        read(json.dumps(sent).encode(), NewAssistant)


def test_a_body_that_is_no_object_has_no_parameter() -> None:
    with pytest.raises(Refused) as caught:
        read(b"[]", NewAssistant)
    error = caught.value.body.error
    assert (error.param, error.code) == (None, "invalid_type")
    assert error.message == "Invalid type for the request body: expected an object, but got an array instead."


NAMES = st.sampled_from(
    """
    model name tools type function parameters strict file_search ranking_options score_threshold tool_resources
    code_interpreter file_ids vector_stores chunking_strategy static role content text image_file image_url url
    attachments metadata messages thread assistant_id tool_choice response_format json_schema truncation_strategy
    last_messages tool_outputs tool_call_id output stream temperature max_prompt_tokens reasoning_effort
    filters query expires_after anchor days key value attributes file_id files
    """.split()  # noqa: SIM905  a list of words reads better than a list of strings
)
VALUES = st.sampled_from(
    [
        "user",
        "text",
        "function",
        "auto",
        "file_search",
        "code_interpreter",
        "json_schema",
        "last_messages",
        "asst_1",
        "é",
    ]
)
SENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6),
    max_leaves=30,
)


@given(SENT, st.sampled_from(KINDS))
@example({"tool_outputs": [], "stream": 10**400}, ToolOutputs)
@example({"temperature": 10**400}, AssistantFields)
@example({"temperature": -(10**400)}, AssistantFields)
def test_what_cannot_be_read_is_complained_about_and_nothing_else_is(sent: Any, kind: type) -> None:
    try:
        msgspec.convert(sent, kind)
    except msgspec.ValidationError:
        refused = complaint(sent, kind)
        assert refused is not None
        assert refused.status == 400
        assert refused.body.error.type == "invalid_request_error"
        assert refused.body.error.message
        assert refused.body.error.code
        assert (refused.body.error.param is None) == (not isinstance(sent, dict))
    else:
        assert complaint(sent, kind) is None


@given(st.binary(max_size=200) | SENT.map(lambda sent: json.dumps(sent).encode()), st.sampled_from(KINDS))
def test_any_body_is_read_or_refused(body: bytes, kind: type) -> None:
    try:
        assert isinstance(read(body, kind), kind)
    except Refused as refused:
        assert refused.status == 400  # noqa: PT017  any other error is a failure of ours
