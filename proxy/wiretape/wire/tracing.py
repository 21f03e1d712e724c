"""Whose decision it is that a trace is kept, and whether the upstream is told of it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

_LOW_BITS: Final = 64
_ALL: Final = 1 << _LOW_BITS


class Sampler(Struct, frozen=True):
    """Decides at a request's head, as OpenTelemetry's `parentbased_traceidratio` does, so that replicas agree."""

    bound: int = _ALL
    """A trace is sampled where the low 64 bits of its id are below this: all of them by default."""
    obeys_caller: bool = True
    """Whether a caller that said if its trace is sampled has decided."""

    @classmethod
    def of(cls, ratio: float, *, obeys_caller: bool) -> Sampler:
        """One that samples this share of traces, 0 to 1."""
        return cls(round(ratio * _ALL), obeys_caller)

    def decide(self, trace_id: int, said: bool | None) -> tuple[bool, bool]:
        """Whether the trace is sampled and, where chance alone said no, whether its end may still say yes.

        `said` is the caller's decision, None where there is no caller. A ratio of 0 is a wish for nothing at all.
        """
        if said is not None and self.obeys_caller:
            return said, False
        sampled = trace_id & (_ALL - 1) < self.bound
        return sampled, bool(self.bound) and not sampled


class Tracing(Struct, frozen=True, kw_only=True):
    """What part the proxy takes in its callers' traces."""

    sampler: Sampler = Sampler()
    reads: bool = True
    """Whether a caller's `traceparent` is read."""
    sends: bool = True
    """Whether the upstream may be told: not where no span is made, for then our ids would lead nowhere."""
    always: bool = False
    """Whether the upstream is told although the caller sent no `traceparent`."""
