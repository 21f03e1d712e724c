"""`wiretape demo`: one conversation by the real SDK, streamed, recorded, traced, audited and replayed."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import click
import msgspec
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from wiretape.app import Proxy
from wiretape.audit.report import report
from wiretape.audit.show import as_text
from wiretape.cassette.plan import Mode
from wiretape.cli.running import KEY, run_loop
from wiretape.config import Config
from wiretape.errors import ConfigError
from wiretape.telemetry.tree import tree

Say = Callable[[str], None]
QUESTION = "What is the weather in Lisbon?"
FORECAST = {"city": "Lisbon", "sky": "clear", "celsius": 22}
ASSISTANT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "name": "Forecaster",
    "instructions": "Answer questions about the weather in one friendly sentence.",
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "The weather in a city",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            },
        }
    ],
}


@click.command()
@click.option("--cassette", default="demo", show_default=True, help="Where the conversation is recorded")
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), help="Folder for cassette and ledger [a new one]"
)
def demo(cassette: str, keep: Path | None) -> None:
    """Show it all in a few seconds: sandbox, proxy, and the real SDK as the client. No key, no network.

    \b
    Example:
      wiretape demo
    """  # noqa: D301  \b keeps click from folding the lines
    try:
        importlib.import_module("openai")
    except ImportError:
        click.echo("wiretape: the demo's client is the openai SDK: pip install 'wiretape[demo]'", err=True)
        sys.exit(2)
    folder = keep or Path(tempfile.mkdtemp(prefix="wiretape-demo-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror}") from error
    sys.exit(run_loop(_demo(folder, cassette)))


async def _demo(folder: Path, name: str) -> int:
    stem = str(folder / name)
    exporter = InMemorySpanExporter()
    config = Config(
        listen="127.0.0.1:0",
        admin="127.0.0.1:0",
        cassette=(stem,),
        mode=Mode.REWRITE,
        ledger=f"sqlite:///{folder / 'wiretape.db'}",
    )
    live = await _talk_through(config, exporter, say=_stream_out)
    _section("Trace: one run, one tree")
    click.echo(tree(exporter.get_finished_spans()))
    _section("Ledger: one run, one row (wiretape audit report)")
    click.echo(as_text(report(folder / "wiretape.db"), terminal=False))
    _section("Cassette")
    click.echo(f"{stem}.tape.jsonl")
    replayed = await _talk_through(msgspec.structs.replace(config, mode=Mode.REPLAY, ledger="none"), None, say=_nothing)
    return _verdict(live, replayed)


async def _talk_through(config: Config, exporter: InMemorySpanExporter | None, say: Say) -> list[str]:
    proxy = await Proxy.start(config, environ={}, log=io.StringIO(), exporter=exporter)
    try:
        if config.mode is not Mode.REPLAY:
            behind = proxy.sandbox.url if proxy.sandbox else ""
            click.echo(f"openai SDK -> proxy {proxy.traffic.url} -> sandbox {behind}")
        return await _converse(f"{proxy.traffic.url}/v1", say)
    finally:
        await proxy.close()


async def _converse(url: str, say: Say) -> list[str]:
    """Hold the conversation; give a digest of each answer's body as the client read it."""
    import openai  # noqa: PLC0415  an extra, checked before

    digests: list[str] = []
    http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [_digesting(digests)]}, trust_env=False)
    async with openai.AsyncOpenAI(base_url=url, api_key=KEY, http_client=http, max_retries=0) as client:
        with warnings.catch_warnings():
            # The hosted service closed in 2026 and the SDK says so at each call; the protocol is why we are here.
            warnings.simplefilter("ignore", DeprecationWarning)
            await _ask(client, say)
    return digests


async def _ask(client: Any, say: Say) -> None:  # noqa: ANN401  the SDK is optional: its types are not here
    beta = client.beta
    assistant = await beta.assistants.create(**ASSISTANT)
    thread = await beta.threads.create()
    await beta.threads.messages.create(thread.id, role="user", content=QUESTION)
    say(f"\n> {QUESTION}\n")
    async with beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        run = await _watch(stream, say)
    calls = run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": call.id, "output": msgspec.json.encode(FORECAST).decode()} for call in calls]
    for call in calls:
        say(f"\n  {call.function.name}({call.function.arguments}) -> {FORECAST}\n\n")
    async with beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs
    ) as stream:
        run = await _watch(stream, say)
    say(f"\n\n  run {run.status}, {run.usage.total_tokens} tokens\n")


async def _watch(stream: Any, say: Say) -> Any:  # noqa: ANN401
    async for event in stream:
        if event.event == "thread.message.delta":
            for part in event.data.delta.content or ():
                say(part.text.value or "")
        elif event.event == "thread.run.step.delta":
            say(".")
    return stream.current_run


def _digesting(digests: list[str]) -> Any:  # noqa: ANN401
    """Make a response hook for the SDK's HTTP client that sees each body byte which the client reads."""

    async def hook(response: Any) -> None:  # noqa: ANN401
        stream_type = importlib.import_module(type(response).__module__.partition(".")[0]).AsyncByteStream
        digest, inner, place = hashlib.sha256(), response.stream, len(digests)
        digests.append("")

        async def read(_: object) -> AsyncIterator[bytes]:
            async for data in inner:
                digest.update(data)
                digests[place] = digest.hexdigest()
                yield data

        async def aclose(_: object) -> None:
            await inner.aclose()

        response.stream = type("Digesting", (stream_type,), {"__aiter__": read, "aclose": aclose})()

    return hook


def _verdict(live: list[str], replayed: list[str]) -> int:
    same = sum(a == b for a, b in zip(live, replayed, strict=False))
    identical = same == len(live) == len(replayed)
    _section("Replay, the sandbox gone")
    click.echo(
        f"{same} of {len(live)} answers {'were identical, byte for byte' if identical else 'were identical: NOT ALL'}"
    )
    return 0 if identical else 1


def _section(title: str) -> None:
    click.secho(f"\n== {title}", bold=None if "NO_COLOR" in os.environ else True)


def _stream_out(text: str) -> None:
    click.echo(text, nl=False)


def _nothing(_: str) -> None:
    return None
