"""Which engine speaks to an upstream, by its name in the configuration."""

from __future__ import annotations

from urllib.parse import urlsplit

from wiretape.edge.engines.fast import FastUpstream
from wiretape.edge.engines.reference import ClientUpstream
from wiretape.edge.tls import client_context
from wiretape.edge.upstream import EngineName, UpstreamOptions
from wiretape.exchange import Upstream


def engine(name: EngineName, options: UpstreamOptions) -> Upstream:
    """Make an upstream's engine; raises ConfigError for TLS files that are none."""
    tls = client_context(options) if urlsplit(options.url).scheme == "https" else None
    match name:
        case "fast":
            return FastUpstream(options, tls)
        case "reference":
            return ClientUpstream(options, tls)
