"""kasmvncpasswd as people and scripts use it: a terminal, a pipe, several at once."""

import configparser
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kasmd.cli import kasmvncpasswd
from kasmd.interfaces import Account
from kasmd.permission import durable
from kasmd.permission.accounts import load, rewrite
from kasmd.permission.kasmpasswd import verify
from kasmd.rights import OWNER, READ, WRITE, Right

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "kasmd.cli.kasmvncpasswd")
#: Of the password "password".
SECRET = "$5$kasm$M.z5TLjdOq8hLv4c3HJaD5mKBkD6uIV8a1mkEVonCq/"
TWICE = "password\npassword\n"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "kasmpasswd"
    file.write_text(f"bob:{SECRET}:rw\nno account\nann:{SECRET}:o\n")
    return file


def call(*arguments, entered="", home=None):
    """Run the command with a pipe for its input; give (status, output, errors)."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    if home is not None:
        environ["HOME"] = str(home)
    done = subprocess.run((*COMMAND, *map(str, arguments)), input=entered.encode("utf-8"),
                          capture_output=True, timeout=60, env=environ)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def account(path, name):
    return load(str(path)).accounts.get(name)


def test_an_account_is_made_from_a_pipe(path):
    assert call("-u", "eve", "-r", path, entered=TWICE) == (0, "", "")
    made = account(path, "eve")
    assert made.rights == Right.ENTER | READ and made.secret == SECRET
    assert path.read_text() == (
        f"bob:{SECRET}:rw\nno account\nann:{SECRET}:o\neve:{SECRET}:r\n"
    )
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_account_is_replaced_with_just_the_rights_given(path):
    assert call("-u", "bob", "-o", path, entered="another\nanother\n") == (0, "", "")
    assert account(path, "bob").rights == Right.ENTER | OWNER
    assert verify("another", account(path, "bob").secret)


@pytest.mark.parametrize("flags, rights", [
    ("", Right.ENTER), ("-r", Right.ENTER | READ), ("-w", Right.ENTER | WRITE),
    ("-o", Right.ENTER | OWNER), ("-rwo", Right.ENTER | WRITE | OWNER),
])
def test_rights_alone_are_changed(path, flags, rights):
    assert call("-n", *filter(None, [flags]), path, "-u", "bob") == (0, "", "")
    assert account(path, "bob") == Account("bob", SECRET, rights)


def test_an_account_is_deleted(path):
    assert call("-d", "-u", "bob", path) == (0, "", "")
    assert path.read_text() == f"no account\nann:{SECRET}:o\n"


def test_the_last_one_too(path):
    for name in ("bob", "ann"):
        assert call("-u", name, "-d", path)[0] == 0
    assert path.read_text() == "no account\n"


def test_the_default_file_is_in_the_home(tmp_path):
    assert call("-u", "eve", entered=TWICE, home=tmp_path) == (0, "", "")
    assert account(tmp_path / ".kasmpasswd", "eve") is not None


FAILURES = [
    # arguments, input, what is said (its beginning where no line end is given)
    (["-u", "nobody", "-n"], "", "No user named nobody found\n"),
    (["-u", "nobody", "-d"], "", "No user named nobody found\n"),
    (["-u", "x" * 128], TWICE, f"Username {'x' * 128} too long\n"),
    (["-u", "é" * 64], TWICE, "Username " + "\\xe9" * 64 + " too long\n"),
    (["-u", ""], TWICE, "Username  not possible: the name is empty\n"),
    (["-u", "a:b"], TWICE, "Username a:b not possible: the name has a colon, "),
    (["-u", "a\nb"], TWICE, "Username a\\x0ab not possible: the name has a "),
    (["-u", "bob"], "\n\n", "Password not changed\n"),
    (["-u", "bob"], "password\npassw0rd\n", "Passwords don't match\n"),
    (["-u", "bob"], "", "getpassword error: no more input\n"),
    (["-u", "bob"], "password\n", "getpass error: no more input\n"),
    (["-u", "bob"], "12345\n", "Password must be at least 6 characters - try again\n"
                               "getpassword error: no more input\n"),
    (["-u", "bob"], "x" * 5000 + "\n", "getpassword error: the line is too long\n"),
    (["-u", "bob"], f"{'x' * 257}\n" * 2, "Password not changed: a password has at most 256 "),
]


@pytest.mark.parametrize("arguments, entered, said", FAILURES)
def test_every_failure_has_its_text_and_status_and_changes_nothing(path, arguments, entered, said):
    before = path.read_text()
    status, output, errors = call(*arguments, path, entered=entered)
    assert (status, output) == (1, "")
    assert errors == said if said.endswith("\n") else errors.startswith(said), errors
    assert path.read_text() == before


def test_the_manual_has_every_flag_and_text():
    manual = (ROOT / "docs" / "man" / "kasmvncpasswd.1.rst").read_text()
    for flag in ("-u USER", "-r ", "-w ", "-o ", "-n ", "-d "):
        assert f"\n{flag}" in manual and f"  {flag}" in kasmvncpasswd.USAGE
    for text in ("too long", "not possible: ", "No user named U found", "Password not changed",
                 "getpassword error: ", "getpass error: ", "Passwords don't match - try again",
                 "at least 6 characters - try again", "cannot be written: ", "~/.kasmpasswd"):
        assert text in manual
    assert f"after {kasmvncpasswd.PATIENCE:.0f} seconds" in manual


def test_both_names_are_installed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    scripts = setup["options.entry_points"]["console_scripts"].split("\n")
    assert "kasmvncpasswd = kasmd.cli.kasmvncpasswd:main" in scripts
    assert "vncpasswd = kasmd.cli.kasmvncpasswd:main" in scripts


@pytest.mark.parametrize("arguments", [
    [], ["-r"], ["-u"], ["-x"], ["--help"], ["-u", "bob", "-d", "-n"], ["-u", "bob", "-d", "-r"],
    ["-u", "bob", "-w", "-d"], ["-u", "bob", "-o", "-d"], ["-u", "bob", "one", "two"],
])
def test_a_wrong_command_line_gets_the_usage(arguments):
    status, output, errors = call(*arguments, entered=TWICE)
    assert (status, output) == (1, "")
    assert errors.rstrip("\n").endswith(kasmvncpasswd.USAGE.rstrip("\n"))


def test_a_file_that_cannot_be_written_is_a_failure(tmp_path):
    status, output, errors = call("-u", "bob", tmp_path / "nowhere" / "file", entered=TWICE)
    assert (status, output) == (1, "")
    assert errors.endswith("/nowhere/file: cannot be written: No such file or directory\n")


def test_a_short_password_may_be_followed_by_a_good_one(path):
    status, _, errors = call("-u", "bob", path, entered="123\n" + TWICE)
    assert (status, errors) == (0, "Password must be at least 6 characters - try again\n")


def test_a_last_line_needs_no_end(path):
    assert call("-u", "eve", path, entered=TWICE.rstrip()) == (0, "", "")
    assert call("-u", "may", path, entered=TWICE.replace("\n", "\r\n")) == (0, "", "")
    assert account(path, "eve").secret == account(path, "may").secret == SECRET


def test_a_password_that_is_not_utf_8_is_refused(path):
    done = subprocess.run((*COMMAND, "-u", "bob", str(path)), input=b"pass\xffword\n" * 2,
                          capture_output=True, timeout=60, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr == b"Password not changed: it is not UTF-8\n"


# At a terminal.


def _heeds_interrupts():
    # What a shell starts in the background ignores them, and so do its children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A pseudo-terminal with the command on it."""

    def __init__(self, *arguments):
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen((*COMMAND, *map(str, arguments)), stdin=theirs,
                                        stdout=theirs, stderr=theirs, cwd=ROOT,
                                        start_new_session=True, preexec_fn=_heeds_interrupts)
        os.close(theirs)
        self.shown = ""
        self._read = 0

    def wait_for(self, text):
        """Read until ``text`` is shown after all that was waited for before."""
        while text not in self.shown[self._read:]:
            self.shown += os.read(self._ours, 1000).decode()
        self._read = self.shown.index(text, self._read) + len(text)

    def enter(self, prompt, text):
        self.wait_for(prompt)
        assert not self.echoes(), "the password would be seen"
        os.write(self._ours, text.encode())

    def interrupt(self):
        """Signal until something comes of it: just before it reads, Python misses a signal."""
        answered = False
        while not answered:
            self.process.send_signal(signal.SIGINT)
            answered = bool(select.select([self._ours], [], [], 5)[0])

    def echoes(self):
        return bool(termios.tcgetattr(self._ours)[3] & termios.ECHO)

    def end(self):
        """Give the exit status, and what was left to read."""
        while True:
            try:
                more = os.read(self._ours, 1000)
            except OSError:
                break
            if not more:
                break
            self.shown += more.decode()
        return self.process.wait(60)

    def __enter__(self):
        self._timer = threading.Timer(60, self.process.kill)
        self._timer.start()
        return self

    def __exit__(self, *exc):
        self._timer.cancel()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)


