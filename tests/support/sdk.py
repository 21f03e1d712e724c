"""The official SDK, unmodified, as a test's client."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import openai

KEY = "sk-test-0123456789abcdefghijklmnopqrstuvwxyz"


@contextmanager
def beta_calls() -> Iterator[None]:
    """Let the SDK say that the hosted service is deprecated, which is why we are here, without failing the test."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The Assistants API is deprecated", DeprecationWarning)
        yield


def client(url: str, key: str = KEY) -> openai.OpenAI:
    """Make a synchronous client that goes straight to the URL."""
    http = openai.DefaultHttpxClient(trust_env=False)
    return openai.OpenAI(base_url=url + "/v1", api_key=key, http_client=http, max_retries=0)


def async_client(url: str, key: str = KEY) -> openai.AsyncOpenAI:
    """Make an asynchronous client that goes straight to the URL."""
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    return openai.AsyncOpenAI(base_url=url + "/v1", api_key=key, http_client=http, max_retries=0)
