"""Further conversations of the golden cassettes: one for each situation that a sandbox can be brought into."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

Ask = Callable[..., Awaitable[Any]]
Scenario = Callable[[Ask], Awaitable[None]]

CODE = {"type": "code_interpreter"}
SEARCH = {"type": "file_search"}
INCLUDE = "include[]=step_details.tool_calls%5B*%5D.file_search.results%5B*%5D.content"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "local_time",
        "description": "The time in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
FOODS = "Favorite foods of several people:\n- Summanus Ferdinand: tacos\n- Filip Carola: cake\n"
BOUNDARY = "golden-0123456789"


async def talk(ask: Ask, words: str, tools: Any = (), resources: Any = None, **settings: Any) -> Any:
    """An assistant, and a streamed run on a thread that comes with it; gives the answer."""
    sent = {"model": "gpt-4o-mini", "name": "Golden", "tools": tools}
    made = await ask("POST", "/v1/assistants", sent if resources is None else {**sent, "tool_resources": resources})
    thread = {"messages": [{"role": "user", "content": words}]}
    body = {"assistant_id": made.json()["id"], "thread": thread, "stream": True, **settings}
    return await ask("POST", "/v1/threads/runs", body)


def told(*acts: dict[str, Any]) -> dict[str, str]:
    """Metadata that tells a run its acts."""
    return {"sandbox": json.dumps(acts, separators=(",", ":"))}


def last_run(answer: Any) -> Any:
    """The run of a stream's last event."""
    return json.loads(answer.events()[-2][1])


async def hand_in(ask: Ask, run: Any, *outputs: str) -> Any:
    """Answer all calls that wait, in a stream."""
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    sent = [{"tool_call_id": call["id"], "output": output} for call, output in zip(calls, outputs, strict=True)]
    where = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    return await ask("POST", where, {"tool_outputs": sent, "stream": True})


async def parallel_run(ask: Ask) -> None:
    """Two function calls in one step, both answered at once."""
    asked = await talk(ask, "The weather and the time in Lisbon?", [WEATHER, TIME])
    await hand_in(ask, last_run(asked), '{"sky":"clear","celsius":22}', "18:05")


async def one_by_one_run(ask: Ask) -> None:
    """The same without parallel calls: three streams for one run."""
    asked = await talk(ask, "The weather and the time in Lisbon?", [WEATHER, TIME], parallel_tool_calls=False)
    again = await hand_in(ask, last_run(asked), '{"sky":"clear","celsius":22}')
    await hand_in(ask, last_run(again), "18:05")


async def code_run(ask: Ask) -> None:
    """Code with logs, a picture and a file, which is downloaded."""
    answer = await talk(ask, "Plot the sum of 19 and 23, and save it as a file.", [CODE])
    run = last_run(answer)
    await ask("GET", f"/v1/threads/{run['thread_id']}/runs/{run['id']}/steps?order=asc")
    messages = (await ask("GET", f"/v1/threads/{run['thread_id']}/messages?limit=1")).json()
    mark = messages["data"][0]["content"][1]["text"]["annotations"][0]
    await ask("GET", f"/v1/files/{mark['file_path']['file_id']}/content")


async def search_run(ask: Ask) -> None:
    """A file is uploaded, stored, searched and cited; the step is read with its passages and without."""
    file_id = (await upload(ask, "favorite_foods.txt", FOODS)).json()["id"]
    store = (await ask("POST", "/v1/vector_stores", {"file_ids": [file_id]})).json()["id"]
    await ask("GET", f"/v1/vector_stores/{store}")
    resources = {"file_search": {"vector_store_ids": [store]}}
    run = last_run(await talk(ask, "What is Filip's favorite food?", [SEARCH], resources))
    steps = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/steps"
    await ask("GET", f"{steps}?{INCLUDE}")
    await ask("GET", steps)
    await ask("DELETE", f"/v1/files/{file_id}")


async def upload(ask: Ask, name: str, text: str) -> Any:
    """Upload a text file."""
    parts = (
        'Content-Disposition: form-data; name="purpose"\r\n\r\nassistants',
        f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n{text}',
    )
    form = "".join(f"--{BOUNDARY}\r\n{part}\r\n" for part in parts) + f"--{BOUNDARY}--\r\n"
    return await ask("POST", "/v1/files", form.encode(), f"multipart/form-data; boundary={BOUNDARY}")


async def incomplete_run(ask: Ask) -> None:
    """A run that stops at its bound of completion tokens."""
    await talk(ask, "Tell me everything.", max_completion_tokens=16)


