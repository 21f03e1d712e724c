"""A recording that another tool made of the real service is replayed to the real SDK."""

import asyncio
import json
from pathlib import Path

import openai
import pytest
import yaml

from support.proxied import proxied
from support.sdk import beta_calls, client
from wiretape.cassette.convert.formats import read
from wiretape.cassette.plan import Mode
from wiretape.edge.store import write_tape
from wiretape.errors import ImportRefused

OWN = Path(__file__).parent / "data" / "vcr-text-run.yaml"
TRACELOOP = "traffic/traceloop__openllmetry/packages/opentelemetry-instrumentation-openai/tests/traces/cassettes"
STREAMED = "test_assistant/test_streaming_new_assistant.yaml"


class Listener(openai.AssistantEventHandler):
    """What an application would write: it gathers the text as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def on_text_delta(self, delta: openai.types.beta.threads.TextDelta, snapshot: object) -> None:
        self.text += delta.value or ""


async def heard(recording: Path, folder: Path) -> tuple[str, str]:
    """Import, replay to the SDK's streaming helper; gives the text heard and the text recorded."""
    source = recording.read_bytes()
    write_tape(read(source).tape, folder / "foreign.tape.jsonl")
    run = next(one for one in yaml.safe_load(source)["interactions"] if one["request"]["uri"].endswith("/runs"))
    async with proxied(mode=Mode.REPLAY, cassette=(str(folder / "foreign"),)) as proxy:
        text = await asyncio.to_thread(_listen, proxy.traffic.url, run["request"])
        outcome = await proxy.close()
    assert outcome.refused == 0
    return text, _recorded_text(run["response"]["body"]["string"])


def _listen(url: str, request: dict[str, str]) -> str:
    body = json.loads(request["body"])
    thread = request["uri"].split("/")[-2]
    settings = {name: value for name, value in body.items() if name not in {"assistant_id", "stream"}}
    listener = Listener()
    runs = client(url).beta.threads.runs
    with beta_calls():
        opened = runs.stream(thread_id=thread, assistant_id=body["assistant_id"], event_handler=listener, **settings)
    with opened as stream:
        stream.until_done()
        run = stream.current_run
    assert run is not None
    assert run.status == "completed"
    return listener.text


def _recorded_text(stream: str) -> str:
    completed = stream.split("event: thread.message.completed\ndata: ")[1].split("\n", maxsplit=1)[0]
    text: str = json.loads(completed)["content"][0]["text"]["value"]
    return text


async def test_our_own_recording_in_vcrs_form_reaches_the_sdk(tmp_path: Path) -> None:
    got, recorded = await heard(OWN, tmp_path)
    assert got == recorded == "Héllo, you."


async def test_a_real_recording_of_the_hosted_service_reaches_the_sdk(corpora: Path, tmp_path: Path) -> None:
    got, recorded = await heard(corpora / TRACELOOP / STREAMED, tmp_path)
    assert got == recorded
    assert len(recorded) > 20


def test_the_recording_has_no_secret_after_import() -> None:
    tape = read(OWN.read_bytes()).tape
    stored = repr(
        [(one.target, one.request_headers, one.request_body, one.headers, one.body) for one in tape.interactions]
    )
    assert "sk-own-recording" not in stored


def test_what_is_no_recording_is_refused_with_a_reason() -> None:
    with pytest.raises(ImportRefused, match="interactions"):
        read(b"a: 1\n")
