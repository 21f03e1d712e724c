"""What the dashboard shows: a table of panels in rows, and the words its expressions are made of."""

from __future__ import annotations

from typing import NamedTuple

WHERE = 'job="$job", instance=~"$instance"'
"""What every selector says first."""


class Panel(NamedTuple):
    """One graph; each query is an expression and the legend of its series."""

    title: str
    unit: str
    text: str
    queries: tuple[tuple[str, str], ...]
    width: int = 8


def rate(metric: str, by: str = "", where: str = "") -> str:
    """Sum a counter's rate by the labels named."""
    grouping = f" by ({by})" if by else ""
    more = f", {where}" if where else ""
    return f"sum{grouping} (rate({metric}{{{WHERE}{more}}}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str = "", where: str = "") -> str:
    """Estimate a quantile of a histogram for each of the labels named."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', f'le, {by}' if by else 'le', where)})"


def gauge(metric: str) -> str:
    """Read a gauge of each instance."""
    return f"{metric}{{{WHERE}}}"


def counted(metric: str, legend: str, by: str = "", where: str = "") -> tuple[str, str]:
    """Count per minute; the rate of what is rare is a number that nobody reads."""
    return f"60 * {rate(metric, by, where)}", legend


MODEL = "gen_ai_request_model"
FIRST_CHUNK = "gen_ai_client_operation_time_to_first_chunk_seconds"
OUTPUT_CHUNK = "gen_ai_client_operation_time_per_output_chunk_seconds"
OPERATION = "gen_ai_client_operation_duration_seconds"
SERVER = "http_server_request_duration_seconds"
CLIENT = "http_client_request_duration_seconds"
FIRST_EVENT = "wiretape_run_time_to_first_event_seconds"
INVOKE = 'gen_ai_operation_name="invoke_agent"'

ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Runs",
        (
            Panel(
                "Runs by outcome",
                "cpm",
                "Each run is counted once, when it ends or is given up.",
                (counted("wiretape_runs_total", "{{wiretape_run_outcome}}", "wiretape_run_outcome"),),
            ),
            Panel(
                "Share of failed runs",
                "percentunit",
                "Failed, expired or abandoned; the recording rule that the alerts go by.",
                (
                    ('job:wiretape_runs_failed:ratio_rate5m{job="$job"}', "5 min"),
                    ('job:wiretape_runs_failed:ratio_rate1h{job="$job"}', "1 h"),
                ),
            ),
            Panel(
                "Errors of runs",
                "cpm",
                "The service's own code, or how the stream broke.",
                (counted("wiretape_runs_total", "{{error_type}}", "error_type", 'error_type!=""'),),
            ),
            Panel(
                "Time to first content, p95",
                "s",
                "The first text, tool arguments or code of a streamed run; lifecycle events do not count.",
                ((quantile(0.95, FIRST_CHUNK, MODEL), "{{gen_ai_request_model}}"),),
            ),
            Panel(
                "Time to first event, p95",
                "s",
                "Of any kind: the service has taken the run.",
                ((quantile(0.95, FIRST_EVENT, MODEL), "{{gen_ai_request_model}}"),),
            ),
            Panel(
                "Between two pieces of content",
                "s",
                "What a reader sees as stutter.",
                ((quantile(0.5, OUTPUT_CHUNK), "p50"), (quantile(0.95, OUTPUT_CHUNK), "p95")),
            ),
            Panel(
                "Length of a run",
                "s",
                "From its creation to its end, over all its exchanges.",
                ((quantile(0.5, OPERATION, where=INVOKE), "p50"), (quantile(0.95, OPERATION, where=INVOKE), "p95")),
            ),
            Panel(
                "Phases, p95",
                "s",
                "queue: before it works; model: while it works; tool_wait: while it waits for the application.",
                ((quantile(0.95, "wiretape_run_phase_duration_seconds", "wiretape_phase"), "{{wiretape_phase}}"),),
            ),
            Panel(
                "Open runs",
                "short",
                "At runs.runs_open_max the oldest are given up.",
                ((gauge("wiretape_runs_open"), "{{instance}}"),),
            ),
        ),
    ),
    (
        "Tokens",
        (
            Panel(
                "Tokens",
                "cpm",
                "Counted once a run. Cached is part of input, reasoning of output.",
                (
                    counted("wiretape_run_usage_input_tokens_total", "input"),
                    counted("wiretape_run_usage_cached_input_tokens_total", "of it cached"),
                    counted("wiretape_run_usage_output_tokens_total", "output"),
                    counted("wiretape_run_usage_reasoning_output_tokens_total", "of it reasoning"),
                ),
            ),
            Panel(
                "Output tokens by model",
                "cpm",
                "Models beyond telemetry.models_max are _OTHER.",
                (counted("wiretape_run_usage_output_tokens_total", "{{gen_ai_request_model}}", MODEL),),
            ),
            Panel(
                "Output tokens by assistant",
                "cpm",
                "Assistants without an alias in [telemetry.agents] are _OTHER.",
                (
                    counted(
                        "wiretape_run_usage_output_tokens_total", "{{wiretape_agent_alias}}", "wiretape_agent_alias"
                    ),
                ),
            ),
            Panel(
                "Tokens of a run, p95",
                "short",
                "What one run takes and gives.",
                ((quantile(0.95, "gen_ai_client_token_usage", "gen_ai_token_type"), "{{gen_ai_token_type}}"),),
                12,
            ),
            Panel(
                "Runs whose tokens are unknown",
                "cpm",
                "Cost is too low by as much. Tokens that come later are in the ledger, and not in the counters.",
                (
                    counted("wiretape_run_usage_missing_total", "{{wiretape_run_outcome}}", "wiretape_run_outcome"),
                    counted("wiretape_run_corrections_total", "corrected later"),
                ),
                12,
            ),
            Panel(
                "Cost by model, an hour",
                "currencyUSD",
                "By [[price]], or the price list where audit.price_list names one.",
                ((f"3600 * {rate('wiretape_run_cost_total', MODEL)}", "{{gen_ai_request_model}}"),),
                12,
            ),
            Panel(
                "Runs whose cost is unknown",
                "cpm",
                "What is missing: a price for their model, or their tokens.",
                (counted("wiretape_run_cost_missing_total", "{{wiretape_reason}}", "wiretape_reason"),),
                12,
            ),
        ),
    ),
    (
        "HTTP",
        (
            Panel(
                "Requests by status",
                "reqps",
                "What clients got; without a status, they left before a head.",
                ((rate(f"{SERVER}_count", "http_response_status_code"), "{{http_response_status_code}}"),),
            ),
            Panel(
                "Slowest routes, p95",
                "s",
                "To the last byte of the answer: a stream's is as long as its run.",
                ((f"topk(10, {quantile(0.95, SERVER, 'http_route')})", "{{http_route}}"),),
            ),
            Panel(
                "Upstream errors",
                "reqps",
                "5xx, no answer, or one that broke off; 4xx are the caller's.",
                (
                    (
                        rate(f"{CLIENT}_count", "error_type", 'error_type!="", http_response_status_code!~"4.."'),
                        "{{error_type}}",
                    ),
                ),
            ),
            Panel(
                "How streams ended",
                "cpm",
                "client_left and upstream_failed are streams that were cut.",
                (counted("wiretape_stream_ended_total", "{{wiretape_reason}}", "wiretape_reason"),),
            ),
            Panel(
                "Under way",
                "short",
                "Client connections and exchanges.",
                (
                    (gauge("wiretape_connections_active"), "connections {{instance}}"),
                    (gauge("wiretape_streams_active"), "exchanges {{instance}}"),
                ),
            ),
            Panel(
                "Refused connections",
                "cpm",
                "Before a request could be read.",
                (counted("wiretape_connections_refused_total", "{{wiretape_reason}}", "wiretape_reason"),),
            ),
        ),
    ),
    (
        "The proxy itself",
        (
            Panel(
                "Time added, p99",
                "s",
                "To a request, to the head of its answer, to each chunk.",
                ((quantile(0.99, "wiretape_proxy_overhead_seconds", "wiretape_phase"), "{{wiretape_phase}}"),),
            ),
            Panel(
                "Event loop lag",
                "s",
                "How late it was when last asked.",
                ((gauge("wiretape_event_loop_lag_seconds"), "{{instance}}"),),
            ),
            Panel(
                "Bytes that wait for clients",
                "bytes",
                "Clients that read slowly.",
                ((gauge("wiretape_stream_buffered_bytes"), "{{instance}}"),),
            ),
            Panel(
                "Reports that wait for a sink",
                "short",
                "Beyond telemetry.queue_max they are lost.",
                ((gauge("wiretape_telemetry_queue"), "{{instance}}"),),
            ),
            Panel(
                "Reports lost",
                "cpm",
                "By the sink that lost them; traffic is not touched by it.",
                (counted("wiretape_telemetry_dropped_total", "{{wiretape_signal}}", "wiretape_signal"),),
            ),
            Panel(
                "Rows taken out of the ledger",
                "cpm",
                "Those that are older than audit.retention_days.",
                (counted("wiretape_ledger_purged_total", "{{instance}}", "instance"),),
            ),
            Panel(
                "Not understood",
                "cpm",
                "Passed on all the same.",
                (
                    counted("wiretape_decoder_errors_total", "decoder errors"),
                    counted("wiretape_events_unknown_total", "unknown events"),
                    counted("wiretape_trailers_dropped_total", "trailers dropped"),
                ),
            ),
            Panel(
                "Incidents",
                "cpm",
                "What was dropped, closed or done again at upstreams, failed on the event loop, or was read on alone.",
                (
                    counted("wiretape_upstream_incidents_total", "{{wiretape_reason}}", "wiretape_reason"),
                    counted("wiretape_event_loop_errors_total", "{{error_type}}", "error_type"),
                    counted("wiretape_stream_drained_total", "read on: {{wiretape_reason}}", "wiretape_reason"),
                ),
                12,
            ),
            Panel(
                "Cassettes",
                "cpm",
                "Nothing in production: it is never served from recordings.",
                (
                    counted("wiretape_cassette_hits_total", "hits"),
                    counted("wiretape_cassette_misses_total", "misses"),
                ),
                12,
            ),
        ),
    ),
)