async def expired_run(ask: Ask) -> None:
    """A run that expires while it writes."""
    await talk(ask, "Take all the time there is.", metadata={"sandbox": "expire"})


async def broken_run(ask: Ask) -> None:
    """A run that fails for a reason that no step can have."""
    await talk(ask, "What may not be asked.", metadata={"sandbox": "fail invalid_prompt"})


async def error_run(ask: Ask) -> None:
    """An error in mid-stream, flat as in the schema and wrapped as SDKs look for it; the runs are read afterwards."""
    for wrapped in (False, True):
        acts = told({"say": "Once upon a time"}, {"error": "The server had an error.", "wrapped": wrapped})
        answer = await talk(ask, "Tell me a story.", metadata=acts)
        run = json.loads(answer.events()[1][1])
        await ask("GET", f"/v1/threads/{run['thread_id']}/runs/{run['id']}")


async def limited_run(ask: Ask) -> None:
    """A run that is refused over HTTP, and one that fails at the rate limit."""
    limit = {"refuse": 429, "message": "Rate limit reached.", "type": "requests", "error_code": "rate_limit_exceeded"}
    await talk(ask, "Too fast.", metadata=told({**limit, "retry_after_s": 1}))
    await talk(ask, "Too much.", metadata=told({"begin": True}, {"fail": "rate_limit_exceeded"}))


async def refusing_run(ask: Ask) -> None:
    """A model that will not answer."""
    await talk(ask, "Say it.", metadata=told({"refusal": "I would rather not."}))


async def json_run(ask: Ask) -> None:
    """Answers in JSON: any object, and one that a schema describes."""
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "celsius": {"type": "integer", "minimum": -90, "maximum": 60}},
        "required": ["city", "celsius"],
        "additionalProperties": False,
    }
    await talk(ask, "Write some JSON for me!", response_format={"type": "json_object"})
    form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": schema, "strict": True}}
    await talk(ask, "The weather in Lisbon, 22 degrees.", response_format=form)


async def slow_run(ask: Ask) -> None:
    """A run that makes a pause and writes slowly, read while it does."""
    acts = told({"wait_s": 2}, {"pace_s": 1}, {"say": "Good things take time."})
    answer = await talk(ask, "Quick!", metadata=acts, stream=False)
    run = answer.json()
    while run["status"] != "completed":
        run = (await ask("GET", f"/v1/threads/{run['thread_id']}/runs/{run['id']}")).json()


async def refused_calls(ask: Ask) -> None:
    """What the API refuses, in its own words."""
    await ask("GET", "/v1/threads/thread_doesNotExist")
    await ask("POST", "/v1/assistants", {"name": "No model"})
    await ask("POST", "/v1/threads", {"metadata": {"modified": True}})
    await ask("GET", "/v1/assistants?limit=101")
    run = (await talk(ask, "Wait.", stream=False, metadata={"sandbox": "stall"})).json()
    thread = f"/v1/threads/{run['thread_id']}"
    await ask("POST", f"{thread}/messages", {"role": "user", "content": "More."})
    await ask("POST", f"{thread}/runs", {"assistant_id": run["assistant_id"]})
    await ask("POST", f"{thread}/runs/{run['id']}/submit_tool_outputs", {"tool_outputs": []})


async def pages(ask: Ask) -> None:
    """A list in pages, forwards and backwards, and what changes and deletes its items."""
    thread = (await ask("POST", "/v1/threads", {})).json()["id"]
    messages = f"/v1/threads/{thread}/messages"
    made = [(await ask("POST", messages, {"role": "user", "content": f"Number {n}"})).json()["id"] for n in range(5)]
    first = (await ask("GET", f"{messages}?limit=2")).json()
    await ask("GET", f"{messages}?limit=2&after={first['last_id']}")
    await ask("GET", f"{messages}?limit=2&order=asc&before={made[4]}")
    await ask("POST", f"{messages}/{made[0]}", {"metadata": {"seen": "yes"}})
    await ask("DELETE", f"{messages}/{made[1]}")
    await ask("GET", f"{messages}?order=asc")
    await ask("DELETE", f"/v1/threads/{thread}")


SITUATIONS: dict[str, Scenario] = {
    one.__name__.replace("_", "-"): one
    for one in (
        parallel_run, one_by_one_run, code_run, search_run, incomplete_run, expired_run, broken_run, error_run,
        limited_run, refusing_run, json_run, slow_run, refused_calls, pages,
    )
}  # fmt: skip
