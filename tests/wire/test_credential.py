from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.wire.credential import HASH_DIGITS, KeyHashes

SECRET = b"of this installation"
KEY = "sk-canary-0123456789"


def of(*fields: tuple[str, str], secret: bytes = SECRET) -> str | None:
    return KeyHashes(secret).of(tuple((name.encode(), value.encode("latin-1")) for name, value in fields))


def hashed(text: str) -> str:
    return hmac.new(SECRET, text.encode("latin-1"), hashlib.sha256).hexdigest()[:32]


@pytest.mark.parametrize(
    ("fields", "credential"),
    [
        ([("Authorization", f"Bearer {KEY}")], KEY),
        ([("authorization", f"bearer   {KEY} ")], KEY),
        ([("AUTHORIZATION", KEY)], KEY),
        ([("Authorization", "Basic dTpw")], "dTpw"),
        ([("api-key", KEY)], KEY),
        ([("X-Api-Key", KEY)], KEY),
        ([("api-key", "other"), ("Authorization", f"Bearer {KEY}")], KEY),
        ([("Authorization", "Digest a=1, b=2")], "a=1, b=2"),
    ],
)
def test_the_credential_is_hashed_without_its_scheme(fields: list[tuple[str, str]], credential: str) -> None:
    assert of(*fields) == hashed(credential)


@pytest.mark.parametrize("fields", [[], [("Host", KEY)], [("Authorization", "")], [("Authorization", "  ")]])
def test_a_head_without_a_credential_has_no_hash(fields: list[tuple[str, str]]) -> None:
    assert of(*fields) is None


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_command_of_the_docs_gives_the_same_hash() -> None:
    page = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text("utf-8")
    (command,) = [line for line in page.splitlines() if "openssl dgst" in line]
    variables = {**os.environ, "OPENAI_API_KEY": KEY, "WIRETAPE_HASH_KEY": SECRET.decode()}
    told = subprocess.run(["sh", "-c", command], env=variables, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == of(("Authorization", f"Bearer {KEY}"))


def test_another_installation_hashes_otherwise() -> None:
    field = ("Authorization", f"Bearer {KEY}")
    assert of(field) != of(field, secret=b"of another")


@given(st.text(st.characters(codec="latin-1", exclude_categories=("Cc", "Zs")), min_size=1))
def test_a_hash_has_its_digits_and_nothing_of_the_key(key: str) -> None:
    found = of(("Authorization", f"Bearer {key}"))
    assert found == hashed(key)
    assert len(found) == HASH_DIGITS
