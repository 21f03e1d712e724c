from __future__ import annotations

from typing import Any

import pytest
from aiohttp import FormData

from support import uploads
from support.assistants import FAST, Talk, talking
from wiretape.sandbox.server import disposition
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.testing import EPOCH_S, ManualClock, StepClock

KEY = {"Authorization": "Bearer any"}
DAY_S = 86_400


async def _upload(talk: Talk, content: bytes = b"hi", name: str = "a.txt", **fields: str) -> Any:
    form = FormData(quote_fields=False)
    form.add_field("file", content, filename=name)
    for field, value in ({"purpose": "fine-tune"} | fields).items():
        form.add_field(field, value)
    return await _post(talk, form)


async def _post(talk: Talk, data: Any, headers: dict[str, str] | None = None) -> Any:
    async with talk.client.post("/v1/files", data=data, headers={**KEY, **(headers or {})}) as response:
        talk.answers.append((response.status, list(response.headers.items()), await response.read()))
        return await response.json()


@pytest.mark.parametrize("recording", uploads.UPLOADS)
async def test_an_upload_as_captured_is_answered_as_captured(recording: str) -> None:
    sent = uploads.upload(recording)
    async with talking() as talk:
        made = await _post(talk, sent.body, {"Content-Type": sent.content_type})
    same = ("object", "purpose", "filename", "bytes", "status", "status_details")
    assert {key: made[key] for key in same} == {key: sent.answer[key] for key in same}
    assert made["expires_at"] == (made["created_at"] + 30 * DAY_S if made["purpose"] == "batch" else None)


async def test_a_file_has_the_keys_of_the_wire_in_its_order_and_needs_no_beta_header() -> None:
    captured = uploads.answer("FilesTests/NonAsciiFilename.json", "POST", "/v1/files")
    deleted = uploads.answer("FilesTests/UploadFile(UsingStream).json", "DELETE", "EdK")
    async with talking() as talk:
        made = await _upload(talk, b"x" * 33, captured["filename"], purpose="assistants")
        path = f"/v1/files/{made['id']}"
        read, listed = await talk.ask("GET", path, headers=KEY), await talk.ask("GET", "/v1/files", headers=KEY)
        gone = await talk.ask("DELETE", path, headers=KEY)
    assert list(made) == list(captured)
    assert {**made, "id": "", "created_at": 0} == {**captured, "id": "", "created_at": 0}
    assert (read, listed["data"], listed["has_more"]) == (made, [made], False)
    assert len(made["id"]) == len(captured["id"])
    assert (list(gone), gone) == (list(deleted), {**deleted, "id": made["id"]})


async def test_an_unknown_file_is_refused_in_the_words_of_the_wire() -> None:
    captured = uploads.answer("FilesTests/DownloadFileCanParseServiceError.json", "GET", "/content")
    async with talking() as talk:
        refused = [
            await talk.ask(method, f"/v1/files/fake_id{end}", headers=KEY)
            for method, end in (("GET", "/content"), ("GET", ""), ("DELETE", ""))
        ]
    assert refused == [captured] * 3
    assert {status for status, _, _ in talk.answers} == {404}


async def test_a_download_is_the_bytes_under_their_name() -> None:
    content = bytes(range(256)) * 3
    async with talking() as talk:
        made = await _upload(talk, content, "a b.bin")
        async with talk.client.get(f"/v1/files/{made['id']}/content", headers=KEY) as response:
            assert await response.read() == content
            assert response.headers["Content-Type"] == "application/octet-stream"
            assert response.headers["Content-Disposition"] == 'attachment; filename="a b.bin"'


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("\u4f60.txt", "attachment; filename*=utf-8''%E4%BD%A0.txt"),
        ("a\r\nb", "attachment; filename*=utf-8''a%0D%0Ab"),
        ('a"b', 'attachment; filename="a\\"b"'),
    ],
)
def test_a_name_in_a_header_is_never_more_than_a_name(name: str, sent: str) -> None:
    assert disposition(name) == sent


@pytest.mark.parametrize("purpose", ["assistants", "user_data"])
async def test_some_purposes_keep_their_files_back(purpose: str) -> None:
    async with talking() as talk:
        made = await _upload(talk, purpose=purpose)
        refused = await talk.ask("GET", f"/v1/files/{made['id']}/content")
    assert (talk.status, refused["error"]["message"]) == (400, f"Not allowed to download files of purpose: {purpose}")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"purpose": "x"},
            "'x' is not one of ['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals'] - 'purpose'",
        ),
        ({"expires_after[anchor]": "created_at"}, "Invalid 'expires_after.seconds'"),
        ({"expires_after[anchor]": "now", "expires_after[seconds]": "3600"}, "Invalid 'expires_after.anchor'"),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "3599"}, "3600 to 2592000"),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "9" * 99}, "expected an integer"),
    ],
)
async def test_a_field_that_may_not_be_is_refused(fields: dict[str, str], message: str) -> None:
    sandbox = Sandbox(FAST, StepClock(0))
    async with talking(sandbox) as talk:
        refused = await _upload(talk, **fields)
    assert (talk.status, sandbox.library.files) == (400, {})
    assert message in refused["error"]["message"]


