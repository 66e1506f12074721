"""What an upstream's answer may say to the client."""

from base64 import b64encode
from sys import getrefcount

from hypothesis import given
from hypothesis import strategies as st

from kasmd.edge.answers import (
    PathMap,
    answer_fields,
    path_map,
    relocated,
    scoped_cookie,
    secrets_of,
)
from kasmd.edge.asking import Allowed, Upstream
from kasmd.edge.onward import HOP_BY_HOP, Hop
from kasmd.h1.fields import Fields
from kasmd.interfaces import Principal
from kasmd.permission.registry import MemoryRegistry
from kasmd.rights import READ

PASSWORD = b"correct horse/battery"
CREDENTIAL = b"Basic " + b64encode(b"kasm_user:" + PASSWORD)
TICKET = b"eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"
SECRETS = secrets_of(((b"Authorization", CREDENTIAL), (b"Kasmd-Ticket", TICKET)))
HOSTS = frozenset((b"10.0.0.5:6901", b"site.example"))
PATHS = PathMap(b"/desktop/one", b"", b"/desktop/one/", HOSTS)
WITHHELD = [
    b"WWW-Authenticate", b"Proxy-Authenticate", b"Authentication-Info", b"Connection",
    b"Keep-Alive", b"Trailer", b"Upgrade", b"Transfer-Encoding", b"Content-Length", b"Alt-Svc",
    b"Clear-Site-Data", b"Service-Worker-Allowed", b"Strict-Transport-Security",
    b"X-Accel-Redirect", b"X-Sendfile", b"Access-Control-Allow-Origin", b"X-Kasm-ID",
    b"Kasmd-Ticket", b"X-Request-Id", b"Server",
]  # fmt: skip


def answer(*raw, paths=PATHS, secrets=SECRETS):
    fields = answer_fields(Fields(raw), b"HTTP/1.1", Hop(b"edge"), lambda: paths, secrets)
    return Fields(fields)


def allowed(target, upstream=Upstream("10.0.0.5", 6901), session="one"):
    grant = MemoryRegistry({"ann": READ}).admit(Principal("ann"), "one")
    return Allowed(grant, Principal("ann"), session, upstream, target)


def test_what_describes_the_content_goes_on():
    raw = [(b"Content-Type", b"text/html"), (b"ETag", b'"x"'), (b"Proxy-Status", b"next")]
    assert list(answer(*raw)) == [*raw, (b"Via", b"1.1 edge")]


@given(st.lists(st.tuples(st.sampled_from(WITHHELD), st.just(b"theirs")), max_size=12))
def test_what_speaks_for_more_than_the_desktop_does_not(raw):
    fields = answer(*raw, (b"X-Fine", b"yes"))
    assert [name for name, _ in fields] == [b"X-Fine", b"Via"]
    assert not any(name in fields for name in HOP_BY_HOP)


def test_what_connection_names_goes_no_further():
    assert b"x-hop" not in answer((b"Connection", b"X-Hop, close"), (b"X-Hop", b"1"))


@given(
    st.sampled_from([b"X-Echo", b"Location", b"Set-Cookie", b"Link", b"Via"]),
    st.sampled_from([CREDENTIAL, CREDENTIAL[6:], TICKET, PASSWORD, b"correct%20horse%2Fbattery"]),
    st.sampled_from([b"%b", b"https://kasm_user:%b@10.0.0.5/", b"a=%b", b"/x?p=%b&y", b"1 %b"]),
)
def test_the_injected_credential_never_comes_back(name, secret, shape):
    fields = answer((name, shape % secret))
    assert all(secret not in value for _, value in fields)


def test_places():
    paths = path_map(b"/desktop/one/vnc/a.js", b"Site.Example", allowed(b"/vnc/a.js?x=1"))
    assert paths[:3] == (b"/desktop/one", b"", b"/desktop/one/")
    assert paths.hosts == {b"site.example", b"10.0.0.5:6901"}
    inside = path_map(b"/desktop/one/app/x", b"a", allowed(b"/base/x"))
    assert inside[:2] == (b"/desktop/one/app", b"/base")
    same = path_map(b"/desktop/one/x", b"a", allowed(b"/desktop/one/x"))
    assert same[:3] == (b"", b"", b"/desktop/one/")
    other = path_map(b"/elsewhere", b"a", allowed(b"/x", Upstream("h", 80)))
    assert other.scope == b"" and b"h" in other.hosts


def test_redirects_to_the_upstream_stay_with_the_desktop():
    for location, expected in (
        (b"http://10.0.0.5:6901/login?x=1#y", b"/desktop/one/login?x=1#y"),
        (b"https://user:pw@10.0.0.5:6901/", b"/desktop/one/"),
        (b"https://site.example/login", b"/desktop/one/login"),
        (b"http://10.0.0.5:6901", b"/desktop/one/"),
        (b"/login", b"/desktop/one/login"),
        (b"login?next=/", b"login?next=/"),
        (b"https://elsewhere.example/x", b"https://elsewhere.example/x"),
        (b"//elsewhere.example/x", b"//elsewhere.example/x"),
        (b"javascript:alert(1)", b"javascript:alert(1)"),
        (b"http://[bad", b"http://[bad"),
    ):
        assert relocated(location, PATHS) == expected


def test_a_rewritten_redirect_names_no_other_host():
    bare = PATHS._replace(public=b"", inner=b"")
    for path in (b"//evil.example", b"/\\evil.example", b"///evil.example"):
        assert relocated(b"http://10.0.0.5:6901" + path, bare) == b"/evil.example"


def test_cookies_reach_the_desktops_paths_only():
    for value, expected in (
        (b"a=b", b"a=b; Path=/desktop/one/"),
        (b"a=b; Path=/; Domain=example; HttpOnly", b"a=b; HttpOnly; Path=/desktop/one/"),
        (b"a=b; path=/app", b"a=b; Path=/desktop/one/app"),
        (b"a=b; Path=/desktop/two/", b"a=b; Path=/desktop/one/desktop/two/"),
        (b"a=b; Path=/../two", b"a=b; Path=/desktop/one/"),
        (b"__Host-kasmd=x; Path=/; Secure", None),
        (b"__host-other=x; Path=/; Secure", None),
        (b"kasmd=x", None),
        (b"username=x", None),
        (b"Session_Token=x", None),
        (b"=__Host-kasmd=x", None),
        (b"__Host-kasmd", None),
    ):
        assert scoped_cookie(value, PATHS) == expected
    assert scoped_cookie(b"a=b", PATHS._replace(scope=b"")) is None


def test_several_cookies_each():
    cookies = [(b"Set-Cookie", value) for value in (b"a=b", b"username=x", b"c=d")]
    fields = answer(*cookies)
    assert fields.all(b"set-cookie") == [b"a=b; Path=/desktop/one/", b"c=d; Path=/desktop/one/"]


def test_secrets_are_found_in_what_is_put_in():
    assert PASSWORD in SECRETS and TICKET in SECRETS and CREDENTIAL[6:] in SECRETS
    assert secrets_of(((b"Authorization", b"Basic !!!!!!!"), (b"X-Kasm-ID", b"public-id"))) == (
        secrets_of(((b"Authorization", b"Basic !!!!!!!"),))
    )
    assert all(len(secret) >= 6 for secret in secrets_of(((b"Authorization", b"Basic YTpi"),)))


def test_no_credential_is_remembered():
    fields = ((b"Authorization", b"Basic " + b64encode(b"kasm_user:" + PASSWORD)),)
    held = getrefcount(fields)
    secrets_of(fields)
    assert getrefcount(fields) == held
