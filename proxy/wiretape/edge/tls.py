"""TLS on both sides: the listener's certificate, and whom an upstream must prove to be. Verification has no switch."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

from msgspec import Struct

from wiretape.errors import ConfigError

OLDEST = ssl.TLSVersion.TLSv1_2  # RFC 8996 retires what is older
_ALPN = ["http/1.1"]


class UpstreamTls(Struct, frozen=True, kw_only=True):
    """Whom an `https://` upstream is verified by, and how we prove who we are."""

    ca_file: str | None = None
    """PEM file of the authorities trusted for this upstream, instead of the system's."""
    client_cert: str | None = None
    """PEM file of our certificate and its chain, for an upstream that demands one."""
    client_key: str | None = None
    """PEM file of its key, without a passphrase; `client_cert` may hold it instead."""

    @property
    def asks_for_tls(self) -> bool:
        """Whether any of it is set."""
        return any(file is not None for file in (self.ca_file, self.client_cert, self.client_key))


def client_context(options: UpstreamTls) -> ssl.SSLContext:
    """Build what an engine connects with: name and chain are always verified. Raises ConfigError for bad files."""
    # Not `create_default_context`: it would write our session keys to wherever SSLKEYLOGFILE says.
    context = _spoken_here(ssl.PROTOCOL_TLS_CLIENT)  # verifies name and chain, as the protocol's default
    if options.ca_file is None:
        context.load_default_certs()
    else:
        _trust(context, options.ca_file)
    if options.client_cert is not None:
        _show(context, options.client_cert, options.client_key)
    elif options.client_key is not None:
        raise ConfigError("client_key is of no use without client_cert")
    return context


def server_context(cert: str, key: str | None) -> ssl.SSLContext:
    """Build what a listener answers with; `cert` holds the chain, and the key where `key` is None.

    Raises ConfigError for bad files.
    """
    context = _spoken_here(ssl.PROTOCOL_TLS_SERVER)
    _show(context, cert, key)
    return context


def cut(transport: asyncio.WriteTransport) -> None:
    """Close a connection at once, and forget what was not sent.

    asyncio's TLS transport loses its protocol when it is closed twice; CPython 3.11.2 (Debian's) then fails to abort,
    3.11.7 does nothing.
    """
    with contextlib.suppress(AttributeError):
        transport.abort()


def unsent(transport: asyncio.WriteTransport) -> int:
    """Give the bytes that wait in a transport; none in asyncio's TLS transport that lost its protocol, see `cut`."""
    try:
        return transport.get_write_buffer_size()
    except AttributeError:
        return 0


def _spoken_here(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = OLDEST
    context.set_alpn_protocols(_ALPN)
    return context


def _trust(context: ssl.SSLContext, ca_file: str) -> None:
    _readable(ca_file)
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"{ca_file} holds no certificate authority in PEM: {error.reason}") from error


def _show(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    for file in (cert, cert if key is None else key):
        _readable(file)
    try:
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except ssl.SSLError as error:
        reason = error.reason or "one of them is missing, or broken"
        raise ConfigError(f"{cert} and {key or cert} are no certificate and its key in PEM: {reason}") from error


def _no_passphrase() -> str:
    """Refuse, where OpenSSL would stop and ask on the terminal."""
    raise ConfigError("a key with a passphrase cannot be read: give one without, in a file that only we may read")


def _readable(file: str) -> None:
    if not file:  # as a variable that was not set leaves it; to `Path` it is the folder we are in
        raise ConfigError("the name of a TLS file is empty; leave the setting out, or name the file")
    try:
        Path(file).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