def test_a_person_is_prompted_twice_and_sees_nothing(path):
    with Terminal("-u", "eve", "-w", path) as terminal:
        terminal.enter("Password:", "password\n")
        terminal.enter("Verify:", "password\n")
        assert terminal.end() == 0
        assert terminal.shown == "Password:\r\nVerify:\r\n"
    assert account(path, "eve") == Account("eve", SECRET, Right.ENTER | WRITE)


def test_a_person_may_try_again(path):
    with Terminal("-u", "eve", path) as terminal:
        terminal.enter("Password:", "123\n")
        terminal.wait_for("Password must be at least 6 characters - try again")
        terminal.enter("Password:", "password\n")
        terminal.enter("Verify:", "passw0rd\n")
        terminal.wait_for("Passwords don't match - try again")
        terminal.enter("Password:", "password\n")
        terminal.enter("Verify:", "password\n")
        assert terminal.end() == 0
        assert "123" not in terminal.shown and "passw" not in terminal.shown
    assert account(path, "eve") is not None


@pytest.mark.parametrize("typed, said", [
    ("\n", "Password not changed"),
    ("\x04", "getpassword error: no more input"),
    ("\x03", "Password not changed"),
])
def test_a_person_may_give_up_and_the_terminal_shows_again(path, typed, said):
    with Terminal("-u", "eve", path) as terminal:
        # A terminal that is not the controlling one sends no signal for ^C.
        if typed == "\x03":
            terminal.wait_for("Password:")
            terminal.interrupt()
        else:
            terminal.enter("Password:", typed)
        terminal.wait_for(said)
        assert terminal.echoes()
        assert terminal.end() == 1
    assert account(path, "eve") is None


