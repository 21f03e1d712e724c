"""Reports to the outside: spans, metrics, log lines."""

from wiretape.telemetry.options import TelemetryOptions

__all__ = ["TelemetryOptions"]
