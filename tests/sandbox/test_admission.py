from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.assistants import HEADERS, talking
from wiretape.sandbox.admission import NO_BETA, NO_KEY, OLD_BETA, masked
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.state import Sandbox
from wiretape.testing import StepClock

KEY = "Bearer sk-the-right-one"


async def asked(headers: dict[str, str], api_key: str | None = None, path: str = "/v1/assistants") -> tuple[Any, ...]:
    """How a request with these headers is answered: status, and code and message of the refusal."""
    sandbox = Sandbox(SandboxOptions(api_key=api_key), StepClock(0))
    async with talking(sandbox) as talk:
        error = (await talk.ask("POST", path, {"model": "m"}, headers=headers)).get("error", {})
        return talk.status, error.get("code"), error.get("message")


@pytest.mark.parametrize("authorization", [None, "Basic abc", "Bearer", "Bearer ", "sk-1"])
async def test_without_a_key_nobody_is_let_in(authorization: str | None) -> None:
    """The words are quoted in full in many public programs; the code is null."""
    headers = {**HEADERS, "Authorization": authorization} if authorization is not None else {"x": "y"}
    assert await asked(headers) == (401, None, NO_KEY)


async def test_only_the_configured_key_is_let_in() -> None:
    assert (await asked({**HEADERS, "Authorization": KEY}, "sk-the-right-one"))[0] == 200
    assert await asked({**HEADERS, "Authorization": KEY}, "sk-another") == (
        401,
        "invalid_api_key",
        (
            "Incorrect API key provided: sk-the-r****-one. "
            "You can find your API key at https://platform.openai.com/account/api-keys."
        ),
    )


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("sk-wrong-api-key", "sk-wrong****-key"),  # dd-trace-py's completion_stream_wrong_api_key.yaml
        ("not-a-re" + 26 * "x" + "ized", "not-a-re**************************ized"),  # openai-dotnet's AuthFailure.json
        ("YOUR_API_KEY", "YOUR_API*KEY"),  # quoted by many
        ("short", "s****"),  # the service showed these whole
    ],
)
def test_a_wrong_key_is_masked_as_the_service_did(key: str, shown: str) -> None:
    assert masked(key) == shown


@given(st.text(min_size=2, max_size=200))
def test_a_masked_key_is_as_long_as_the_key_and_is_not_the_key(key: str) -> None:
    assert len(masked(key)) == len(key)
    assert "*" in masked(key)


@pytest.mark.parametrize(
    ("beta", "message"),
    [
        (None, NO_BETA),  # KenyonY/openai-forward#91, with v2 for v1
        ("", NO_BETA),
        ("realtime=v1", NO_BETA),
        ("assistants=v1", OLD_BETA),  # supershaneski/openai-assistants-api-multi-user-sample#4, JZO001/Forge.OpenAI#25
    ],
)
async def test_the_beta_header_must_ask_for_version_2(beta: str | None, message: str) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != "OpenAI-Beta"}
    headers |= {} if beta is None else {"OpenAI-Beta": beta}
    assert await asked(headers) == (400, "invalid_beta", message)


@pytest.mark.parametrize("beta", ["assistants=v2", "realtime=v1, assistants=v2"])
async def test_other_betas_may_be_asked_for_beside(beta: str) -> None:
    assert (await asked({**HEADERS, "OpenAI-Beta": beta}))[0] == 200


async def test_where_there_are_no_assistants_no_beta_is_asked_for() -> None:
    assert await asked({"Authorization": KEY}, path="/v1/models") == (404, None, "Invalid URL (POST /v1/models)")


@pytest.mark.parametrize("given", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_json_is_read(given: str) -> None:
    assert (await asked({**HEADERS, "Content-Type": given}))[0] == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/assistants"), ("POST", "/v1/threads")])
async def test_where_there_is_no_body_none_is_refused(method: str, path: str) -> None:
    """aiohttp's client and others name a media type although nothing is sent."""
    async with talking(Sandbox(SandboxOptions(), StepClock(0))) as talk:
        await talk.ask(method, path, headers={**HEADERS, "Content-Type": "application/octet-stream"})
        assert talk.status == 200


async def test_a_body_that_says_it_is_not_json_is_refused() -> None:
    """The words: openai/openai-openapi#502."""
    given = "multipart/form-data"
    message = (
        f"Unsupported content type: '{given}'. This API method only accepts 'application/json' requests, but you "
        f"specified the header 'Content-Type: {given}'. Please try again with a supported content type."
    )
    assert await asked({**HEADERS, "Content-Type": "multipart/form-data; boundary=x"}) == (
        400,
        "unsupported_content_type",
        message,
    )