# At once.


def test_many_at_once_and_others_lose_nothing(path):
    """Three commands and two writers such as the daemon, 40 accounts altogether."""

    def command(number):
        for each in range(4):
            assert call("-u", f"c{number}-{each}", "-r", path, entered=TWICE) == (0, "", "")

    def writer(number):
        for each in range(14):
            new = Account(f"w{number}-{each}", SECRET, Right.ENTER)
            rewrite(str(path), lambda file: file.with_account(new), 30.0)

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(command, number) for number in range(3)]
        running += [pool.submit(writer, number) for number in range(2)]
        for each in running:
            each.result()
    wished = {"bob", "ann"} | {f"c{n}-{e}" for n in range(3) for e in range(4)}
    wished |= {f"w{n}-{e}" for n in range(2) for e in range(14)}
    assert set(load(str(path)).accounts) == wished


def test_it_signs_what_it_wrote_until_somebody_else_writes(path):
    assert call("-u", "bob", "-n", path)[0] == 0
    assert re.fullmatch(r"kasmvncpasswd \S+", durable.signed(str(path)))
    path.write_text(path.read_text())
    assert durable.signed(str(path)) == ""
    assert call("-u", "bob", "-n", path)[0] == 0
    rewrite(str(path), lambda file: file)
    assert durable.signed(str(path)) == ""
