"""What is wrong with addresses, URLs, sockets, TLS files and numbers, one sentence each; the first is told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from wiretape.edge.address import UNIX, UnixAddress, parse_address, unix_path
from wiretape.edge.listen import EdgeOptions
from wiretape.edge.tls import client_context, server_context
from wiretape.edge.upstream import UpstreamOptions


def number_problems(options: Struct, path: str = "") -> Iterator[str]:
    """Find the numbers that are below zero or infinite: no setting may be such."""
    for name in options.__struct_fields__:
        value = getattr(options, name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Struct):
                yield from number_problems(one, f"{path}{name}.")
            elif isinstance(one, int | float) and not 0 <= one < math.inf:
                yield f"{path}{name} must be a number that is not negative; got {one:g}"


def listen_problems(addresses: Sequence[str], options: EdgeOptions, cert: str | None, key: str | None) -> Iterator[str]:
    """Find what is wrong with the listeners, the traffic's address first; raises ConfigError for what it reads."""
    traffic, admin = [parse_address(address) for address in addresses]
    if traffic == admin and (isinstance(traffic, UnixAddress) or traffic.port):
        yield f"listen and admin are both {traffic}; give each an address of its own"
    try:
        _ = options.socket_bits
    except ValueError:
        yield f"edge.socket_mode is a mode in octal, such as 0600; got {options.socket_mode!r}"
    if key is not None and cert is None:
        yield "tls_key is of no use without tls_cert (--tls-cert)"
    if cert is not None:
        if isinstance(traffic, UnixAddress):
            yield "a unix socket needs no TLS: its file's mode says who may connect; leave tls_cert out"
        if not options.tls_handshake_s:
            yield "edge.tls_handshake_s must be over 0: no handshake would have any time"
        server_context(cert, key)


def upstream_problems(one: UpstreamOptions) -> Iterator[str]:
    """Find what is wrong with one upstream; raises ConfigError for what it reads."""
    yield from _url_problems(one.url)
    if not one.prefix.startswith("/"):
        yield f"a prefix begins with /; got {one.prefix!r}"
    secured = urlsplit(one.url).scheme == "https"
    if one.socket is not None:
        unix_path(UNIX + one.socket)
        if secured:
            yield f"upstream {one.name}: TLS is not spoken through a unix socket; use an http:// URL beside `socket`"
    if one.asks_for_tls and not secured:
        yield f"upstream {one.name}: ca_file, client_cert and client_key are of use with an https:// URL alone"
    if one.asks_for_tls:
        client_context(one)


def _url_problems(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
        parts = urlsplit("")
    if not is_whole:
        yield "an upstream is `sandbox`, or a URL with http:// or https://, a host, and perhaps a port and a path"
    if parts.username is not None or parts.query or parts.fragment:
        # Not quoted: what stands there is likely to be a key.
        yield "an upstream's URL has no user, password, query or fragment: clients send their own credentials"
