"""The whole journey in one process of the command: a tool run through the proxy, seen by a real OTLP receiver."""

import json
import sys
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support.collector import a_collector
from support.command import wiretape
from support.reading import tree_of

TESTS = Path(__file__).parent
TALK = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[1])
from support.scenarios import asking, tool_run

async def main():
    async with asking(os.environ["OPENAI_BASE_URL"].removesuffix("/v1")) as (ask, _):
        await tool_run(ask)

asyncio.run(main())
"""


async def test_a_tool_run_is_one_tree_one_row_and_one_cassette(tmp_path: Path) -> None:
    quiet = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    async with a_collector() as collector:
        ran = await wiretape(
            "record", "talk", *quiet, "--", sys.executable, "-c", TALK, str(TESTS),
            cwd=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="journey",
        )  # fmt: skip
    assert (ran.code, ran.err.splitlines()[-1]) == (0, "5 interactions in cassettes/talk.tape.jsonl, 0 incomplete")
    assert tree_of(collector.spans, "POST /v1/threads/{thread_id}/runs") == [
        "SERVER POST /v1/threads/{thread_id}/runs",
        "  CLIENT invoke_agent Golden",
        "    CLIENT POST",
        "    INTERNAL run_step tool_calls",
        "      INTERNAL execute_tool get_weather",
        "    SERVER POST /v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
        "    CLIENT POST",
        "    INTERNAL run_step message_creation",
    ]
    assert {resource["service.name"] for resource in collector.resources} == {"journey"}
    usage = _attributes(next(span for span in collector.spans if span.name == "invoke_agent Golden"))
    told = json.loads((await wiretape("audit", "report", "--json", cwd=tmp_path)).out)["total"]
    assert (told["runs"], told["outcomes"]) == (1, {"completed": 1})
    assert (told["tokens"]["input"], told["tokens"]["output"]) == (
        usage["gen_ai.usage.input_tokens"],
        usage["gen_ai.usage.output_tokens"],
    )
    lines = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines].count("run.finished") == 1
    assert [line["event"] for line in lines].count("exchange.finished") == 5


def _attributes(span: Span) -> dict[str, int]:
    return {item.key: item.value.int_value for item in span.attributes}
