"""The two generations of GenAI metric names, and which tokens each shows where.

Released instrumentations and dashboards speak the first; the second is what semantic-conventions-genai has now, and
comes with `OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental`. Of the spans' names that are used here none
differs. `gen_ai.client.operation.duration` stays for agents, which are no inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, structs

from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.instrument import Instrument


class Tokens(Struct, frozen=True):
    """One instrument of tokens."""

    instrument: Instrument
    field: str
    """Of `Usage`."""
    says: Mapping[str, str] = {}
    """Attributes that are the same for each run."""


class Generation(Struct, frozen=True):
    """Names that change from one to the next."""

    first_chunk: Instrument
    output_chunk: Instrument
    tokens: tuple[Tokens, ...]

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Every instrument of a proxy that speaks it, in the order of the vocabulary."""
        ours = {one.instrument.name: one.instrument for one in self.tokens}
        rest = [one for one in v.INSTRUMENTS if one not in _CHANGING and one.name not in ours]
        return (self.first_chunk, self.output_chunk, *ours.values(), *rest)


_CHANGING = (v.FIRST_CHUNK, v.OUTPUT_CHUNK, v.TOKEN_USAGE)
_OWN = (
    Tokens(v.INPUT_TOKENS, "prompt"),
    Tokens(v.CACHED_TOKENS, "cached"),
    Tokens(v.OUTPUT_TOKENS, "completion"),
    Tokens(v.REASONING_TOKENS, "reasoning"),
)
_INFERENCE = "gen_ai.client.inference."


def _spent(kind: str, like: Instrument, field: str) -> Tokens:
    """A counter of docs/gen-ai/gen-ai-token-metrics.md; the service does not tell the tokens' modality."""
    attributes = (*(name for name in v.OPERATION.attributes if name != v.ERROR_TYPE), v.TOKEN_MODALITY)
    name = f"{_INFERENCE}usage.{kind}"
    return Tokens(structs.replace(like, name=name, attributes=attributes), field, {v.TOKEN_MODALITY: "unknown"})


def _distribution(kind: str, text: str, field: str) -> Tokens:
    name, attributes = f"{_INFERENCE}operation.{kind}", v.OPERATION.attributes
    return Tokens(structs.replace(v.TOKEN_USAGE, name=name, help=text, attributes=attributes, weight=1), field)


RELEASED: Final = Generation(
    v.FIRST_CHUNK,
    v.OUTPUT_CHUNK,
    (
        Tokens(v.TOKEN_USAGE, "prompt", {v.TOKEN_TYPE: "input"}),
        Tokens(v.TOKEN_USAGE, "completion", {v.TOKEN_TYPE: "output"}),
        *_OWN,
    ),
)
LATEST: Final = Generation(
    structs.replace(v.FIRST_CHUNK, name=f"{_INFERENCE}time_to_first_chunk"),
    structs.replace(v.OUTPUT_CHUNK, name=f"{_INFERENCE}time_per_output_chunk"),
    (
        _distribution("input_tokens", "Input tokens of a run, counted once when it ends.", "prompt"),
        _distribution("output_tokens", "Output tokens of a run, counted once when it ends.", "completion"),
        _spent("input_tokens", v.INPUT_TOKENS, "prompt"),
        _spent("output_tokens", v.OUTPUT_TOKENS, "completion"),
        _spent("cache_read.input_tokens", v.CACHED_TOKENS, "cached"),
        _spent("reasoning.output_tokens", v.REASONING_TOKENS, "reasoning"),
        *_OWN,
    ),
)
