from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from wiretape.wire.tracing import Sampler

IDS = st.integers(1, 2**128 - 1)
RATIOS = st.floats(0, 1)


@given(IDS, st.booleans(), RATIOS)
def test_a_caller_that_is_obeyed_has_decided(trace_id: int, said: bool, ratio: float) -> None:
    assert Sampler.of(ratio, obeys_caller=True).decide(trace_id, said) == (said, False)


@given(IDS, st.none() | st.booleans(), RATIOS)
def test_chance_decides_as_the_sdks_own_sampler_does(trace_id: int, said: bool | None, ratio: float) -> None:
    sampled, _ = Sampler.of(ratio, obeys_caller=False).decide(trace_id, said)
    assert sampled == (trace_id & (2**64 - 1) < TraceIdRatioBased.get_bound_for_rate(ratio))


@pytest.mark.parametrize(
    ("ratio", "low_bits", "decision"),
    [
        (1.0, 2**64 - 1, (True, False)),
        (0.5, 2**63 - 1, (True, False)),
        (0.5, 2**63, (False, True)),
        # All were left out on purpose: nothing is kept, whatever becomes of it.
        (0.0, 0, (False, False)),
    ],
)
def test_what_chance_left_out_may_still_be_kept(ratio: float, low_bits: int, decision: tuple[bool, bool]) -> None:
    assert Sampler.of(ratio, obeys_caller=True).decide(1 << 64 | low_bits, None) == decision
