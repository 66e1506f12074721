"""What goes on to the next hop, and what never does."""

from hypothesis import given
from hypothesis import strategies as st

from kasmd.edge.onward import (
    HOP_BY_HOP,
    MAX_HOPS,
    Believed,
    Hop,
    framing_fields,
    hops,
    is_own_cookie,
    onward_target,
    request_fields,
    without_credentials,
)
from kasmd.h1.body import CHUNKED, EMPTY, Framing
from kasmd.h1.fields import Fields

HOP = Hop(b"edge.one")
BELIEVED = Believed("192.0.2.7", True, b"site.example:8443", "id-1")

#: What nobody but a hop of ours, or the client's next hop, may say.
CLAIMS = [
    b"Authorization", b"Proxy-Authorization", b"Proxy-Connection", b"X-Kasm-ID", b"x-kasm-anything",
    b"Kasmd-Ticket", b"Forwarded", b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host",
    b"X-Forwarded-Port", b"X-Forwarded-Prefix", b"X-Real-IP", b"X-Request-Id", b"X-Original-URI",
    b"True-Client-IP", b"X_Forwarded_For", b"KASMD_TICKET", b"X-Kasm_Id", b"Cookie", b"TE",
    b"Trailer", b"Keep-Alive", b"Upgrade", b"Transfer-Encoding", b"Content-Length", b"Connection",
    b"Expect", b"HTTP2-Settings",
]  # fmt: skip
FORGED = b"forged"


def onward(*raw, believed=BELIEVED, hop=HOP, put_in=()):
    return Fields(request_fields(Fields(raw), believed, hop, put_in))


def test_what_is_the_clients_goes_on_as_it_is():
    raw = [(b"Accept", b"*/*"), (b"X-Own", b"1"), (b"x-own", b"2"), (b"Origin", b"https://a")]
    assert [field for field in onward(*raw) if field in raw] == raw


@given(st.lists(st.tuples(st.sampled_from(CLAIMS), st.just(FORGED)), max_size=12))
def test_no_claim_of_a_client_goes_on(raw):
    put_in = ((b"Authorization", b"Basic eA=="), (b"X-Kasm-ID", b"ours"))
    fields = onward(*raw, put_in=put_in)
    assert all(FORGED not in value for _, value in fields)
    assert fields.all(b"authorization") == [b"Basic eA=="]
    assert not any(name in fields for name in HOP_BY_HOP)


@given(
    st.lists(st.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", fullmatch=True), max_size=8),
    st.sampled_from([b", ", b",", b" ,\t", b",,"]),
)
def test_what_connection_names_goes_no_further(names, comma):
    raw = [(name, FORGED) for name in names]
    fields = onward((b"Connection", comma.join(names)), *raw)
    assert all(FORGED not in value for _, value in fields)
    # Nobody names away what is put in here.
    assert fields.get(b"x-real-ip") == b"192.0.2.7"
    assert fields.get(b"host") == b"site.example:8443"


def test_what_is_believed_is_said_in_every_dialect():
    fields = onward((b"X-Forwarded-For", b"6.6.6.6"), (b"Host", b"site.example:8443"))
    said = {name: fields.all(name) for name in (
        b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host",
        b"x-forwarded-port", b"x-real-ip", b"x-request-id", b"host", b"via",
    )}  # fmt: skip
    assert said == {
        b"forwarded": [b'by=_edge.one;for=192.0.2.7;proto=https;host="site.example:8443"'],
        b"x-forwarded-for": [b"192.0.2.7"],
        b"x-forwarded-proto": [b"https"],
        b"x-forwarded-host": [b"site.example:8443"],
        b"x-forwarded-port": [b"8443"],
        b"x-real-ip": [b"192.0.2.7"],
        b"x-request-id": [b"id-1"],
        b"host": [b"site.example:8443"],
        b"via": [b"1.1 edge.one"],
    }


def test_clients_of_other_kinds():
    six = onward(believed=Believed("2001:db8::1", False, b"[::1]", "i", b"HTTP/1.0"))
    assert six.get(b"forwarded") == b'by=_edge.one;for="[2001:db8::1]";proto=http;host="[::1]"'
    assert six.get(b"x-forwarded-port") == b"80"
    assert six.get(b"via") == b"1.0 edge.one"
    unix = onward(believed=Believed("", True, b"", "i"))
    assert unix.get(b"forwarded") == b"by=_edge.one;for=unknown;proto=https"
    assert b"x-forwarded-for" not in unix and b"x-real-ip" not in unix and b"host" not in unix


def test_via_grows_and_is_counted():
    fields = onward((b"Via", b"1.0 a, 1.1 b"), (b"Via", b"1.1 c"))
    assert fields.all(b"via") == [b"1.0 a, 1.1 b", b"1.1 c", b"1.1 edge.one"]
    assert hops(fields) == 4 < MAX_HOPS


def test_cookies_go_on_where_they_are_the_desktops_own():
    raw = (
        (b"Cookie", b"__Host-kasmd=s; theme=dark; username=ann; session_token=t; kasmd=p"),
        (b"Cookie", b"kasm_client_key=k; lang=en; __Secure-Kasm-x=y"),
    )
    assert onward(*raw, hop=Hop(b"e", True)).all(b"cookie") == [b"theme=dark; lang=en"]
    assert b"cookie" not in onward(*raw)
    own = (b"Cookie", b"username=ann; session_token=t")
    assert onward(*raw, hop=Hop(b"e", True), put_in=[own]).all(b"cookie") == [own[1]]
    assert is_own_cookie(b"__HOST-KASMD") and not is_own_cookie(b"theme")


def test_credentials_in_a_query_go_no_further():
    for argument in (b"token", b"password", b"api_key", b"API-Key", b"%74oken", b"session_token"):
        target = b"/a?x=1&%b=hunter2&y=2#f" % argument
        assert without_credentials(target) == b"/a?x=1&y=2#f"
        assert onward_target(target, target) == b"/a?x=1&y=2#f"
    assert without_credentials(b"/a?token=x") == b"/a"
    assert onward_target(b"/a?token=x", b"/a?token=x") == b"/a"
    assert onward((b"Referer", b"https://a/b?token=x&c=d")).get(b"referer") == b"https://a/b?c=d"


def test_a_credential_that_an_authoriser_put_in_goes_on():
    assert onward_target(b"/a?token=ours", b"/b?token=theirs") == b"/a?token=ours"
    assert onward_target(b"/a?token=ours&x=1&token=theirs", b"/b?x=1&token=theirs") == (
        b"/a?token=ours&x=1"
    )


def test_framing_is_said_anew():
    length = Fields([(b"Content-Length", b"0")])
    assert framing_fields(Fields(), EMPTY) == []
    assert framing_fields(length, EMPTY) == [(b"Content-Length", b"0")]
    assert framing_fields(Fields(), Framing(5)) == [(b"Content-Length", b"5")]
    assert framing_fields(Fields(), CHUNKED) == [(b"Transfer-Encoding", b"chunked")]
