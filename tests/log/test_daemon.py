"""The daemon's log under twistd: whose observer, and where it writes."""

import os
import tempfile
from pathlib import Path

from twisted.application.service import Application, MultiService
from twisted.internet import reactor
from twisted.logger import ILogObserver, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from kasmd.errors import ConfigError
from kasmd.log.daemon import LoggedService
from kasmd.log.output import LogFile, Observer, Stream, Syslog

EVENT = {"log_level": LogLevel.info, "log_time": 0.0, "log_format": "hello"}


class DaemonTests(SynchronousTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def make(self, dest="logfile", form="kasmvnc", **twistd):
        return LoggedService(reactor, form, dest, twistd)

    def output(self, service):
        application = Application("kasmd")
        service.setServiceParent(application)
        observer = application.getComponent(ILogObserver)
        self.assertIsInstance(observer, Observer)
        return observer

    def test_it_is_the_application_s_observer(self):
        observer = self.output(self.make(logfile=str(self.folder / "log")))
        observer(EVENT)
        text = (self.folder / "log").read_text()
        self.assertRegex(text, r"^ \d{4}-.* \[INFO\] kasmd: hello\n\Z")

    def test_inside_another_service_it_is_nobody_s(self):
        self.make(logfile=str(self.folder / "log")).setServiceParent(MultiService())

    def test_twistd_s_options_say_where(self):
        path = str(self.folder / "log")
        for options, dest, kind in (
            ({"logfile": path, "nodaemon": True}, "logfile", LogFile),
            ({"logfile": path, "nodaemon": False}, "logfile", LogFile),
            ({"logfile": "-", "nodaemon": True}, "logfile", Stream),
            ({"logfile": None, "nodaemon": True}, "logfile", Stream),
            ({"logfile": None, "nodaemon": True, "syslog": True}, "logfile", Syslog),
            ({"logfile": None, "nodaemon": True}, "syslog", Syslog),
        ):
            service = self.make(dest, **options)
            self.assertIs(type(service._observer._write), kind, (options, dest))

    def test_a_daemon_without_a_file_has_twistd_s(self):
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        self.make(logfile=None, nodaemon=False)
        self.assertTrue(Path("twistd.log").exists())

    def test_what_cannot_be_is_said(self):
        with self.assertRaisesRegex(ConfigError, "a daemon has no terminal"):
            self.make(logfile="-", nodaemon=False)
        with self.assertRaisesRegex(ConfigError, "--logfile: .*/none/log: No such file"):
            self.make(logfile=str(self.folder / "none" / "log"))
