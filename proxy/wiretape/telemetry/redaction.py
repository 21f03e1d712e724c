"""Takes keys out of reports before a sink has them: ids, models and names are text that others chose."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from wiretape.cassette import secrets
from wiretape.cassette.recorder import redactor_for
from wiretape.cassette.redact import Redactor
from wiretape.cassette.secrets import Secrets
from wiretape.exchange import Request
from wiretape.runs.report import ExchangeReport, RunReport
from wiretape.telemetry.fanout import Fanout

Report = TypeVar("Report", ExchangeReport, RunReport)

_CREDENTIALS = frozenset({b"authorization", b"proxy-authorization", b"api-key", b"x-api-key", b"cookie"})
"""Fields whose values are looked for; whatever else is a key is found by its look."""


class Redacted:
    """Reports on their way to the sinks; knows the `secrets_max` last credentials. Belongs to the loop's thread."""

    def __init__(self, fanout: Fanout, secrets_max: int = 32) -> None:
        self._fanout = fanout
        self._secrets = Secrets(secrets_max)
        self._secrets_max = secrets_max
        self._learned: dict[frozenset[bytes], None] = {}

    def learn(self, request: Request) -> None:
        """Take note of a request's credentials, of which there are few: one key comes again and again."""
        credentials = frozenset(value for name, value in request.headers if name.lower() in _CREDENTIALS)
        if credentials and credentials not in self._learned:
            redactor_for(request, self._secrets)
            self._learned[credentials] = None
            if len(self._learned) > self._secrets_max:
                del self._learned[next(iter(self._learned))]

    def exchange(self, report: ExchangeReport) -> None:
        """Queue an exchange's report for every sink."""
        self._fanout.exchange(self._clean(report))

    def run(self, report: RunReport) -> None:
        """Queue a run's report for every sink."""
        self._fanout.run(self._clean(report))

    def _clean(self, report: Report) -> Report:
        """Give the report as it is or, where a key stands in it, one with placeholders."""
        data = msgspec.json.encode(report)
        if secrets.ANY_KEYWORD.search(data) is None and not any(form in data for form in self._secrets.forms):
            return report
        return msgspec.json.decode(Redactor(self._secrets, b"", ()).text(data), type=type(report))
