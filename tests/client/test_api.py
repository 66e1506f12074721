"""The client against the real site, every method of it."""

from __future__ import annotations

import io
import os
import time
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent

from kasmd.client.api import Client
from kasmd.client.errors import Refused
from kasmd.client.events import Changed, Joined, Left, Present
from kasmd.client.values import File, Layout, Screen
from kasmd.log import output
from tests.web.api.site import Served
from tests.web.asking import PASSWORD

LATER = time.time() + 3600


class Tests(Served, TestCase):
    def client(self, proof: Any = ("own", PASSWORD)) -> Client:
        return Client(reactor, Agent(reactor), f"http://127.0.0.1:{self.port}/", proof)

    def test_it_has_every_operation(self) -> None:
        methods = {name for name, value in vars(Client).items()
                   if iscoroutinefunction(value) and not name.startswith("_")}
        operations = {operation.name for operation in self.api.operations}
        self.assertEqual(methods, operations)

    async def test_users(self) -> None:
        client = self.client()
        made = await client.create_user("é/?", "pw", {"view": True})
        self.assertEqual(await client.get_user("é/?"), made)
        patched = await client.patch_user("é/?", {"pointer": True}, etag=made.etag)
        self.assertTrue(patched.rights["pointer"] and patched.rights["view"])
        with self.assertRaises(Refused) as caught:
            await client.replace_user("é/?", {}, etag=made.etag)
        self.assertEqual(caught.exception.status, 412)
        replaced = await client.replace_user("é/?", {"view": True}, "new")
        self.assertEqual(replaced.letters, "r")
        self.assertEqual(len(await client.list_users()), 4)
        await client.delete_user("é/?")
        with self.assertRaises(Refused) as caught:
            await client.create_user("a:b", "pw")
        self.assertEqual(list(caught.exception.fields), ["/name"])

    async def test_sessions(self) -> None:
        client, here = self.client(), self.join("reader")
        session, = await client.list_sessions()
        self.assertEqual(await client.get_session(session.id), session)
        self.assertEqual((await client.get_statistics())[0].id, session.id)
        capped = await client.patch_session(session.id, 2000)
        self.assertEqual(capped, session._replace(max_bandwidth=2000))
        self.assertFalse(await client.message_session(session.id, "tea?"))
        await client.delete_session(session.id, "a+b & c")
        self.assertEqual(here.ended, [(1008, "a+b & c")])

    async def test_proofs(self) -> None:
        client = self.client()
        made = await client.create_token("ci", {"manage": True}, LATER)
        bearer = self.client(made.secret)
        self.assertEqual((await bearer.list_tokens())[0].id, made.token.id)
        invitation = await bearer.create_invitation("tea", {"view": True}, LATER)
        self.assertEqual(await bearer.list_invitations(), [invitation])
        await bearer.delete_invitation(invitation.id)
        await client.delete_token(made.token.id)
        with self.assertRaises(Refused) as caught:
            await bearer.list_tokens()
        self.assertEqual(caught.exception.status, 401)
        self.proofs.logins.start("reader")
        login, = await client.list_logins()
        await client.delete_login(login.id)
        self.assertEqual(self.proofs.logins.logins(), [])

    async def test_desktop(self) -> None:
        client = self.client()
        self.addCleanup(output.set_level, output.level())
        self.assertEqual((await client.get_screenshot(10, 10))[:2], b"\xff\xd8")
        width, height = self.display.size
        whole = Screen(0, 0, 0, width, height)
        self.assertEqual(await client.get_screens(), Layout(width, height, (whole,)))
        await client.put_clipboard("text")
        await client.delete_clipboard()
        self.display.copy({"text/plain": "é".encode()})
        self.assertEqual(await client.get_clipboard(), "é")

    async def test_files(self) -> None:
        client, content = self.client(), bytes(range(256)) * 4096
        kept = await client.put_file("a é.bin", content)
        self.assertEqual(kept, File("a é.bin", 1 << 20))
        path = Path(self._file("Uploads"), kept.name)
        self.assertEqual(path.read_bytes(), content)
        with self.assertRaises(Refused) as caught:
            await client.put_file(kept.name, b"")
        self.assertEqual(caught.exception.status, 409)
        other = await client.put_file(kept.name, io.BytesIO(content), number=True)
        self.assertEqual(other, File("a é (2).bin", 1 << 20))
        with self.assertRaises(Refused) as caught:
            await client.put_file("../x", b"")
        self.assertEqual(list(caught.exception.fields), ["name"])
        os.rename(path, self._file("Downloads/b"))
        (found,) = await client.list_downloads()
        self.assertEqual((found.name, found.folder, found.size), ("b", False, 1 << 20))
        with self.assertRaises(Refused):
            await client.list_downloads("sub")

    async def test_settings(self) -> None:
        client = self.client()
        self.addCleanup(output.set_level, output.level())
        before = await client.get_settings()
        after = await client.patch_settings(
            before.etag, log_level=10, desktop_name="den", blacklist_timeout=2.5
        )
        self.assertEqual((after.log_level, after.desktop_name, after.blacklist_timeout),
                         (10, "den", 2.5))
        self.assertEqual(await client.get_settings(), after)
        with self.assertRaises(Refused) as caught:
            await client.patch_settings(before.etag, viewers=1)
        self.assertEqual((caught.exception.status, self.settings["viewers"]), (412, 200))

    async def test_events(self) -> None:
        client, ann = self.client(), self.join("writer")
        events = await client.events()
        first = await events.__anext__()
        bob = self.join("reader")
        await client.patch_user("reader", {"pointer": True})
        self.roster.left(ann)  # type: ignore[arg-type]
        joined, changed, left = [await events.__anext__() for _ in range(3)]
        assert isinstance(first, Present) and isinstance(joined, Joined)
        assert isinstance(left, Left) and isinstance(changed, Changed)
        self.assertEqual((first.session.name, joined.session.name), ("writer", bob.name))
        self.assertEqual(left.session, first.session)
        self.assertEqual((changed.change.name, changed.change.by), ("reader", "own"))
        events.close()
        self.assertEqual([event async for event in events], [])

    async def test_events_end_with_the_right(self) -> None:
        client = self.client()
        events = await client.events()
        await client.patch_user("own", {"manage": False}, force=True)
        kinds = {type(event) async for event in events}
        self.assertLessEqual(kinds, {Changed})
        with self.assertRaises(Refused) as caught:
            await client.events()
        self.assertEqual(caught.exception.status, 403)