async def test_a_refusal_repeats_no_more_of_a_long_value_than_its_ends() -> None:
    async with talking() as talk:
        purpose = await _upload(talk, purpose="p" * 100_000)
        number = await talk.ask("POST", "/v1/assistants", {"model": "m", "temperature": 10**300})
    assert purpose["error"]["message"].startswith("'ppp...ppp' is not one of")
    assert number["error"]["message"].endswith("but got 100...000 instead.")


@pytest.mark.parametrize("name", ["file", "purpose"])
async def test_a_form_without_a_part_is_refused_by_its_name(name: str) -> None:
    parts = {
        "file": b'--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\r\n',
        "purpose": b'--X\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nvision\r\n',
    }
    del parts[name]
    body = b"".join(parts.values()) + b"--X--\r\n"
    async with talking() as talk:
        refused = await _post(talk, body, {"Content-Type": "multipart/form-data; boundary=X"})
    assert (talk.status, refused["error"]["message"]) == (400, f"'{name}' is a required property")


async def test_a_body_that_is_no_form_is_refused() -> None:
    async with talking() as talk:
        refused = await talk.ask("POST", "/v1/files", {"purpose": "vision"})
    assert (talk.status, refused["error"]["code"]) == (400, "unsupported_content_type")


async def test_an_upload_may_be_larger_than_another_body_up_to_its_own_bound() -> None:
    options = SandboxOptions(body_bytes_max=100, upload_bytes_max=2_000)
    async with talking(Sandbox(options, StepClock(0))) as talk:
        taken = await _upload(talk, b"x" * 1_000)
        large = await _upload(talk, b"x" * 2_000)
        status = talk.status
        body = await talk.ask("POST", "/v1/vector_stores", {"name": "x" * 100})
    assert (taken["bytes"], status, talk.status) == (1_000, 413, 413)
    assert "upload_bytes_max, 2000 bytes" in large["error"]["message"]
    assert "body_bytes_max, 100 bytes" in body["error"]["message"]


async def test_files_are_bounded_in_number_and_bytes_and_deleting_gives_room_back() -> None:
    async with talking(Sandbox(SandboxOptions(files_max=2, stored_bytes_max=10), StepClock(0))) as talk:
        first = await _upload(talk, b"x" * 6)
        heavy = await _upload(talk, b"x" * 6)
        await _upload(talk, b"x")
        third = await _upload(talk, b"x")
        await talk.ask("DELETE", f"/v1/files/{first['id']}")
        again = await _upload(talk, b"x" * 9)
    assert "stored_bytes_max" in heavy["error"]["message"]
    assert "files_max" in third["error"]["message"]
    assert again["bytes"] == 9


async def test_files_are_listed_by_purpose_and_in_pages() -> None:
    async with talking() as talk:
        ids = [(await _upload(talk, purpose=purpose))["id"] for purpose in ("vision", "evals", "vision")]
        visions = await talk.ask("GET", "/v1/files?purpose=vision&order=asc")
        page = await talk.ask("GET", f"/v1/files?limit=1&after={ids[2]}")
        most = await talk.ask("GET", "/v1/files?limit=10000")
        refused = await talk.ask("GET", "/v1/files?limit=10001")
    assert [file["id"] for file in visions["data"]] == [ids[0], ids[2]]
    assert ([file["id"] for file in page["data"]], page["has_more"]) == ([ids[1]], True)
    assert len(most["data"]) == 3
    assert refused["error"]["code"] == "integer_above_max_value"


async def test_a_file_is_gone_when_its_time_is_over() -> None:
    clock = ManualClock()
    async with talking(Sandbox(FAST, clock)) as talk:
        fields = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
        made = await _upload(talk, **fields)
        clock.advance(3_599)
        there = await talk.ask("GET", f"/v1/files/{made['id']}")
        clock.advance(1)
        await talk.ask("GET", f"/v1/files/{made['id']}")
    assert (made["expires_at"], there) == (EPOCH_S + 3_600, made)
    assert talk.status == 404
