import pytest

from wiretape.cassette.coverage import begins, begun_scopes, read_scopes, write_scopes

THREAD = "/v1/threads/thread_1"
PATHS = [
    "/v1/assistants", "/v1/assistants/asst_1", "/v1/threads", THREAD, f"{THREAD}/messages", f"{THREAD}/messages/msg_1",
    f"{THREAD}/runs/run_1", f"{THREAD}/runs/run_1/steps", "/v1/threads/thread_2/messages", "/v1/files/file_1",
    "/v1/files/file_1/content", "/v1/vector_stores/vs_1", "/v1/vector_stores/vs_1/files",
]  # fmt: skip


@pytest.mark.parametrize(
    ("write", "covered"),
    [
        ("/v1/assistants", {"/v1/assistants"}),
        ("/v1/assistants/asst_1", {"/v1/assistants", "/v1/assistants/asst_1"}),
        (f"{THREAD}/messages", {path for path in PATHS if path.startswith(THREAD)}),
        (f"{THREAD}/runs/run_1/submit_tool_outputs", {path for path in PATHS if path.startswith(THREAD)}),
        (THREAD, {"/v1/threads", *(path for path in PATHS if path.startswith(THREAD))}),
        ("/v1/files/file_1", {"/v1/files/file_1"}),
        ("/v1/vector_stores/vs_1/files", {"/v1/vector_stores/vs_1", "/v1/vector_stores/vs_1/files"}),
        ("/v1/threads/runs", {"/v1/threads"}),
    ],
)
def test_a_write_covers_its_path_its_collection_and_the_whole_it_belongs_to(write: str, covered: set[str]) -> None:
    scopes = set(write_scopes(write))
    assert {path for path in PATHS if scopes & set(read_scopes(path))} == covered


def test_what_an_answer_names_is_covered_as_well() -> None:
    assert begins("POST", "/v1/threads/runs")
    assert not begins("DELETE", "/v1/threads/runs")
    assert begun_scopes("/v1/threads/runs", b'{"thread_id":"thread_1"}') == (THREAD,)
    assert begun_scopes("/v1/threads/runs", b"{}") == ()


def test_a_path_of_one_segment_has_no_collection() -> None:
    assert write_scopes("/x") == ("/x",)
