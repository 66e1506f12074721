"""The log of a daemon that twistd runs.

twistd takes the observer that is a component of its application, unless
``--logger`` names another; so the daemon brings its own there.  Where lines go
is still for twistd's options to say: ``--logfile``, ``--syslog``, ``--prefix``.
"""

from __future__ import annotations

import os
import signal
from typing import Any, Mapping, Optional

from twisted.application.service import MultiService
from twisted.logger import ILogObserver
from twisted.python.components import Componentized

from kasmd.errors import ConfigError
from kasmd.log.lines import FORMATS
from kasmd.log.output import LogFile, Observer, Stream, Syslog, as_syslog

#: Where twistd itself would write when it leaves the terminal.
_DEFAULT_FILE = "twistd.log"
#: What twistd itself would call its lines in the system's log.
_PREFIX = "twisted"


class LoggedService(MultiService):
    """A daemon and its log; ``form`` and ``dest`` are values of ``logging``."""

    def __init__(self, reactor: Any, form: str, dest: str, twistd: Mapping[str, Any]) -> None:
        super().__init__()
        self._reactor = reactor
        self._file: Optional[LogFile] = None
        if dest == "syslog" or twistd.get("syslog"):
            prefix = twistd.get("prefix", _PREFIX)
            syslog = Syslog("kasmd" if prefix == _PREFIX else prefix)
            self._observer = Observer(as_syslog if form == "kasmvnc" else FORMATS[form](), syslog)
        else:
            self._observer = Observer(FORMATS[form](), self._stream(twistd))

    def _stream(self, twistd: Mapping[str, Any]) -> Stream:
        path, stays = twistd.get("logfile"), twistd.get("nodaemon", True)
        if path == "-" and not stays:
            raise ConfigError("twistd --logfile: a daemon has no terminal; give a file, or -n")
        if path == "-" or (stays and not path):
            # A descriptor of our own, for twistd puts the log in the place of sys.stdout.
            return Stream(os.dup(1))
        try:
            self._file = LogFile(path or _DEFAULT_FILE)
        except OSError as error:
            raise ConfigError(
                f"twistd --logfile: {path or _DEFAULT_FILE}: {error.strerror}"
            ) from None
        return self._file

    def setServiceParent(self, parent: Any) -> None:
        """Join twistd's application and be its log."""
        super().setServiceParent(parent)
        if isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)

    def startService(self) -> None:
        """Start all, and take SIGUSR1 for the sign that the log was moved away."""
        if self._file is not None:
            signal.signal(signal.SIGUSR1, self._moved)
        super().startService()

    def _moved(self, number: int, frame: object) -> None:
        assert self._file is not None, "there is a file to open again"
        self._reactor.callFromThread(self._file.reopen)
