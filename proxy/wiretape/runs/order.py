"""Which event may follow which in a stream: findings for a person, never an error.

What the order is, each dialect knows (for Assistants: `dialects/assistants/grammar`, a table). Nothing of it
is shared with the sandbox, so that each of the two holds the other to the wire reference.
"""

from __future__ import annotations

from wiretape.dialects import route
from wiretape.dialects.findings import Finding, Order, Severity

__all__ = ["Finding", "Order", "Severity", "order"]


def order(method: str, path: str) -> Order | None:
    """A check of the stream that answers this request (path without query); None where no dialect knows it.

    Feed it the name and the data of each frame that has data, in their order, then `finish` it once.
    """
    known = route(method, path)
    if known is None:
        return None
    dialect, found = known
    return dialect.order(found)
