"""For mitmproxy (`-s`): pass all bodies on as they come, in both directions."""

from __future__ import annotations

from typing import Any


def requestheaders(flow: Any) -> None:
    flow.request.stream = True


def responseheaders(flow: Any) -> None:
    flow.response.stream = True
