"""Where lines go, and what becomes of those that cannot be written."""

import errno
import os
import socket
import tempfile
from pathlib import Path

from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.log.lines import DEBUG, ERROR, INFO, STATUS, Kasmvnc, tell
from kasmd.log.output import LogFile, Observer, Stream, Syslog, as_syslog, set_level, wanted


def event(text, level=LogLevel.info, namespace="kasmd.http"):
    return {"log_level": level, "log_namespace": namespace, "log_time": 0.0, "log_format": text}


class Disk:
    """Takes lines while there is room."""

    full = False

    def __init__(self):
        self.lines = []

    def __call__(self, level, line):
        if self.full:
            raise OSError(errno.ENOSPC, "full")
        self.lines.append(line.partition(": ")[2])


class ObserverTests(TestCase):
    def setUp(self):
        self.addCleanup(set_level, INFO)
        self.disk = Disk()
        self.observer = Observer(Kasmvnc(), self.disk)

    def test_levels_above_the_configured_one_are_left_out(self):
        for number, wished in ((ERROR, 1), (STATUS, 2), (INFO, 3), (99, 3), (DEBUG, 4)):
            self.disk.lines.clear()
            set_level(number)
            for level in (LogLevel.error, LogLevel.warn, LogLevel.info, LogLevel.debug):
                self.observer(event("x", level))
            self.assertEqual(len(self.disk.lines), wished, number)
            self.assertEqual(wanted(DEBUG), number == DEBUG)

    def test_requests_and_changes_are_written_at_every_level(self):
        set_level(ERROR)
        for namespace in ("kasmd.access", "kasmd.audit", "kasmd.http"):
            self.observer(event(namespace, namespace=namespace))
        self.assertEqual(self.disk.lines, ["kasmd.access\n", "kasmd.audit\n"])

    def test_a_full_disk_costs_lines_and_tells_how_many(self):
        globalLogPublisher.addObserver(self.observer)
        self.addCleanup(globalLogPublisher.removeObserver, self.observer)
        self.disk.full = True
        self.observer(event("one"))
        self.observer(event("two"))
        self.disk.full = False
        self.observer(event("three"))
        self.observer(event("four"))
        told = "2 lines of the log could not be written\n"
        self.assertEqual(self.disk.lines, ["three\n", told, "four\n"])


class StreamTests(TestCase):
    def test_a_line_goes_out_whole(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        Stream(writing)(INFO, "one\n")
        self.assertEqual(os.read(reading, 100), b"one\n")

    def test_a_file_is_private_and_opened_again(self):
        with tempfile.TemporaryDirectory() as folder:
            path, moved = Path(folder, "log"), Path(folder, "log.1")
            path.write_text("before\n")
            log = LogFile(str(path))
            log(INFO, "one\n")
            path.rename(moved)
            log(INFO, "two\n")
            log.reopen()
            log(INFO, "three\n")
            self.assertEqual(moved.read_text(), "before\none\ntwo\n")
            self.assertEqual(path.read_text(), "three\n")
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_a_file_that_cannot_be_opened_again_stays(self):
        with tempfile.TemporaryDirectory() as folder:
            inner = Path(folder, "logs")
            inner.mkdir()
            log = LogFile(str(inner / "log"))
            inner.rename(Path(folder, "away"))
            log.reopen()
            log(INFO, "one\n")
            self.assertEqual(Path(folder, "away", "log").read_text(), "one\n")


class SyslogTests(TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name, "log"))

    def listen(self):
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(log.close)
        log.bind(self.path)
        log.settimeout(60)
        return log

    def test_a_message_has_its_severity_and_writer(self):
        log = self.listen()
        syslog = Syslog("kasmd", self.path)
        for level, severity in ((ERROR, 3), (STATUS, 5), (INFO, 6), (DEBUG, 7)):
            syslog(level, as_syslog(tell(event("hello"))))
            wished = f"<{24 + severity}>kasmd[{os.getpid()}]: http: hello"
            self.assertEqual(log.recv(1000).decode(), wished)

    def test_a_log_that_comes_later_is_found(self):
        syslog = Syslog("kasmd", self.path)
        self.assertRaises(OSError, syslog, INFO, "lost\n")
        log = self.listen()
        syslog(INFO, "one\n")
        self.assertTrue(log.recv(1000).endswith(b": one"))

    def test_a_log_that_does_not_read_is_not_waited_for(self):
        self.listen()
        syslog = Syslog("kasmd", self.path)
        with self.assertRaises(BlockingIOError):
            for _ in range(100_000):
                syslog(INFO, "x" * 1000)
