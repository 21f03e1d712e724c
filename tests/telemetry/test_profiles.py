"""Whole trees, span by span and attribute by attribute, in both profiles."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from support.reports import COST, RUNS, SUBMIT, a_run, a_submit, an_exchange
from support.telemetry import Spans

KEY = "0" * 32
HTTP = {"http.request.method": "POST", "http.response.status_code": 200}
UPSTREAM = {"server.address": "api.example", "server.port": 443}
SERVER = {**HTTP, "wiretape.mode": "record", "wiretape.cassette": "weather", "wiretape.key.alias": "web"}
RUN = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024",
    "gen_ai.agent.id": "asst_1",
    "gen_ai.agent.name": "Math Tutor",
    "gen_ai.conversation.id": "thread_1",
    "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.response.time_to_first_chunk": 0.03,
    "gen_ai.usage.input_tokens": 200,
    "gen_ai.usage.output_tokens": 40,
    "gen_ai.usage.cache_read.input_tokens": 50,
    "gen_ai.usage.reasoning.output_tokens": 10,
    "wiretape.run.id": "run_1",
    "wiretape.run.status": "completed",
    "wiretape.run.outcome": "completed",
    "wiretape.run.usage_source": "run",
    "wiretape.run.polls": 1,
    "wiretape.run.exchanges": 3,
    "wiretape.run.events": 40,
    "wiretape.run.steps": 2,
    "wiretape.run.tool_calls": 2,
    "wiretape.run.ttfe_s": 0.01,
    "wiretape.run.ttft_s": 0.03,
    "wiretape.run.ttft_kind": "code",
    "wiretape.run.phase.queue_s": 0.005,
    "wiretape.run.phase.model_s": 0.185,
    "wiretape.run.phase.tool_wait_s": 0.21,
    "wiretape.run.itl.p50_s": pytest.approx(0.002, rel=0.02),
    "wiretape.run.itl.p95_s": pytest.approx(0.003, rel=0.02),
    "wiretape.run.itl.max_s": pytest.approx(0.003, rel=0.02),
    "wiretape.mode": "record",
    "wiretape.cassette": "weather",
    "wiretape.key.alias": "web",
    "wiretape.cost.nano_usd": 837_500,
    "wiretape.cost.price_version": COST.version,
    **UPSTREAM,
}
TREE: dict[str, dict[str, Any]] = {
    f"SERVER POST {RUNS}": {**SERVER, "http.route": RUNS},
    "CLIENT invoke_agent Math Tutor": RUN,
    "CLIENT POST": {**HTTP, **UPSTREAM, "url.template": RUNS},
    "INTERNAL run_step tool_calls": {},
    "INTERNAL execute_tool code_interpreter": {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "code_interpreter",
        "gen_ai.tool.type": "extension",
        "gen_ai.tool.call.id": "call_1",
    },
    "INTERNAL execute_tool get_weather": {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "get_weather",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "call_2",
    },
    f"SERVER POST {SUBMIT}": {**SERVER, "http.route": SUBMIT},
    "CLIENT POST again": {**HTTP, **UPSTREAM, "url.template": SUBMIT},
    "INTERNAL run_step message_creation": {},
}
OPENINFERENCE: dict[str, dict[str, Any]] = {
    "CLIENT invoke_agent Math Tutor": {"openinference.span.kind": "AGENT"},
    "INTERNAL run_step tool_calls": {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o-2024",
        "llm.token_count.prompt": 100,
        "llm.token_count.completion": 20,
        "llm.token_count.total": 120,
        "llm.token_count.prompt_details.cache_read": 0,
        "llm.token_count.completion_details.reasoning": 0,
    },
    "INTERNAL execute_tool code_interpreter": {"openinference.span.kind": "TOOL"},
    "INTERNAL execute_tool get_weather": {"openinference.span.kind": "TOOL"},
    "INTERNAL run_step message_creation": {"openinference.span.kind": "CHAIN"},
}
PROFILES: dict[str, dict[str, dict[str, Any]]] = {"otel": {}, "openinference": OPENINFERENCE}


def told(spans: Spans) -> dict[str, dict[str, Any]]:
    """Attributes by kind and name; the second CLIENT POST is `again`."""
    found: dict[str, dict[str, Any]] = {}
    for span in sorted(spans.all, key=lambda one: one.start_time or 0):
        name = f"{span.kind.name} {span.name}"
        found[f"{name} again" if name in found else name] = dict(span.attributes or {})
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_every_attribute_of_a_runs_tree(profile: str) -> None:
    spans = Spans(profile, keys={KEY: "web"})
    known: dict[str, Any] = {"mode": "record", "cassette": "weather", "key_hash": KEY}
    spans.sink.exchange(an_exchange(**known))
    spans.sink.run(a_run(**known, cost=COST))
    spans.sink.exchange(a_submit(**known))
    added = PROFILES[profile]
    assert told(spans) == {name: {**facts, **added.get(name, {})} for name, facts in TREE.items()}


def test_where_no_step_tells_its_tokens_openinference_shows_the_runs() -> None:
    spans = Spans("openinference")
    run = a_run()
    spans.sink.run(structs.replace(run, steps=tuple(structs.replace(step, usage=None) for step in run.steps)))
    shown = {name: facts for name, facts in told(spans).items() if "llm.token_count.total" in facts}
    assert {
        name: (facts["openinference.span.kind"], facts["llm.token_count.total"]) for name, facts in shown.items()
    } == {"CLIENT invoke_agent Math Tutor": ("LLM", 240)}


def test_a_run_without_tokens_shows_none() -> None:
    spans = Spans("openinference")
    spans.sink.run(a_run(usage=None, steps=()))
    assert not [name for facts in told(spans).values() for name in facts if "token" in name]
