"""The bounds of what is known of runs; part of the configuration."""

from __future__ import annotations

from msgspec import Struct


class RunOptions(Struct, frozen=True, kw_only=True):
    """How much is held, and for how long."""

    runs_open_max: int = 10_000
    """Runs; beyond it the oldest is reported as abandoned, foreign ones first."""
    finished_runs_max: int = 100_000
    """Keys of finished runs, remembered so that a later read never counts."""
    agents_max: int = 10_000
    """Assistants whose names are remembered."""
    corrected_runs_max: int = 10_000
    """Reported runs whose figures may get better, remembered so that a later read can correct them."""
    legs_max: int = 256
    """Hand-ins of a run told apart; later ones count as the last."""
    steps_max: int = 512
    """Steps kept for a run; later ones are left out."""
    tools_max: int = 1024
    """Tool calls kept for a run; later ones are left out."""
    carried_max: int = 256
    """Carrying exchanges kept for a run; later ones are counted only."""
    expiry_margin_s: float = 60.0
    """Seconds after `expires_at`, and after the last sign of life, when a run is abandoned."""
    abandon_after_s: float = 900.0
    """Seconds after the last sign of life when a run is abandoned that told no `expires_at`."""
    body_bytes_max: int = 1 << 20
    """Bytes of a request's or a JSON answer's body, decoded, held until it can be read."""
    frame_bytes_max: int = 1 << 20
    """Bytes of one event of a stream."""
    stream_bytes_max: int = 64 << 20
    """Bytes that a compressed event stream may decode to."""
