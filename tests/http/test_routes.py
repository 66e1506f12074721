"""Gate two: a table without defaults, and one dispatcher that fails closed."""

import pytest

from kasmd.errors import PermissionDenied
from kasmd.http.problems import Problem
from kasmd.http.routes import ANY, PUBLIC, Route, Routes, Template
from kasmd.interfaces import Principal
from kasmd.permission.registry import MemoryRegistry
from kasmd.rights import NOTHING, READ, Right


class Asked:
    """A request as far as the dispatcher looks."""

    def __init__(self, method, path, grant):
        self.method, self.path, self.grant = method, path, grant

    def note_route(self):
        """Write no log."""


def named(name):
    return lambda request: name


ROUTES = Routes(
    (
        Route(b"GET", b"/*", Right.ENTER, named("files")),
        Route(b"GET", b"/api/*", Right.VIEW, named("api")),
        Route(b"POST", b"/api/*", Right.MANAGE, named("change")),
        Route(b"GET", b"/api/me", Right.ENTER, named("me")),
    )
)


@pytest.fixture
def grant():
    return MemoryRegistry({"ann": READ}).admit(Principal("ann"), "desktop")


@pytest.mark.parametrize(
    "method, path, answer",
    [
        (b"GET", b"/", "files"),
        (b"HEAD", b"/x", "files"),
        (b"GET", b"/apix", "files"),
        (b"GET", b"/api/x", "api"),
        (b"GET", b"/api/me", "me"),
        (b"GET", b"/api/me/x", "api"),
    ],
)
def test_the_longest_path_answers(grant, method, path, answer):
    assert ROUTES.dispatch(Asked(method, path, grant)) == answer


@pytest.mark.parametrize("method, answer", [
    (b"GET", "any"), (b"HEAD", "any"), (b"PROPFIND", "any"), (b"OPTIONS", "options"), (b"*", "any"),
])
def test_a_route_for_every_method_that_has_none_of_its_own(grant, method, answer):
    routes = Routes([
        Route(ANY, b"/*", Right.VIEW, named("any"), 5),
        Route(b"OPTIONS", b"/*", PUBLIC, named("options")),
    ])
    assert routes.dispatch(Asked(method, b"/x", grant)) == answer
    assert routes.room(b"PUT", b"/x") == 5
    assert routes.is_public(Asked(b"OPTIONS", b"/x", None))
    assert not routes.is_public(Asked(b"GET", b"/x", None))


def test_the_right_is_checked_before_the_route_answers(grant):
    with pytest.raises(PermissionDenied):
        ROUTES.dispatch(Asked(b"POST", b"/api/x", grant))


def test_what_they_hear_who_may_not(grant):
    def refused():
        return Problem(401, "No.")

    routes = Routes([Route(b"GET", b"/a", Right.MANAGE, named("a"), 0, refused)])
    with pytest.raises(Problem) as caught:
        routes.dispatch(Asked(b"GET", b"/a", grant))
    assert caught.value.status == 401


def test_room_for_a_body():
    routes = Routes([
        Route(b"POST", b"/a", Right.MANAGE, named("a"), 7),
        Route(b"GET", b"/*", Right.ENTER, named("b")),
    ])
    assert [routes.room(*asked) for asked in (
        (b"POST", b"/a"), (b"GET", b"/a"), (b"POST", b"/b"), (b"POST", b""),
    )] == [7, 0, 0, 0]


def test_a_wrong_method_names_the_right_ones(grant):
    with pytest.raises(Problem) as caught:
        ROUTES.dispatch(Asked(b"TRACE", b"/api/x", grant))
    assert caught.value.status == 405
    assert caught.value.headers == ((b"Allow", b"GET, POST, HEAD"),)


@pytest.mark.parametrize("method", [b"GET", b"POST", b"TRACE"])
def test_without_a_grant_nothing_is_said_at_all(grant, method):
    with pytest.raises(PermissionDenied):
        ROUTES.dispatch(Asked(method, b"/api/me", None))
    grant.release()
    with pytest.raises(PermissionDenied):
        ROUTES.dispatch(Asked(method, b"/api/me", grant))


def test_an_unknown_path_is_404(grant):
    with pytest.raises(Problem) as caught:
        routes = Routes([Route(b"GET", b"/a", Right.ENTER, named("a"))])
        routes.dispatch(Asked(b"GET", b"/b", grant))
    assert caught.value.status == 404


def test_a_route_needs_a_right():
    with pytest.raises(ValueError):
        Routes([Route(b"GET", b"/", NOTHING, named("x"))])
    with pytest.raises(TypeError):
        Route(b"GET", b"/", handle=named("x"))


def test_a_route_is_published_once():
    route = Route(b"GET", b"/a*", Right.ENTER, named("x"))
    with pytest.raises(ValueError):
        Routes([route, route])


def test_a_public_route_answers_anybody_and_nothing_else_does():
    routes = Routes([
        Route(b"GET", b"/login", PUBLIC, named("page")),
        Route(b"GET", b"/*", Right.ENTER, named("files")),
    ])
    for method, path, public in (
        (b"GET", b"/login", True), (b"HEAD", b"/login", True), (b"POST", b"/login", False),
        (b"GET", b"/login/", False), (b"GET", b"/loginx", False), (b"TRACE", b"/login", False),
    ):
        asked = Asked(method, path, None)
        assert routes.is_public(asked) is public
        if public:
            assert routes.dispatch(asked) == "page"
        else:
            with pytest.raises(PermissionDenied):
                routes.dispatch(asked)
    assert not Routes([]).is_public(Asked(b"GET", b"/", None))


@pytest.mark.parametrize("path, answer", [
    (b"/u", b"all"), (b"/u/me", b"me"), (b"/u/ann", b"one"), (b"/u/a%2Fb", b"one"),
    (b"/u/ann/x", b"rest"), (b"/u/", b"rest"),
])
def test_a_parameter_is_one_segment(grant, path, answer):
    routes = Routes([
        Route(b"GET", b"/u/*", READ, lambda request: b"rest"),
        Route(b"GET", b"/u/{name}", READ, lambda request: b"one"),
        Route(b"GET", b"/u/me", READ, lambda request: b"me"),
        Route(b"GET", b"/u", READ, lambda request: b"all"),
    ])
    assert routes.dispatch(Asked(b"GET", path, grant)) == answer


def test_parameters_are_decoded_after_the_path_is_split():
    template = Template(b"/u/{name}/of/{place}")
    assert template.parameters(b"/u/a%2Fb/of/%C3%A9") == {"name": "a/b", "place": "é"}
    with pytest.raises(Problem) as caught:
        template.parameters(b"/u/%FF/of/x")
    assert caught.value.status == 400
