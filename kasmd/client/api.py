"""The API by its own names: each method is the operation of that name."""

from __future__ import annotations

import json
from typing import Any, BinaryIO, Mapping, NamedTuple, Optional, Union
from urllib.parse import quote

import treq
from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from kasmd.client.errors import refusal
from kasmd.client.events import Events
from kasmd.client.values import (
    Download,
    File,
    Invitation,
    Layout,
    Login,
    MadeToken,
    Rights,
    Screen,
    Session,
    Settings,
    Statistics,
    Token,
    User,
    read,
)

#: A name and a password, or a token's secret.
Proof = Union[tuple[str, str], str]
#: Seconds for one answer.
PATIENCE = 30.0


class _Answer(NamedTuple):
    body: bytes
    etag: str

    @property
    def value(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks the daemon at ``url`` (``https://host:port``) over ``agent``.

    Raises `kasmd.client.errors.Refused`.
    """

    def __init__(self, reactor: Any, agent: IAgent, url: str, proof: Proof,
                 patience: float = PATIENCE) -> None:
        self._reactor = reactor
        self._treq = treq.client.HTTPClient(agent)
        self._base = f"{url.rstrip('/')}/api/v1"
        self._patience = patience
        self._headers = {"Accept": "application/json"}
        self._auth = proof if isinstance(proof, tuple) else None
        if isinstance(proof, str):
            self._headers["Authorization"] = f"Bearer {proof}"

    async def list_users(self) -> list[User]:
        return [read(User, each) for each in (await self._ask("GET", "/users")).value]

    async def get_user(self, name: str) -> User:
        return _user(await self._ask("GET", _at("users", name)))

    async def create_user(self, name: str, password: str, rights: Rights = {}) -> User:
        body = {"name": name, "password": password, "rights": dict(rights)}
        return _user(await self._ask("POST", "/users", body))

    async def replace_user(self, name: str, rights: Rights, password: Optional[str] = None,
                           etag: str = "", force: bool = False) -> User:
        body = _given(rights=dict(rights), password=password)
        return _user(await self._ask("PUT", _at("users", name), body, _force(force), etag))

    async def patch_user(self, name: str, rights: Rights = {}, password: Optional[str] = None,
                         etag: str = "", force: bool = False) -> User:
        body = _given(rights=dict(rights), password=password)
        return _user(await self._ask("PATCH", _at("users", name), body, _force(force), etag))

    async def delete_user(self, name: str, etag: str = "", force: bool = False) -> None:
        await self._ask("DELETE", _at("users", name), None, _force(force), etag)

    async def list_sessions(self) -> list[Session]:
        return [read(Session, each) for each in (await self._ask("GET", "/sessions")).value]

    async def get_session(self, id: str) -> Session:
        return read(Session, (await self._ask("GET", _at("sessions", id))).value)

    async def patch_session(self, id: str, max_bandwidth: Optional[int]) -> Session:
        body = {"max_bandwidth": max_bandwidth}
        return read(Session, (await self._ask("PATCH", _at("sessions", id), body)).value)

    async def message_session(self, id: str, text: str) -> bool:
        """Tell whether it was shown."""
        path = _at("sessions", id) + "/messages"
        return bool((await self._ask("POST", path, {"text": text})).value["shown"])

    async def delete_session(self, id: str, reason: str = "") -> None:
        query = {"reason": reason} if reason else {}
        await self._ask("DELETE", _at("sessions", id), None, query)

    async def get_statistics(self) -> list[Statistics]:
        return [read(Statistics, each) for each in (await self._ask("GET", "/statistics")).value]

    async def list_invitations(self) -> list[Invitation]:
        return [read(Invitation, each) for each in (await self._ask("GET", "/invitations")).value]

    async def create_invitation(self, label: str, rights: Rights, expires: float,
                                guests: int = 1, uses: Optional[int] = None) -> Invitation:
        body = {"label": label, "rights": dict(rights), "expires": expires, "guests": guests,
                "uses": uses}
        return read(Invitation, (await self._ask("POST", "/invitations", body)).value)

    async def delete_invitation(self, id: str) -> None:
        await self._ask("DELETE", _at("invitations", id))

    async def list_tokens(self) -> list[Token]:
        return [read(Token, each) for each in (await self._ask("GET", "/tokens")).value]

    async def create_token(self, label: str, scope: Rights, expires: float,
                           account: Optional[str] = None) -> MadeToken:
        body = _given(label=label, scope=dict(scope), expires=expires, account=account)
        made = (await self._ask("POST", "/tokens", body)).value
        return MadeToken(read(Token, made["token"]), made["secret"])

    async def delete_token(self, id: str) -> None:
        await self._ask("DELETE", _at("tokens", id))

    async def list_logins(self) -> list[Login]:
        return [read(Login, each) for each in (await self._ask("GET", "/logins")).value]

    async def delete_login(self, id: str) -> None:
        await self._ask("DELETE", _at("logins", id))

    async def get_screenshot(self, width: int = 4096, height: int = 4096,
                             quality: int = 7) -> bytes:
        query = {"width": str(width), "height": str(height), "quality": str(quality)}
        return (await self._ask("GET", "/screenshot", None, query)).body

    async def get_screens(self) -> Layout:
        layout = (await self._ask("GET", "/screens")).value
        screens = tuple(read(Screen, each) for each in layout["screens"])
        return Layout(layout["width"], layout["height"], screens)

    async def get_clipboard(self) -> str:
        return str((await self._ask("GET", "/clipboard")).value["text"])

    async def put_clipboard(self, text: str) -> None:
        await self._ask("PUT", "/clipboard", {"text": text})

    async def delete_clipboard(self) -> None:
        await self._ask("DELETE", "/clipboard")

    async def put_file(self, name: str, content: Union[bytes, BinaryIO],
                       number: bool = False) -> File:
        """Send ``content``, a file in pieces; the answer may take as long as that does."""
        query = {"number": "true"} if number else {}
        response = await self._begin(
            "PUT", _at("files", name), query=query, patience=None, data=content
        )
        return read(File, json.loads(await self._content(response)))

    async def list_downloads(self, path: str = "") -> list[Download]:
        query = {"path": path} if path else {}
        found = (await self._ask("GET", "/downloads", None, query)).value
        return [read(Download, each) for each in found]

    async def get_settings(self) -> Settings:
        return _settings(await self._ask("GET", "/settings"))

    async def patch_settings(self, etag: str = "", **settings: Union[str, float, None]) -> Settings:
        return _settings(await self._ask("PATCH", "/settings", settings, {}, etag))

    async def events(self) -> Events:
        response = await self._begin("GET", "/events", unbuffered=True)
        events = Events(self._reactor)
        response.deliverBody(events)
        return events

    async def _ask(self, method: str, path: str, body: Optional[Mapping[str, object]] = None,
                   query: Mapping[str, str] = {}, etag: str = "") -> _Answer:
        response = await self._begin(method, path, body, query, etag)
        content = await self._content(response)
        return _Answer(content, (response.headers.getRawHeaders("ETag") or [""])[0])

    async def _begin(self, method: str, path: str, body: Optional[Mapping[str, object]] = None,
                     query: Mapping[str, str] = {}, etag: str = "", **more: Any) -> Any:
        """Give a response that is none of refusal, its body still to be read.

        ``more`` is treq's, and ``patience`` the seconds until the answer begins.
        """
        headers = Headers({key: [value] for key, value in self._headers.items()})
        if etag:
            headers.addRawHeader("If-Match", etag)
        if body is not None:
            more["json"] = body
        # Of the server's query a plus sign is itself.
        tail = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
        address = f"{self._base}{path}{'?' if tail else ''}{tail}"
        asking: Deferred[Any] = self._treq.request(
            method, address, headers=headers, auth=self._auth,
            timeout=more.pop("patience", self._patience), reactor=self._reactor, **more
        )
        response = await asking
        if response.code >= 400:
            raise refusal(response.code, _value(await self._content(response)))
        return response

    async def _content(self, response: Any) -> bytes:
        content: bytes = await response.content().addTimeout(self._patience, self._reactor)
        return content


def _value(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _settings(answer: _Answer) -> Settings:
    return read(Settings, answer.value, etag=answer.etag)


def _user(answer: _Answer) -> User:
    return read(User, answer.value, etag=answer.etag)


def _at(what: str, ident: str) -> str:
    return f"/{what}/{quote(ident, safe='')}"


def _force(force: bool) -> Mapping[str, str]:
    return {"force": "true"} if force else {}


def _given(**values: object) -> dict[str, object]:
    """Give what is not None."""
    return {key: value for key, value in values.items() if value is not None}
