"""Coming in and going out: the log-in page, invitations, log-out.

    -> POST login   name, password
    -> POST invite  code (what stands behind the # of the link)
    <- Set-Cookie, always of a new session
    -> POST logout
    <- the session is over, and so is everything that it opened

Forms and JSON are understood; what is asked for as a page is answered with one.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Callable, Collection, NamedTuple, Optional, Union
from urllib.parse import parse_qsl

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from kasmd.errors import AccountsBusy, LoginRefused
from kasmd.http.cookies import SessionCookie
from kasmd.http.faults import FAULTS
from kasmd.http.guard import Authenticates, Sessions, refusal
from kasmd.http.headers import Origin
from kasmd.http.problems import Headers, Problem
from kasmd.http.routes import PUBLIC, Route
from kasmd.http.same_site import check_same_site
from kasmd.http.server import Answer, Request, Response
from kasmd.interfaces import Principal
from kasmd.permission.registry import INVITATION
from kasmd.rights import Right

#: Bytes of a form: a name of 127 and a password of 256, each written as %XX, and room.
MAX_FORM = 2048
_HTML = (b"Content-Type", b"text/html; charset=utf-8")
_JSON = (b"Content-Type", b"application/json")
_NOT_KEPT = (b"Cache-Control", b"no-store")
#: What the pages need before anybody has come in, under names that no client of
#: an operator's own has; the path, the file and its type.
_FILES = (
    (b"/login.css", "style.css", b"text/css; charset=utf-8"),
    (b"/login.svg", "icon.svg", b"image/svg+xml"),
    (b"/login.mjs", "login.mjs", b"text/javascript; charset=utf-8"),
)
_MESSAGE = b'<p id="message" role="alert"></p>'


class Form(NamedTuple):
    """What was sent: its fields, and whether by a page without script."""

    fields: dict[str, str]
    plain: bool


class Entrance:
    """Answers at the door.

    ``policy`` is the pages' Content-Security-Policy, ``present`` gives (kind,
    ident) of each who holds a grant.  All is published below the path ``base``,
    which has no slash at its end.
    """

    def __init__(
        self,
        pages: Path,
        policy: bytes,
        authenticator: Authenticates,
        sessions: Sessions,
        present: Callable[[], Collection[tuple[str, str]]],
        allowed: Collection[Origin],
        base: bytes = b"",
    ) -> None:
        self._base = base
        self._login_page = (pages / "login.html").read_bytes()
        self._invite_page = (pages / "invite.html").read_bytes()
        self._files = {
            base + path: Response(
                200,
                ((b"Content-Type", kind), (b"Cache-Control", b"no-cache")),
                (pages / name).read_bytes(),
            )
            for path, name, kind in _FILES
        }
        self._headers = (_HTML, _NOT_KEPT, (b"Content-Security-Policy", policy))
        self._authenticator = authenticator
        self.sessions = sessions
        self._proofs = sessions.proofs
        self._cookie: SessionCookie = sessions.cookie
        self._present = present
        self._allowed = allowed

    def routes(self) -> tuple[Route, ...]:
        """Give what is published, most of it to anybody."""
        files = (Route(b"GET", path, PUBLIC, self._file) for path in self._files)
        return (
            *files,
            Route(b"GET", self._base + b"/login", PUBLIC, self._show_login),
            Route(b"POST", self._base + b"/login", PUBLIC, self._log_in, MAX_FORM),
            Route(b"GET", self._base + b"/invite", PUBLIC, self._show_invitation),
            Route(b"POST", self._base + b"/invite", PUBLIC, self._accept, MAX_FORM),
            Route(b"POST", self._base + b"/logout", Right.ENTER, self._log_out, MAX_FORM),
        )

    def instead(self, failure: Failure, request: Request) -> Union[Response, Failure]:
        """Answer a page that was asked for without credentials with the log-in page."""
        problem = failure.value
        if not isinstance(problem, Problem) or problem.status != 401 or not request.navigates:
            return failure
        stale = bool(self._cookie.read(request))
        message = problem.detail if stale or request.values(b"Authorization") else ""
        request.note(f"Authentication attempt failed, {problem.detail}")
        return self._page(self._login_page, request, 401, message, problem.headers)

    # Pages.

    def _file(self, request: Request) -> Response:
        return self._files[request.path]

    def _show_login(self, request: Request) -> Response:
        return self._page(self._login_page, request, 200, "")

    def _show_invitation(self, request: Request) -> Response:
        return self._page(self._invite_page, request, 200, "")

    def _page(self, page: bytes, request: Request, status: int, message: str,
              headers: Headers = ()) -> Response:
        """Give a page whose addresses fit the path at which it is shown."""
        up = b"../" * (request.path.count(b"/") - self._base.count(b"/") - 1) or b"./"
        shown = _MESSAGE.replace(b"></p>", b">%s</p>" % html.escape(message).encode())
        body = page.replace(b'"./', b'"' + up).replace(_MESSAGE, shown)
        return Response(status, (*self._headers, *headers), body)

    # In.

    def _log_in(self, request: Request) -> Answer:
        check_same_site(request, self._allowed)
        form = _form(request)
        name, password = (form.fields.get(field, "") for field in ("name", "password"))
        proof = maybeDeferred(self._authenticator.authenticate, name, password, request.address)
        entered = proof.addCallbacks(self._logged_in, _refused, (request, form))
        return entered.addErrback(self._shown, self._login_page, request, form)

    def _logged_in(self, name: str, request: Request, form: Form) -> Response:
        former = self._former(request)
        return self._entered(request, form, former, self._proofs.logins.start(name))

    def _accept(self, request: Request) -> Answer:
        check_same_site(request, self._allowed)
        form = _form(request)
        entered = Deferred.fromCoroutine(self._guest(request, form))
        return entered.addErrback(self._shown, self._invite_page, request, form)

    async def _guest(self, request: Request, form: Form) -> Response:
        code = form.fields.get("code", "")
        here = {ident for kind, ident in self._present() if kind == INVITATION}
        former = self._former(request)
        try:
            secret = await self._proofs.invitations.open(code, here)
        except LoginRefused as error:
            text = str(error)
            raise Problem(403, f"{text[:1].upper()}{text[1:]}.") from None
        except AccountsBusy:
            raise FAULTS["accounts-busy"].told_as(Problem) from None
        return self._entered(request, form, former, secret)

    def _former(self, request: Request) -> Optional[Principal]:
        """Give whose session the browser may have had.

        Called before anything is counted: a cookie that cannot be set is a Problem.
        """
        self._cookie.begin(request, "")
        return self._proofs.by_cookie(self._cookie.read(request))

    def _entered(self, request: Request, form: Form, former: Optional[Principal],
                 secret: str) -> Response:
        """Give the cookie of a session, in the place of the ``former``."""
        if former is not None:
            self._proofs.end(former)
        request.cookies.append(self._cookie.begin(request, secret))
        return _done(form, b"./")

    def _shown(
        self, failure: Failure, page: bytes, request: Request, form: Form
    ) -> Union[Response, Failure]:
        """Show a page without script what went wrong on the page itself."""
        problem = failure.value
        if not isinstance(problem, Problem) or not form.plain:
            return failure
        return self._page(page, request, problem.status, problem.detail, problem.headers)

    # Out.

    def _log_out(self, request: Request) -> Response:
        check_same_site(request, self._allowed)
        form = _form(request)
        principal = request.principal
        # Basic came with the request, and perhaps a cookie of the same person.
        carried = self._proofs.by_cookie(self._cookie.read(request))
        ended = [self._proofs.end(each) for each in (principal, carried) if each is not None]
        if not any(ended):
            raise Problem(
                409, "You came without a session: who sends a password or a token has no log-out."
            )
        request.cookies.append(self._cookie.end(request))
        return _done(form, b"./login")


def _refused(failure: Failure) -> Response:
    raise refusal(failure, ())


def _done(form: Form, where: bytes) -> Response:
    if form.plain:
        return Response(303, ((b"Location", where), _NOT_KEPT))
    return Response(204, (_NOT_KEPT,))


def _form(request: Request) -> Form:
    """Read the body (a `Problem` where it is neither a form nor JSON)."""
    kind = request.value(b"Content-Type").partition(b";")[0].strip().lower()
    if kind == b"application/json":
        return Form(_json_fields(request.body), False)
    if kind == b"application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(
                request.body.decode("ascii"), keep_blank_values=True, errors="strict",
                max_num_fields=16,
            )
        except ValueError:
            raise Problem(400, "The form is not well formed.") from None
        return Form(dict(pairs), True)
    if not request.body:
        return Form({}, False)
    raise Problem(415, "A form or JSON is understood here.")


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(400, "The body is not JSON.") from None
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise Problem(400, "The body must be an object of texts.")
    return value
