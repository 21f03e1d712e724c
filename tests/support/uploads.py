"""Captured traffic of files and vector stores, read in place: whole uploads as SDKs sent them, and answers in order."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

import yaml

from support import corpora

RUBY = "alexrudall__ruby-openai/spec/fixtures/cassettes"
RUBY_LLM = "crmne__ruby_llm/spec/fixtures/vcr_cassettes/batch_with_openai_gpt-5-nano_answers_staged_chats_and_appends"
PYDANTIC = "pydantic__pydantic-ai/tests/models/cassettes/test_openai_responses"
DOTNET = "openai__openai-dotnet/tests/SessionRecords"
UPLOADS = (
    f"{RUBY}/assistant_files_upload@788c0925.yml",
    f"{RUBY}/files_upload_file.yml",
    f"{RUBY_LLM}_the_answers_to_their_conversations.yml",
    f"{PYDANTIC}/test_openai_responses_model_file_search_tool_stream.yaml",
    f"{DOTNET}/ResponsesToolTests/CodeInterpreterToolStreamingWithFiles.json",
    f"{DOTNET}/ResponsesToolTests/FileSearchCallStreaming.json",
)
"""Recordings that hold an upload to its last byte."""


class Upload(NamedTuple):
    """An upload and its answer."""

    body: bytes
    answer: dict[str, Any]

    @property
    def content_type(self) -> str:
        """As its client sent it; the recordings keep the boundary in the body."""
        boundary = self.body.partition(b"\r\n")[0].removeprefix(b"--")
        return f'multipart/form-data; boundary="{boundary.decode()}"'


def upload(recording: str) -> Upload:
    """The first upload of a recording."""
    path = corpora.root() / "traffic" / recording
    if path.suffix == ".json":
        entry = _entry(path.read_text("utf-8-sig"), "POST", "/v1/files")
        return Upload(b"".join(_piece(piece) for piece in entry["RequestBody"]), entry["ResponseBody"])
    content = yaml.load(path.read_text("utf-8"), corpora._Loader)  # noqa: S506  a safe loader, with one tag more
    interactions = content.get("interactions") or content["http_interactions"]
    one = next(one for one in interactions if one["request"]["uri"].endswith("/v1/files"))
    recorded = corpora._interaction(one)
    return Upload(recorded.request, one["response"].get("parsed_body") or json.loads(recorded.body))


def _piece(piece: str) -> bytes:
    return base64.b64decode(piece.removeprefix("b64:")) if piece.startswith("b64:") else piece.encode()


def answer(recording: str, method: str, path_end: str) -> dict[str, Any]:
    """The first answer to such a request in a recording of openai-dotnet; its keys are in the order of the wire."""
    text = (corpora.root() / "traffic" / DOTNET / recording).read_text("utf-8-sig")
    found: dict[str, Any] = _entry(text, method, path_end)["ResponseBody"]
    return found


def _entry(text: str, method: str, path_end: str) -> dict[str, Any]:
    entries = json.loads(text)["Entries"]
    return next(one for one in entries if one["RequestMethod"] == method and one["RequestUri"].endswith(path_end))
