"""Which conversations a sample takes: decided by the thread, so that all its exchanges are in or none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

_CONVERSATION = re.compile(rb"(?:thread|conv)_[A-Za-z0-9]{6,200}")
_ANSWERS = (b'{"k":"res"', b'{"k":"ev"')
PENDING_BYTES_MAX = 1 << 20
"""Bytes of lines that wait for an answer to name its thread; an exchange with more is decided by itself."""
_WHOLE = 1 << 64


def is_taken(subject: bytes, share: float) -> bool:
    """Whether this subject is in a share of all; the same in every process."""
    return int.from_bytes(hashlib.sha256(subject).digest()[:8], "big") < share * _WHOLE


class Sieve:
    """One exchange's lines, until it is known whether they are taken.

    That is decided by the thread that its target names, else by the first that its answer names, else by itself.
    """

    def __init__(self, target: str, share: float) -> None:
        self._share = share
        self._pending: list[bytes] = []
        named = _CONVERSATION.search(target.encode("utf-8", "surrogateescape"))
        self.taken: bool | None = None if named is None else is_taken(named[0], share)
        """None while that is not known."""

    def sift(self, lines: Sequence[bytes], *, last: bool) -> list[bytes]:
        """The lines to write now."""
        if self.taken is None:
            self._pending += lines
            self.taken = self._decided(lines, last=last)
            lines = self._pending
        if self.taken is not None:
            self._pending = []
        return list(lines) if self.taken else []

    def _decided(self, lines: Sequence[bytes], *, last: bool) -> bool | None:
        found = (_CONVERSATION.search(line) for line in lines if line.startswith(_ANSWERS))
        named = next((one[0] for one in found if one), None)
        if named is None and (last or sum(map(len, self._pending)) > PENDING_BYTES_MAX):
            named = b"".join(self._pending[:1])
        return None if named is None else is_taken(named, self._share)
