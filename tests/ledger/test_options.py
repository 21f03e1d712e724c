from __future__ import annotations

from pathlib import Path

import pytest

from wiretape.errors import LedgerError
from wiretape.ledger.options import parse_ledger_url


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///wiretape.db", "wiretape.db"),
        ("sqlite:////var/lib/w.db", "/var/lib/w.db"),
        ("sqlite:///a b.db", "a b.db"),
    ],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    assert parse_ledger_url(url) == Path(path)


@pytest.mark.parametrize("url", ["wiretape.db", "sqlite://wiretape.db", "sqlite:///", "postgres://host/db", ""])
def test_anything_else_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(LedgerError, match=r"names no file: sqlite:///wiretape.db was expected"):
        parse_ledger_url(url)
