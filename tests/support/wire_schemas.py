"""The objects of reference chapter 6 as JSON Schemas, with the wire's deviations: one for the sandbox and the captures.

Where the published schema and the captures differ, these follow the captures, and `DEVIATIONS` says which. Ids are
opaque (chapter 6), so only their type counts. Shares no code with the sandbox.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

DEVIATIONS = {
    "run step: `expires_at`, no `expired_at`, no `metadata`": "openai-dotnet BasicRunStepFunctionalityWorks.json",
    "run: `tool_resources` and `reasoning_effort`": "openai-dotnet BasicRunOperationsWork.json",
    "run: `instructions` may be null": "openai-dotnet BasicRunOperationsWork.json",
    "assistant: `reasoning_effort`": "openai-dotnet BasicAssistantOperationsWork.json",
    "message outside streams: no `status`, `incomplete_details`, `completed_at`, `incomplete_at`": (
        "openai-dotnet BasicMessageOperationsWork.json"
    ),
    "modified message: `file_ids`, and no `attachments`": "openai-dotnet BasicMessageOperationsWork.json",
    "usage: `prompt_token_details` (singular) and `completion_tokens_details`": "openai-dotnet StreamingRunWorks.json",
    "file search: `hybrid_search` in a tool's `ranking_options`": "openai-dotnet FileSearchStreamingWorks.json",
    "file search result: `attributes`": "openai-dotnet FileSearchStreamingWorks.json",
}
"""What differs from the published schema, and a capture of each."""

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}
ANY: Schema = {}


def one_of(*values: Any) -> Schema:
    """One of these values."""
    return {"enum": list(values)}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def listed(schema: Schema, most: int | None = None) -> Schema:
    """A list of such."""
    return {"type": "array", "items": schema} | ({} if most is None else {"maxItems": most})


def exactly(*optional: str, **fields: Schema) -> Schema:
    """An object with these fields and no others; all but the optional ones are there."""
    required = [name for name in fields if name not in optional]
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


NAME: Schema = {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"}
METADATA: Schema = {
    "type": "object",
    "maxProperties": 16,
    "propertyNames": {"maxLength": 64},
    "additionalProperties": {"type": "string", "maxLength": 512},
}
RANKING = exactly(
    "hybrid_search", ranker=TEXT, score_threshold={"type": "number", "minimum": 0, "maximum": 1}, hybrid_search=ANY
)
TOOL: Schema = {
    "oneOf": [
        exactly(type=one_of("code_interpreter")),
        exactly(
            "file_search",
            type=one_of("file_search"),
            file_search=exactly(
                "max_num_results",
                "ranking_options",
                max_num_results={"type": "integer", "minimum": 1, "maximum": 50},
                ranking_options=RANKING,
            ),
        ),
        exactly(
            type=one_of("function"),
            function=exactly(
                "description", "parameters", "strict",
                name=NAME, description=TEXT, parameters={"type": "object"}, strict=nullable(TRUTH),
            ),
        ),
    ]
}  # fmt: skip
RESOURCES = exactly(
    "code_interpreter",
    "file_search",
    code_interpreter=exactly(file_ids=listed(TEXT, 20)),
    file_search=exactly(vector_store_ids=listed(TEXT, 1)),
)
RESPONSE_FORMAT: Schema = {
    "oneOf": [
        one_of("auto"),
        exactly(type=one_of("text", "json_object")),
        exactly(
            type=one_of("json_schema"),
            json_schema=exactly(
                "description", "schema", "strict",
                name=NAME, description=TEXT, schema={"type": "object"}, strict=nullable(TRUTH),
            ),
        ),
    ]
}  # fmt: skip
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
HEAT: Schema = {"type": "number", "minimum": 0, "maximum": 2}

ASSISTANT = exactly(
    "reasoning_effort",
    id=TEXT, object=one_of("assistant"), created_at=WHOLE, name=nullable(TEXT | {"maxLength": 256}),
    description=nullable(TEXT | {"maxLength": 512}), model=TEXT, instructions=nullable(TEXT | {"maxLength": 256_000}),
    tools=listed(TOOL, 128), top_p=nullable(SHARE), temperature=nullable(HEAT), reasoning_effort=nullable(TEXT),
    tool_resources=nullable(RESOURCES), metadata=METADATA, response_format=nullable(RESPONSE_FORMAT),
)  # fmt: skip
THREAD = exactly(
    id=TEXT, object=one_of("thread"), created_at=WHOLE, metadata=METADATA, tool_resources=nullable(RESOURCES)
)
ANNOTATION: Schema = {
    "oneOf": [
        exactly(
            type=one_of("file_citation"), text=TEXT, start_index=COUNT, end_index=COUNT,
            file_citation=exactly(file_id=TEXT),
        ),
        exactly(
            type=one_of("file_path"), text=TEXT, start_index=COUNT, end_index=COUNT, file_path=exactly(file_id=TEXT)
        ),
    ]
}  # fmt: skip
DETAIL = one_of("auto", "low", "high")
PART: Schema = {
    "oneOf": [
        exactly(type=one_of("text"), text=exactly(value=TEXT, annotations=listed(ANNOTATION))),
        exactly(type=one_of("image_file"), image_file=exactly("detail", file_id=TEXT, detail=DETAIL)),
        exactly(type=one_of("image_url"), image_url=exactly("detail", url=TEXT, detail=DETAIL)),
        exactly(type=one_of("refusal"), refusal=TEXT),
    ]
}
ATTACHMENT = exactly(file_id=TEXT, tools=listed(exactly(type=one_of("code_interpreter", "file_search"))))
_MESSAGE = {
    "id": TEXT,
    "object": one_of("thread.message"),
    "created_at": WHOLE,
    "assistant_id": nullable(TEXT),
    "thread_id": TEXT,
    "run_id": nullable(TEXT),
    "role": one_of("user", "assistant"),
    "content": listed(PART),
    "metadata": METADATA,
}
REASON = one_of("content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed")
STREAMED_MESSAGE = exactly(
    **_MESSAGE,
    attachments=listed(ATTACHMENT),
    status=one_of("in_progress", "incomplete", "completed"),
    incomplete_details=nullable(exactly(reason=REASON)),
    incomplete_at=nullable(WHOLE),
    completed_at=nullable(WHOLE),
)
PLAIN_MESSAGE = exactly(**_MESSAGE, attachments=listed(ATTACHMENT))
MODIFIED_MESSAGE = exactly(**_MESSAGE, file_ids=listed(TEXT))
USAGE = exactly(
    "prompt_token_details", "completion_tokens_details",
    prompt_tokens=COUNT, completion_tokens=COUNT, total_tokens=COUNT,
    prompt_token_details=exactly(cached_tokens=COUNT), completion_tokens_details=exactly(reasoning_tokens=COUNT),
)  # fmt: skip
WANTED_CALL = exactly(id=TEXT, type=one_of("function"), function=exactly(name=TEXT, arguments=TEXT))
RUN = exactly(
    "reasoning_effort", "tool_resources",
    id=TEXT, object=one_of("thread.run"), created_at=WHOLE, assistant_id=TEXT, thread_id=TEXT,
    status=one_of(
        "queued", "in_progress", "requires_action", "cancelling", "cancelled", "failed", "completed", "incomplete",
        "expired",
    ),
    started_at=nullable(WHOLE), expires_at=nullable(WHOLE), cancelled_at=nullable(WHOLE), failed_at=nullable(WHOLE),
    completed_at=nullable(WHOLE),
    required_action=nullable(
        exactly(type=one_of("submit_tool_outputs"), submit_tool_outputs=exactly(tool_calls=listed(WANTED_CALL)))
    ),
    last_error=nullable(exactly(code=one_of("server_error", "rate_limit_exceeded", "invalid_prompt"), message=TEXT)),
    model=TEXT, instructions=nullable(TEXT), tools=listed(TOOL), tool_resources=RESOURCES, metadata=METADATA,
    temperature=nullable(HEAT), top_p=nullable(SHARE), reasoning_effort=nullable(TEXT),
    max_completion_tokens=nullable({"type": "integer", "minimum": 1}),
    max_prompt_tokens=nullable({"type": "integer", "minimum": 256}),
    truncation_strategy=exactly(
        type=one_of("auto", "last_messages"), last_messages=nullable({"type": "integer", "minimum": 1})
    ),
    incomplete_details=nullable(exactly(reason=one_of("max_completion_tokens", "max_prompt_tokens"))),
    usage=nullable(USAGE), response_format=RESPONSE_FORMAT,
    tool_choice={
        "oneOf": [
            one_of("none", "auto", "required"),
            exactly(
                "function", type=one_of("function", "code_interpreter", "file_search"), function=exactly(name=TEXT)
            ),
        ]
    },
    parallel_tool_calls=TRUTH,
)  # fmt: skip
OUTPUT: Schema = {
    "oneOf": [
        exactly(type=one_of("logs"), logs=TEXT),
        exactly(type=one_of("image"), image=exactly(file_id=TEXT)),
    ]
}
PASSAGE = exactly(type=one_of("text"), text=TEXT)
RESULT = exactly(
    "content", "attributes",
    file_id=TEXT, file_name=TEXT, score=SHARE, attributes={"type": "object"}, content=listed(PASSAGE),
)  # fmt: skip
SEARCHED = exactly("ranking_options", "results", ranking_options=RANKING, results=listed(RESULT))
CALL: Schema = {
    "oneOf": [
        exactly(id=TEXT, type=one_of("function"), function=exactly(name=TEXT, arguments=TEXT, output=nullable(TEXT))),
        exactly(id=TEXT, type=one_of("code_interpreter"), code_interpreter=exactly(input=TEXT, outputs=listed(OUTPUT))),
        exactly(id=TEXT, type=one_of("file_search"), file_search=SEARCHED),
    ]
}
STEP = exactly(
    id=TEXT, object=one_of("thread.run.step"), created_at=WHOLE, run_id=TEXT, assistant_id=TEXT, thread_id=TEXT,
    type=one_of("message_creation", "tool_calls"),
    status=one_of("in_progress", "cancelled", "failed", "completed", "expired"),
    cancelled_at=nullable(WHOLE), completed_at=nullable(WHOLE), expires_at=nullable(WHOLE), failed_at=nullable(WHOLE),
    last_error=nullable(exactly(code=one_of("server_error", "rate_limit_exceeded"), message=TEXT)),
    step_details={
        "oneOf": [
            exactly(type=one_of("message_creation"), message_creation=exactly(message_id=TEXT)),
            exactly(type=one_of("tool_calls"), tool_calls=listed(CALL)),
        ]
    },
    usage=nullable(USAGE),
)  # fmt: skip
DELTA_ANNOTATION = exactly(
    "file_citation", "file_path",
    index=COUNT, type=one_of("file_citation", "file_path"), text=TEXT, start_index=COUNT, end_index=COUNT,
    file_citation=exactly("quote", file_id=TEXT, quote=TEXT), file_path=exactly(file_id=TEXT),
)  # fmt: skip
PART_PIECE: Schema = {
    "oneOf": [
        exactly(
            index=COUNT, type=one_of("text"),
            text=exactly("annotations", value=TEXT, annotations=listed(DELTA_ANNOTATION)),
        ),
        exactly(index=COUNT, type=one_of("image_file"), image_file=exactly(file_id=TEXT)),
        exactly(index=COUNT, type=one_of("refusal"), refusal=TEXT),
    ]
}  # fmt: skip
MESSAGE_DELTA = exactly(id=TEXT, object=one_of("thread.message.delta"), delta=exactly(content=listed(PART_PIECE)))
DELTA_OUTPUT: Schema = {
    "oneOf": [
        exactly(index=COUNT, type=one_of("logs"), logs=TEXT),
        exactly(index=COUNT, type=one_of("image"), image=exactly(file_id=TEXT)),
    ]
}
CALL_PIECE: Schema = {
    "oneOf": [
        exactly(
            "id", index=COUNT, id=TEXT, type=one_of("function"),
            function=exactly("name", "output", name=TEXT, arguments=TEXT, output={"type": "null"}),
        ),
        exactly(
            "id", index=COUNT, id=TEXT, type=one_of("code_interpreter"),
            code_interpreter=exactly("input", "outputs", input=TEXT, outputs=listed(DELTA_OUTPUT)),
        ),
        exactly("id", index=COUNT, id=TEXT, type=one_of("file_search"), file_search=SEARCHED),
    ]
}  # fmt: skip
STEP_DELTA = exactly(
    id=TEXT, object=one_of("thread.run.step.delta"),
    delta=exactly(step_details=exactly(type=one_of("tool_calls"), tool_calls=listed(CALL_PIECE))),
)  # fmt: skip
DELETED = exactly(
    id=TEXT, deleted=TRUTH, object=one_of("assistant.deleted", "thread.deleted", "thread.message.deleted", "file")
)
ERROR = exactly(code=nullable(TEXT), message=TEXT, param=nullable(TEXT), type=TEXT)
REFUSAL = exactly("detail", error=ERROR, detail=exactly(message=TEXT, code=nullable(TEXT)))

BY_OBJECT = {
    "assistant": ASSISTANT,
    "thread": THREAD,
    "thread.run": RUN,
    "thread.run.step": STEP,
    "thread.run.step.delta": STEP_DELTA,
    "thread.message.delta": MESSAGE_DELTA,
    "assistant.deleted": DELETED,
    "thread.deleted": DELETED,
    "thread.message.deleted": DELETED,
}
"""By the `object` field; messages and lists are told apart by where they stand."""


def schema_for(answer: Any, *, streamed: bool) -> Schema:
    """The schema that an answer or an event's data has to keep."""
    if "error" in answer or "object" not in answer:
        return REFUSAL if "error" in answer else ERROR
    match answer["object"]:
        case "list":
            page = {"first_id": nullable(TEXT), "last_id": nullable(TEXT), "has_more": TRUTH}
            items = {"anyOf": [schema_for(one, streamed=streamed) for one in answer["data"]]} if answer["data"] else {}
            return exactly(object=one_of("list"), data=listed(items), **page)
        case "thread.message" if streamed:
            return STREAMED_MESSAGE
        case "thread.message":
            return PLAIN_MESSAGE if "attachments" in answer else MODIFIED_MESSAGE
        case kind:
            return BY_OBJECT[kind]
