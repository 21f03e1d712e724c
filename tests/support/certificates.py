"""Certificates made for one test: an authority, and the files that an operator would have."""

import datetime as dt
import ssl
from pathlib import Path

import trustme

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Authority:
    """One authority of the test's own, with its files in the test's folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.file = str(folder / f"{name}.pem")
        self._ca.cert_pem.write_to_path(self.file)

    def issued(self, name: str = "127.0.0.1", *, expired: bool = False) -> tuple[str, str]:
        """Issue a certificate for a name; gives the files of its chain and its key."""
        until = {"not_before": LONG_AGO, "not_after": LONG_AGO + dt.timedelta(days=1)} if expired else {}
        made = self._ca.issue_cert(name, **until)
        cert, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(key))
        return str(cert), str(key)

    def server(self, name: str = "127.0.0.1", *, expired: bool = False, demands: bool = False) -> ssl.SSLContext:
        """Build the context of a server, which may demand a certificate of ours from its clients."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issued(name, expired=expired))
        if demands:
            context.verify_mode = ssl.CERT_REQUIRED
            self._ca.configure_trust(context)
        return context

    def client(self) -> ssl.SSLContext:
        """Build the context of a client that trusts this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._ca.configure_trust(context)
        return context
