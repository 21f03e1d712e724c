import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wiretape.cassette.ids import Aliases, apart, find, replaced

ids = st.sampled_from(["thread_abc123", "run_7f3a9b2c", "file-AbCdEf123", "msg_0123456789abcdef"])
texts = st.lists(
    st.sampled_from(["{", "}", "{{", "{{{{", "{{thread#1}}", "{{secret:key#1}}", "x", " "]) | ids | st.text()
)


@pytest.mark.parametrize(
    "text",
    [
        "asst_abc123", "thread_abc123", "run_abc123", "step_abc123", "msg_abc123", "call_abc123", "file-abc123",
        "file_abc123", "vs_abc123", "resp_68a1f0c2", "conv_68a1f0c2", "chatcmpl-Abc123",
        "file-abcdefghijklmnopqrstuvwx",
        "thread_0b7c2a52-5be4-4bb0-9a3e-6f7e9a1c2d3e",
    ],
)  # fmt: skip
def test_ids_of_every_family_are_found(text: str) -> None:
    assert find(f'{{"id":"{text}"}}') == [text]


@pytest.mark.parametrize("text", ["file_search", "run_steps", "thread_message", "call_duration", "my_thread_abc123"])
def test_words_are_no_ids(text: str) -> None:
    assert find(text) == []


@pytest.mark.parametrize("before", [r"\n", r"\t", r"\u00e9", "%20", "/", "=", '"', "x ", "é"])
def test_an_id_behind_an_escape_is_found(before: str) -> None:
    assert find(f"x{before}thread_abc123") == ["thread_abc123"]


@pytest.mark.parametrize("before", ["n", "x", "_", "-", "0", "\\q", "%2", "%zz"])
def test_an_id_inside_a_word_is_none(before: str) -> None:
    assert find(f"x{before}thread_abc123") == []


def test_an_id_that_a_request_named_first_gets_no_alias() -> None:
    aliases = Aliases()
    aliases.see("thread_aaa111")
    aliases.pass_over("thread_aaa111 asst_bbb222")
    aliases.see("thread_aaa111 asst_bbb222 run_ccc333")
    assert aliases.table == {"thread#1": "thread_aaa111", "run#1": "run_ccc333"}


def test_a_text_comes_apart_into_the_kinds_of_its_ids_and_the_ids() -> None:
    shape, ids = apart("see thread_abc123, then file-xyz789")
    assert ids == ("thread_abc123", "file-xyz789")
    assert shape == apart("see thread_zzz999, then file_aaa111")[0]
    assert apart("no id") == ("no id", ())


def test_ids_are_replaced_and_what_grew_is_told() -> None:
    names = {"thread_abc123": "thread_longer123", "run_abc123": "run_xyz789"}
    data, changes = replaced(b"a thread_abc123 run_abc123", names.__getitem__)
    assert (data, changes) == (b"a thread_longer123 run_xyz789", [(2, 13, 16)])


def test_ids_get_aliases_in_order_of_first_appearance() -> None:
    aliases = Aliases()
    aliases.see("run_abc123 thread_aaa111 run_abc123")
    aliases.see("thread_bbb222 file-abc123 file_abc124")
    assert aliases.table == {
        "run#1": "run_abc123",
        "thread#1": "thread_aaa111",
        "thread#2": "thread_bbb222",
        "file#1": "file-abc123",
        "file#2": "file_abc124",
    }


def test_only_declared_aliases_expand() -> None:
    aliases = Aliases({"thread#1": "thread_abc123"})
    stored = "{{thread#1}} {{thread#2}} {{secret:key#1}} {{{{thread#1}}"
    assert aliases.expand(stored) == "thread_abc123 {{thread#2}} {{secret:key#1}} {{thread#1}}"


def test_an_id_no_response_introduced_stays() -> None:
    aliases = Aliases({"thread#1": "thread_abc123"})
    assert aliases.encode("thread_abc123 thread_xyz789") == "{{thread#1}} thread_xyz789"


@given(texts.map("".join))
@example("{{{thread_abc123")
@example("{{{secret:key#1}}")
@example("{{{{{")
def test_what_is_encoded_expands_to_the_same(text: str) -> None:
    aliases = Aliases()
    assert aliases.expand(aliases.encode(text)) == text
    aliases.see(text)
    assert aliases.expand(aliases.encode(text)) == text
