"""OpenTelemetry's environment variables: which are honoured, and what they ask for.

A value that cannot be honoured stops the start with one sentence: a proxy that quietly samples otherwise, or exports
nothing, is found out too late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from wiretape.errors import ConfigError
from wiretape.telemetry.checks import check
from wiretape.wire.tracing import Sampler, Tracing

HTTP: Final = "http/protobuf"
GRPC: Final = "grpc"

DISABLED: Final = "OTEL_SDK_DISABLED"
OTLP: Final = "OTEL_EXPORTER_OTLP_"
SAMPLER: Final = "OTEL_TRACES_SAMPLER"
SAMPLER_ARG: Final = "OTEL_TRACES_SAMPLER_ARG"
PROPAGATORS: Final = "OTEL_PROPAGATORS"
OPT_IN: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
CAPTURE_CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SPANS_WAITING: Final = "OTEL_BSP_MAX_QUEUE_SIZE"
EXEMPLARS: Final = "OTEL_METRICS_EXEMPLAR_FILTER"
VALUE_LENGTHS: Final = ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")
LATEST_GENAI: Final = "gen_ai_latest_experimental"

_SIGNALS: Final = ("TRACES", "METRICS")
_DIGITS_MAX: Final = 15
_PARENT_BASED: Final = "parentbased_"
_RATIOS: Final = {"always_on": 1.0, "always_off": 0.0, "traceidratio": None}
"""Sampler to its share of traces; None where the argument says it."""


class Honoured(Struct, frozen=True):
    """Variables that do one thing; the reference lists them, and a test shows what each does."""

    names: tuple[str, ...]
    meaning: str


def _of_signals(suffix: str) -> tuple[str, ...]:
    return (OTLP + suffix, f"{OTLP}TRACES_{suffix}", f"{OTLP}METRICS_{suffix}")


HONOURED: Final = (
    Honoured((DISABLED,), "`true` leaves the log and the ledger alone: no spans, no metrics, an empty `/metrics`."),
    Honoured(("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"), "Whose telemetry it is; `wiretape` where none says."),
    Honoured(
        ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER"),
        "`otlp` or `none`, for metrics `prometheus` too, which is always there. Unset, an endpoint is what exports.",
    ),
    Honoured(_of_signals("ENDPOINT"), "Where to. Without one, and with no exporter named, nothing is exported."),
    Honoured(_of_signals("PROTOCOL"), "`http/protobuf` or, with the extra `wiretape[grpc]`, `grpc`."),
    Honoured(_of_signals("HEADERS"), "Sent with every export."),
    Honoured(_of_signals("TIMEOUT"), "Seconds for one export."),
    Honoured(_of_signals("COMPRESSION"), "`gzip`, `deflate` (HTTP alone) or `none`."),
    Honoured(_of_signals("CERTIFICATE"), "PEM file with the roots that the collector's certificate is checked by."),
    Honoured(
        (*_of_signals("CLIENT_CERTIFICATE"), *_of_signals("CLIENT_KEY")), "PEM files with a certificate of our own."
    ),
    Honoured(_of_signals("INSECURE"), "gRPC: whether an endpoint without a scheme is asked without TLS."),
    Honoured(
        (f"{OTLP}METRICS_TEMPORALITY_PREFERENCE",), "`cumulative`, `delta` or `lowmemory`, for what is sent by OTLP."
    ),
    Honoured(
        (SPANS_WAITING, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT"),
        "Spans that wait for export and go at once, and milliseconds between and for two exports.",
    ),
    Honoured(
        ("OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT"),
        "Milliseconds between two exports of metrics, and for one.",
    ),
    Honoured(
        (SAMPLER, SAMPLER_ARG),
        "`always_on`, `always_off`, `traceidratio`, and each with `parentbased_` before it; the argument is the ratio.",
    ),
    Honoured((PROPAGATORS,), "`tracecontext` (the default) or `none`; `baggage` is passed on in any case."),
    Honoured((OPT_IN,), "`gen_ai_latest_experimental`: the newest names of the GenAI conventions. HTTP's are stable."),
    Honoured(VALUE_LENGTHS, "Characters of a span attribute's text, where fewer than 8 KiB are to be kept."),
    Honoured((EXEMPLARS,), "`trace_based` (the default): sampled traces on durations; `always_off`: none."),
    Honoured(
        (CAPTURE_CONTENT,),
        "Only `NO_CONTENT` and `false`: no message is ever exported; asking for it is answered by a warning.",
    ),
)
"""Every variable that has an effect."""


class Asked(Struct, frozen=True, kw_only=True):
    """What the variables ask for."""

    disabled: bool
    spans: str | None
    """The protocol that spans are exported by; None where they are not."""
    metrics: str | None
    """The protocol that metrics are exported by; None where they are not."""
    sampler: Sampler
    reads_context: bool
    is_latest: bool
    """Whether the newest generation of GenAI names is asked for."""
    captures_content: bool
    spans_waiting_max: int | None
    value_chars_max: int | None
    exemplars: bool

    def tracing(self, *, makes_spans: bool, always: bool) -> Tracing:
        """The part to take in callers' traces."""
        sends = makes_spans and self.reads_context
        return Tracing(sampler=self.sampler, reads=self.reads_context, sends=sends, always=always)


