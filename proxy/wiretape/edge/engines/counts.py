"""What an engine dropped, closed or did again, counted: nothing of it shows in what a client gets."""

from __future__ import annotations


class Counts:
    """Counters of one upstream; the `reference` engine cannot see what these count."""

    def __init__(self) -> None:
        self.trailers = 0
        """Trailer fields dropped (RFC 9110 section 6.5.1 allows it)."""
        self.interim = 0
        """1xx answers dropped (RFC 9110 section 15.2 allows it)."""
        self.unasked = 0
        """Kept connections closed because something came that nobody had asked for."""
        self.repeated = 0
        """Requests sent once more because a kept connection broke before a byte of the answer."""
