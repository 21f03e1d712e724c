"""Every exception of Wiretape, each with its stable code.

A message says what happened, what was expected and what to try. Only `edge` turns them into HTTP.
"""

from __future__ import annotations


class WiretapeError(Exception):
    """The root: `code` is stable and documented, `status` is the HTTP status where one is sent."""

    code = "wiretape_error"
    status = 500
    retry_helps = False
    """Whether the same request may succeed later; if not, SDKs are told not to retry."""
    keeps_connection = True
    """Whether the client's connection may carry another request after this answer."""


class InternalError(WiretapeError):
    """A mistake of Wiretape's own; its log names the place."""

    code = "internal_error"


class UsageError(WiretapeError):
    """Wrong words or configuration; a command ends with exit code 2."""

    code = "usage"


class ConfigError(UsageError):
    """A setting that is unknown, of the wrong kind, or at odds with another."""

    code = "config_invalid"


class UpstreamFailed(WiretapeError):
    """The upstream gave no answer that could be passed on."""

    code, status, retry_helps = "upstream_failed", 502, True


class UpstreamUnreachable(UpstreamFailed):
    """Name, connect or TLS failure, or a connection that closed before a response head."""

    code, status, retry_helps = "upstream_unreachable", 502, True


class UpstreamProtocolError(UpstreamFailed):
    """The upstream's head was no valid HTTP."""

    code, status, retry_helps = "upstream_protocol_error", 502, True


class UpstreamTimeout(UpstreamFailed):
    """No response head in time."""

    code, status, retry_helps = "upstream_timeout", 504, True


class UpstreamTorn(WiretapeError):
    """The upstream's body broke off or stalled after the head: the client's connection is cut as well."""

    code, status = "upstream_torn", 502


class BadRequest(WiretapeError):
    """Framing, version, target or header that must not be forwarded."""

    code, status, keeps_connection = "bad_request", 400, False


class HeadersTooLarge(WiretapeError):
    """A request head over `header_bytes_max` or `headers_max`."""

    code, status, keeps_connection = "headers_too_large", 431, False


class ExpectationFailed(WiretapeError):
    """An `Expect` other than `100-continue`: nobody here could see to it."""

    code, status, keeps_connection = "expectation_failed", 417, False


class RequestTimeout(WiretapeError):
    """A request body that stopped coming, or came too slowly; its upstream never had the whole request."""

    code, status, retry_helps, keeps_connection = "request_timeout", 408, True, False


class RequestTooLarge(WiretapeError):
    """A body beyond what replay may hold."""

    code, status = "request_too_large", 413


class NoRoute(WiretapeError):
    """No upstream has this prefix."""

    code, status = "no_route", 404


class UpgradeUnsupported(WiretapeError):
    """An Upgrade request."""

    code, status, keeps_connection = "upgrade_unsupported", 501, False


class ShuttingDown(WiretapeError):
    """The drain has begun."""

    code, status, retry_helps, keeps_connection = "shutting_down", 503, True, False


class Overloaded(WiretapeError):
    """A bound on connections or streams was reached."""

    code, status, retry_helps = "overloaded", 503, True


class AdminForbidden(WiretapeError):
    """The admin listener was asked by a name that is not its own, or from another site."""

    code, status = "admin_forbidden", 403


class AdminUnauthorized(WiretapeError):
    """The admin listener was asked without its token."""

    code, status = "admin_unauthorized", 401


class ClientStalled(WiretapeError):
    """A client that took nothing of what waited for it, for `send_idle_s`: its connection was cut."""

    code = "client_stalled"


class HandshakeFailed(WiretapeError):
    """A client's TLS handshake that failed, or took over `tls_handshake_s`: its connection was cut."""

    code = "handshake_failed"


class SessionUnknown(WiretapeError):
    """The admin listener was asked for a session that is not there."""

    code, status = "session_unknown", 404


class SessionExists(WiretapeError):
    """The admin listener was to create a session whose name is taken."""

    code, status = "session_exists", 409


class CassetteMiss(WiretapeError):
    """Replay knows no answer."""

    code, status = "cassette_miss", 501


class CassetteError(UsageError):
    """A cassette that cannot be read or written; names the file and, where there is one, the line."""

    code = "cassette_invalid"


class CassetteLocked(CassetteError):
    """Another process records to this cassette."""

    code = "cassette_locked"


class ImportRefused(CassetteError):
    """A foreign recording that cannot be taken over, with the reason."""

    code = "import_refused"


class FrameTooLarge(WiretapeError):
    """An SSE frame over the bound: its interaction is not recorded, observing skips it, forwarding goes on."""

    code = "frame_too_large"


class BodyTooLarge(WiretapeError):
    """A body over the observer's bound; observing stops, forwarding goes on."""

    code = "body_too_large"


class DecodeFailed(WiretapeError):
    """Bytes that are not what their event name or content type says; observing goes on without them."""

    code = "decode_failed"


class LedgerError(UsageError):
    """A ledger that cannot be opened or read."""

    code = "ledger_invalid"


class LedgerBusy(LedgerError):
    """A ledger that another process holds, or whose disk is full: rows wait, up to `audit.held_max`."""

    code = "ledger_busy"


class LedgerDamaged(LedgerError):
    """A ledger that is no longer whole; it is moved aside, and a new one is begun."""

    code = "ledger_damaged"
