"""The client against the real site, every method of it."""

from __future__ import annotations

import time
from inspect import iscoroutinefunction
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent

from kasmd.client.api import Client
from kasmd.client.errors import Refused
from kasmd.log import output
from tests.web.api.site import PASSWORD, Served

LATER = time.time() + 3600


class Tests(Served, TestCase):
    def client(self, proof: Any = ("own", PASSWORD)) -> Client:
        return Client(Agent(reactor), f"http://127.0.0.1:{self.port}/", proof)

    def test_it_has_every_operation_but_the_stream(self) -> None:
        methods = {name for name, value in vars(Client).items()
                   if iscoroutinefunction(value) and not name.startswith("_")}
        operations = {operation.name for operation in self.api.operations}
        self.assertEqual(methods, operations - {"events"})

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
        await client.put_clipboard("text")
        await client.delete_clipboard()
        self.assertEqual(await client.patch_settings(log_level=30), {"log_level": 30})
        self.assertEqual(await client.get_settings(), {"log_level": 30})
