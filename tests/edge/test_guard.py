"""The guard decides over a request's head alone."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from wiretape.edge.guard import Asked, Guard, host_of, name_problem, token_problem
from wiretape.errors import AdminForbidden, AdminUnauthorized

TOKEN = "0123456789abcdef"
OURS = Asked(hosts=("10.0.0.7:8788",), local="10.0.0.7")
GUARD = Guard(names=("wiretape.internal",))


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", "127.0.0.1"),
        ("LOCALHOST:8788", "127.0.0.1"),
        ("127.0.0.1:1", "172.17.0.2"),
        ("[::1]:8788", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("10.0.0.7:8788", "10.0.0.7"),
        ("10.0.0.7", "::ffff:10.0.0.7"),
        ("wiretape.internal:8788", "10.0.0.7"),
        ("[fe80::1]:8788", "fe80::1%eth0"),
        ("[fe80::1%25eth0]:8788", "fe80::1%eth0"),
    ],
)
def test_a_name_of_ours_is_known(host: str, local: str) -> None:
    GUARD.check(Asked(hosts=(host,), local=local))


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("",),
        ("evil.test",),
        ("10.0.0.8",),
        ("localhost.evil.test",),
        ("localhost@evil.test",),
        ("evil.test/localhost",),
        ("localhost:x",),
        ("[::1",),
        ("evil.test[::1]",),
        ("[::1]evil.test",),
        ("[localhost]",),
        ("localhost", "evil.test"),
    ],
)
def test_any_other_name_is_refused(hosts: tuple[str, ...]) -> None:
    with pytest.raises(AdminForbidden):
        GUARD.check(Asked(hosts=hosts, local="10.0.0.7"))


@pytest.mark.parametrize(
    "asked",
    [
        structs.replace(OURS, origins=("http://10.0.0.7:8788",)),
        structs.replace(OURS, origins=("https://10.0.0.7:8788",), sites=("same-origin",)),
        structs.replace(OURS, sites=("none",)),
    ],
)
def test_our_own_site_is_let_in(asked: Asked) -> None:
    GUARD.check(asked)


@pytest.mark.parametrize(
    "asked",
    [
        structs.replace(OURS, origins=("http://evil.test",)),
        structs.replace(OURS, origins=("http://10.0.0.7:3000",)),
        structs.replace(OURS, origins=("null",)),
        structs.replace(OURS, origins=("10.0.0.7:8788",)),
        structs.replace(OURS, origins=("http://[",)),
        structs.replace(OURS, origins=("http://10.0.0.7:8788", "http://evil.test")),
        structs.replace(OURS, sites=("cross-site",)),
        structs.replace(OURS, sites=("same-site",)),
        structs.replace(OURS, sites=("same-origin", "cross-site")),
    ],
)
def test_any_other_site_is_refused(asked: Asked) -> None:
    with pytest.raises(AdminForbidden):
        GUARD.check(asked)


@pytest.mark.parametrize("shown", [f"Bearer {TOKEN}", f"bearer  {TOKEN}"])
def test_the_token_lets_in(shown: str) -> None:
    Guard(TOKEN).check(structs.replace(OURS, authorizations=(shown,)))


@pytest.mark.parametrize(
    "shown",
    [
        (),
        ("",),
        (TOKEN,),
        (f"Basic {TOKEN}",),
        ("Bearer ",),
        (f"Bearer {TOKEN[:-1]}",),
        (f"Bearer {TOKEN}",) * 2,
        ("Bearer \udce9",),
    ],
)
def test_nothing_else_does(shown: tuple[str, ...]) -> None:
    with pytest.raises(AdminUnauthorized):
        Guard(TOKEN).check(structs.replace(OURS, authorizations=shown))


def test_a_stranger_learns_nothing_about_the_token() -> None:
    with pytest.raises(AdminForbidden):
        Guard(TOKEN).check(Asked(hosts=("evil.test",), authorizations=(f"Bearer {TOKEN}",)))


@given(st.lists(st.text()), st.lists(st.text()), st.lists(st.text()), st.lists(st.text()), st.text())
def test_whatever_is_sent_is_let_in_or_refused(
    hosts: list[str], origins: list[str], sites: list[str], shown: list[str], local: str
) -> None:
    with contextlib.suppress(AdminForbidden, AdminUnauthorized):
        Guard(TOKEN).check(Asked(tuple(hosts), tuple(origins), tuple(sites), tuple(shown), local))


@given(st.text())
def test_a_host_is_one_or_none(field: str) -> None:
    found = host_of(field)
    assert found is None or found


@pytest.mark.parametrize("token", ["", "short", "with a space in it", "\u00fcmlaut-0123456789"])
def test_a_token_that_is_none_is_refused_and_not_repeated(token: str) -> None:
    problem = token_problem(token)
    assert problem == "admin_token is 16 or more visible ASCII characters, without spaces"
    assert token_problem(TOKEN) is None


@pytest.mark.parametrize("name", ["", "host:8788", "http://host", "[::1]", "a name", "host/"])
def test_a_name_that_no_host_can_have_is_refused(name: str) -> None:
    assert name_problem(name) == (
        f"admin_hosts holds names and addresses, without scheme, port and brackets; got {name!r}"
    )


@pytest.mark.parametrize("name", ["Wiretape.internal", "10.0.0.8", "FD00:0:0:0:0:0:0:1"])
def test_a_name_in_the_list_is_let_in_however_it_is_written(name: str) -> None:
    assert name_problem(name) is None
    host = f"[{name}]:8788" if ":" in name else name
    Guard(names=(name,)).check(structs.replace(OURS, hosts=(host,)))
