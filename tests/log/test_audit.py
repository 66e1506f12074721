"""The line of a change: who, what, from where, by which way."""

from pathlib import Path

from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.interfaces import Principal
from kasmd.log.asking import asked_by
from kasmd.log.audit import Source, audited


class Asker:
    request_id = "p-1"
    address = "10.0.0.1"

    def __init__(self, principal):
        self.principal = principal


class AuditTests(TestCase):
    def setUp(self):
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def line(self):
        (event,) = self.events
        self.assertEqual(event["log_level"], LogLevel.warn)
        self.assertEqual(event["log_namespace"], "kasmd.audit")
        return str(event["record"])

    def test_a_request_is_the_source(self):
        with asked_by(Asker(Principal("ann"))):
            audited("account", "bob", "rights", "r", "none")
        self.assertEqual(
            self.line(),
            'account "bob": rights r -> none, by "ann" from 10.0.0.1 through api',
        )

    def test_a_token_is_named(self):
        with asked_by(Asker(Principal("ann", "token", "t7"))):
            audited("invitation", "i1", "made")
        self.assertEqual(
            self.line(), 'invitation "i1": made, by "ann (token t7)" from 10.0.0.1 through api'
        )

    def test_without_a_request_the_daemon_did_it(self):
        audited("token", "t7", "removed")
        self.assertEqual(self.line(), 'token "t7": removed, by "" from - through kasmd')

    def test_another_source(self):
        audited("account", "bob", "password", source=Source("kasmvncpasswd", "root"))
        self.assertEqual(
            self.line(), 'account "bob": password, by "root" from - through kasmvncpasswd'
        )

    def test_the_manual_has_every_part(self):
        manual = Path(__file__).parents[2].joinpath("docs", "man", "kasmd.8.rst").read_text()
        audited("account", "bob", "removed", "r")
        for part in self.events[0]["record"].fields:
            self.assertIn(f"``{part}``", manual)

    def test_names_forge_nothing(self):
        name = 'x": made, by "ann" from 1.2.3.4 through api\n\x1b'
        audited("account", name, "removed", source=Source("file"))
        self.assertTrue(self.line().startswith('account "x\\x22: made, by \\x22ann\\x22 from'))
        self.assertNotIn("\n", self.line())
