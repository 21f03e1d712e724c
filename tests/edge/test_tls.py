"""TLS is verified always, and a file that cannot be used is named before anything listens."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority
from wiretape.config import load
from wiretape.edge.tls import UpstreamTls, client_context, cut, server_context
from wiretape.errors import ConfigError


def test_a_transport_that_cannot_be_aborted_any_more_is_left() -> None:
    """As asyncio's TLS transport of CPython 3.11.2, once it was closed twice."""
    asked = []

    class Closed(asyncio.WriteTransport):
        def abort(self) -> None:
            asked.append(self)
            raise AttributeError("'NoneType' object has no attribute '_abort'")

    cut(Closed())
    assert asked


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_an_upstream_is_always_verified(authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    for options in (UpstreamTls(), UpstreamTls(ca_file=authority.file)):
        context = client_context(options)
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.keylog_filename is None  # session keys leave the process towards nobody


def test_there_is_no_setting_that_switches_verification_off(authority: Authority) -> None:
    assert UpstreamTls.__struct_fields__ == ("ca_file", "client_cert", "client_key")


def test_an_authority_of_ones_own_is_trusted_instead_of_the_systems(authority: Authority) -> None:
    assert len(client_context(UpstreamTls(ca_file=authority.file)).get_ca_certs()) == 1


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> dict[str, str]:
    cert, key = authority.issued()
    _, other = authority.issued("other.test")
    (tmp_path / "junk").write_bytes(b"\xff no PEM")
    return {"cert": cert, "key": key, "other": other, "junk": str(tmp_path / "junk"), "none": str(tmp_path / "none")}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tls_cert": "none"}, "cannot read {none}: No such file or directory"),
        ({"tls_cert": "cert", "tls_key": "none"}, "cannot read {none}: No such file or directory"),
        ({"tls_cert": "junk"}, "{junk} and {junk} are no certificate and its key in PEM: one of them is missing"),
        ({"tls_cert": "cert"}, "{cert} and {cert} are no certificate and its key in PEM"),
        ({"tls_cert": "cert", "tls_key": "other"}, "{cert} and {other} are no certificate and its key in PEM"),
        ({"tls_cert": "cert", "tls_key": "key", "edge": {"tls_handshake_s": 0}}, "edge.tls_handshake_s must be over 0"),
        ({"tls_key": "key"}, "tls_key is of no use without tls_cert (--tls-cert)"),
    ],
)
def test_a_file_that_the_listener_cannot_use_is_named(
    files: dict[str, str], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load({name: files[value] if isinstance(value, str) else value for name, value in settings.items()}, {})
    assert message.format(**files) in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ca_file": "none"}, "cannot read {none}: No such file or directory"),
        ({"ca_file": "junk"}, "{junk} holds no certificate authority in PEM"),
        ({"client_cert": "cert", "client_key": "other"}, "{cert} and {other} are no certificate and its key in PEM"),
        ({"client_cert": "cert"}, "{cert} and {cert} are no certificate and its key in PEM"),
        ({"client_key": "key"}, "client_key is of no use without client_cert"),
    ],
)
def test_a_file_that_an_upstream_cannot_use_is_named(
    files: dict[str, str], settings: dict[str, str], message: str
) -> None:
    table: dict[str, Any] = {"url": "https://h", **{name: files[file] for name, file in settings.items()}}
    with pytest.raises(ConfigError) as caught:
        load({"upstream": [table]}, {})
    assert message.format(**files) in str(caught.value)


def test_tls_settings_of_an_upstream_without_tls_are_refused(files: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="are of use with an https:// URL alone"):
        load({"upstream": [{"url": "http://h", "ca_file": files["cert"]}]}, {})


@pytest.mark.parametrize(
    "settings",
    [
        {"tls_cert": ""},
        {"tls_cert": "cert", "tls_key": ""},
        {"upstream": [{"url": "https://h", "ca_file": ""}]},
        {"upstream": [{"url": "https://h", "client_cert": ""}]},
    ],
)
def test_an_empty_name_of_a_file_is_not_taken_for_none(files: dict[str, str], settings: dict[str, Any]) -> None:
    """The system's authorities would be trusted instead of the one that was meant."""
    named = {name: files.get(value, value) if isinstance(value, str) else value for name, value in settings.items()}
    with pytest.raises(ConfigError, match="the name of a TLS file is empty"):
        load(named, {})


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(authority: Authority, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as pem

    cert, key = authority.issued()
    known = pem.load_pem_private_key(Path(key).read_bytes(), None)
    locked = tmp_path / "locked.key"
    form = (pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.BestAvailableEncryption(b"secret"))
    locked.write_bytes(known.private_bytes(*form))
    with pytest.raises(ConfigError, match="a key with a passphrase cannot be read"):
        server_context(cert, str(locked))