def asked(environ: Mapping[str, str]) -> Asked:
    """Read the variables; an empty one is as good as none. Raises ConfigError for what is not to be had."""
    disabled = _word(environ, DISABLED) == "true"
    protocols = {signal: None if disabled else _protocol(signal, environ) for signal in _SIGNALS}
    check(environ, {signal: by == HTTP for signal, by in protocols.items() if by is not None})
    return Asked(
        disabled=disabled,
        spans=protocols["TRACES"],
        metrics=protocols["METRICS"],
        sampler=_sampler(environ),
        reads_context=_reads_context(environ),
        is_latest=LATEST_GENAI in _list(environ, OPT_IN),
        captures_content=_word(environ, CAPTURE_CONTENT) not in {"", "no_content", "false"},
        spans_waiting_max=_number(environ, SPANS_WAITING),
        exemplars=_word(environ, EXEMPLARS) != "always_off",
        value_chars_max=next(filter(_is_told, (_number(environ, name) for name in VALUE_LENGTHS)), None),
    )


def _is_told(value: int | None) -> bool:
    return value is not None


def _word(environ: Mapping[str, str], name: str) -> str:
    """The value of an enumeration, whose case does not matter (OpenTelemetry's environment variable specification)."""
    return environ.get(name, "").strip().lower()


def _list(environ: Mapping[str, str], name: str) -> set[str]:
    return {part.strip().lower() for part in environ.get(name, "").split(",")} - {""}


def _number(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise ConfigError(f"{name} is a number that is not negative; got {text[:40]!r}")
    return int(text)


def _known(name: str, found: Iterable[str], known: Iterable[str], use: str) -> None:
    if unknown := set(found) - set(known):
        raise ConfigError(f"{name} asks for {', '.join(sorted(unknown))}: use {use}")


def _protocol(signal: str, environ: Mapping[str, str]) -> str | None:
    """By what the signal goes to a collector; None where nothing says that it should."""
    variable = f"OTEL_{signal}_EXPORTER"
    named = _list(environ, variable)
    _known(variable, named, {"otlp", "none", "prometheus"}, "otlp or none")
    endpoints = (OTLP + "ENDPOINT", f"{OTLP}{signal}_ENDPOINT")
    if "otlp" not in named and (named or not any(environ.get(name) for name in endpoints)):
        return None
    protocol = _word(environ, f"{OTLP}{signal}_PROTOCOL") or _word(environ, OTLP + "PROTOCOL") or HTTP
    if protocol not in {HTTP, GRPC}:
        raise ConfigError(f"OTLP over {protocol} is not supported: set {OTLP}PROTOCOL to {HTTP} or {GRPC}")
    return protocol


def _sampler(environ: Mapping[str, str]) -> Sampler:
    name = _word(environ, SAMPLER) or "parentbased_always_on"
    kind = name.removeprefix(_PARENT_BASED)
    _known(SAMPLER, {kind}, _RATIOS, f"{', '.join(_RATIOS)}, or one of them after {_PARENT_BASED}")
    ratio = _RATIOS[kind]
    return Sampler.of(_ratio(environ) if ratio is None else ratio, obeys_caller=kind != name)


def _ratio(environ: Mapping[str, str]) -> float:
    text = environ.get(SAMPLER_ARG, "").strip() or "1"
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise ConfigError(f"{SAMPLER_ARG} is a ratio from 0 to 1; got {text!r}")
    return ratio


def _reads_context(environ: Mapping[str, str]) -> bool:
    named = _list(environ, PROPAGATORS)
    _known(PROPAGATORS, named, {"tracecontext", "baggage", "none"}, "tracecontext, baggage or none")
    return not named or "tracecontext" in named
