"""Takes keys out of reports before a sink has them: ids, models and names are text that others chose."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeVar, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from wiretape.cassette.redact import Redactor, suspects
from wiretape.cassette.redact_rules import NO_RULES, RedactOptions
from wiretape.cassette.secrets import Secrets
from wiretape.exchange import Request, Trace
from wiretape.runs.report import Correction, ExchangeReport, RunReport
from wiretape.runs.snapshot import Snapshot, encode
from wiretape.telemetry.fanout import Fanout

Report = TypeVar("Report", ExchangeReport, RunReport, Correction)
Value = TypeVar("Value", bound=Struct)

_OUR_WORDS: Final = frozenset(
    {"route", "mode", "played", "outcome", "usage_source", "first_token_kind", "key_hash"},
)
"""Fields whose text is Wiretape's own, whatever a client calls its key."""


class Redacted:
    """Reports on their way to the sinks; knows the `secrets_max` last credentials. Belongs to the loop's thread."""

    def __init__(self, fanout: Fanout, rules: RedactOptions = NO_RULES, secrets_max: int = 32) -> None:
        self._fanout = fanout
        self._secrets = Secrets(secrets_max, rules)
        self.dropped = 0
        """Reports that could not be redacted, and so went to no sink."""

    def learn(self, request: Request) -> None:
        """Take note of the credentials in a request's head; one that was seen lately costs a look in a table."""
        target = request.target.encode("utf-8", "surrogateescape")
        for kind, value in self._secrets.rules.heads(target, request.headers):
            self._secrets.learn(kind, value, self._secrets.lasting)

    def exchange(self, report: ExchangeReport) -> None:
        """Queue an exchange's report for every sink."""
        clean = self._clean(report)
        if clean is not None:
            self._fanout.exchange(clean)

    def run(self, report: RunReport) -> None:
        """Queue a run's report for every sink."""
        clean = self._clean(report)
        if clean is not None:
            self._fanout.run(clean)

    def correction(self, report: Correction) -> None:
        """Queue better figures of a run for every sink."""
        clean = self._clean(report)
        if clean is not None:
            self._fanout.correction(clean)

    def open_run(self, snapshot: Snapshot) -> bytes | None:
        """Encode a run that goes on, for the disk; None where it cannot be told without a key."""
        try:
            data = encode(snapshot)
            if not self._holds(data):
                return data
            clean = _redacted(snapshot, Redactor(self._secrets, b"", ()))
            return encode(clean) if clean.key == snapshot.key else None
        except Exception:  # noqa: BLE001 - as of a report
            return None

    def _clean(self, report: Report) -> Report | None:
        """Give the report as it is or, where a key may stand in it, one with placeholders."""
        try:
            return _redacted(report, Redactor(self._secrets, b"", ())) if self._suspects(report) else report
        except Exception:  # noqa: BLE001 - a report is lost, the loop goes on, and no text of it gets out
            self.dropped += 1
            return None

    def _suspects(self, report: Report) -> bool:
        """One look at all its text together: nearly always the only one."""
        try:
            text = msgspec.json.encode((_TEXTS[type(report)](report), _told_traces(report)))
        except UnicodeEncodeError:
            return True
        return self._holds(text)

    def _holds(self, text: bytes) -> bool:
        return suspects(text, self._secrets.lasting.known) or self._secrets.rules.finds(text)


def _is_text(kind: Any) -> bool:  # noqa: ANN401  a type annotation has no narrower type
    """Whether a field of this type may hold text that others chose: enumerations are ours."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return any(_is_text(field.type) for field in fields(kind) if field.type != kind | None)
    return kind is str or any(map(_is_text, get_args(kind)))


def _texts(kind: type[Struct]) -> Callable[[Any], object]:
    """What gives all text of such a report at once."""
    left_out = _OUR_WORDS.union(_traces(kind))
    return attrgetter(*(field.name for field in fields(kind) if field.name not in left_out and _is_text(field.type)))


def _traces(kind: type[Struct]) -> tuple[str, ...]:
    """The fields of such a report that are a trace."""
    return tuple(field.name for field in fields(kind) if field.type in {Trace, Trace | None})


_KINDS: Final = (ExchangeReport, RunReport, Correction)
_TEXTS: Final = {kind: _texts(kind) for kind in _KINDS}
_TRACES: Final = {kind: _traces(kind) for kind in _KINDS}


def _told_traces(report: ExchangeReport | RunReport | Correction) -> list[Trace]:
    """Its traces that hold text of a caller: the others are long numbers, most of what would be looked through."""
    traces = [getattr(report, name) for name in _TRACES[type(report)]]
    return [trace for trace in traces if trace is not None and (trace.state or trace.client)]


def _redacted(value: Value, redactor: Redactor) -> Value:
    """Every text in it redacted, but for names of its fields, its enumerations and our own words."""
    fields = ((name, getattr(value, name)) for name in value.__struct_fields__ if name not in _OUR_WORDS)
    return replace(value, **{name: _clean(found, redactor) for name, found in fields})


def _clean(found: object, redactor: Redactor) -> object:
    if type(found) is str:
        return redactor.text(found.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
    if isinstance(found, Struct):
        return _redacted(found, redactor)
    if isinstance(found, dict):
        return {_clean(name, redactor): _clean(one, redactor) for name, one in found.items()}
    return type(found)(_clean(one, redactor) for one in found) if isinstance(found, tuple | list) else found
