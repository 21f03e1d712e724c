"""Which engine speaks to an upstream, by its name in the configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlsplit

from wiretape.edge.engines.counts import Counts
from wiretape.edge.engines.fast import FastUpstream
from wiretape.edge.engines.reference import ClientUpstream
from wiretape.edge.tls import client_context
from wiretape.edge.upstream import EngineName, UpstreamOptions
from wiretape.exchange import Upstream


class Engines:
    """Makes the engines of one name, and adds up what they count."""

    def __init__(self, name: EngineName) -> None:
        self._name = name
        self._counts: list[Counts] = []

    def open(self, options: UpstreamOptions) -> Upstream:
        """Make an upstream's engine; raises ConfigError for TLS files that are none."""
        tls = client_context(options) if urlsplit(options.url).scheme == "https" else None
        if self._name == "reference":
            return ClientUpstream(options, tls)
        upstream = FastUpstream(options, tls)
        self._counts.append(upstream.counts)
        return upstream

    def incidents(self) -> Mapping[str, int]:
        """What was dropped, closed or done again so far, by kind; empty for `reference`, which cannot see it."""
        total: Counter[str] = Counter()
        for counts in self._counts:
            total.update(vars(counts))
        return total
