"""``kasmvncpasswd``: KasmVNC's command for the password file.

Its flags, prompts and texts are KasmVNC 1.5.1's.  What differs, on purpose:

* every failure ends with status 1; KasmVNC's ends with 0 if the file cannot be written;
* a name that the file cannot hold (empty, with ``:`` or a control character) is
  refused; KasmVNC writes it and so loses the account or another one;
* two of these at once, or one beside the daemon, wait for each other; KasmVNC's
  last writer wins;
* lines that are no account stay; KasmVNC's rewrite drops them.
"""

from __future__ import annotations

import getopt
import os
import pwd
import sys
import termios
from contextlib import contextmanager
from typing import Callable, Iterator, NamedTuple, Optional, Sequence, TextIO

from kasmd.errors import AccountsError, KasmdError
from kasmd.interfaces import Account
from kasmd.log.text import neutral
from kasmd.permission.accounts import rewrite
from kasmd.permission.kasmpasswd import FIELD_LIMIT, PasswordFile, canonical, hash_password
from kasmd.rights import Right, rights_from_letters

USAGE = """\
usage: kasmvncpasswd -u USER [-r] [-w] [-o] [FILE]
       kasmvncpasswd -u USER -n [-r] [-w] [-o] [FILE]
       kasmvncpasswd -u USER -d [FILE]

  -u USER  the account
  -r       may see the screen
  -w       may see and control it
  -o       may call the owner's API
  -n       change only what the account may do, not its password
  -d       delete the account
  FILE     the password file, ~/.kasmpasswd by default
"""
DEFAULT_FILE = "~/.kasmpasswd"
#: Characters of the shortest password.
SHORTEST = 6
#: Bytes that are read of a line: more than any password has.
LINE_LIMIT = 4096
#: Seconds that another writer is waited for: nobody else waits for us.
PATIENCE = 15.0


class Refusal(KasmdError):
    """Nothing was changed; the text says why."""


class Wish(NamedTuple):
    """What the command line asks for."""

    user: str
    rights: Right
    keep_password: bool
    delete: bool
    path: str


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Do what ``arguments`` say; give the exit status."""
    try:
        _do(parse(sys.argv[1:] if arguments is None else arguments))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
    except AccountsError as error:
        print(neutral(str(error)), file=sys.stderr)
    except KeyboardInterrupt:
        print("Password not changed", file=sys.stderr)
    else:
        return 0
    return 1


def parse(arguments: Sequence[str]) -> Wish:
    """Read a command line (Refusal: the usage)."""
    try:
        options, files = getopt.gnu_getopt(list(arguments), "u:rwnod")
    except getopt.GetoptError as error:
        raise Refusal(f"kasmvncpasswd: {neutral(str(error))}\n{USAGE}") from None
    flags = dict(options)
    letters = "".join(flag[1] for flag in flags if flag in ("-r", "-w", "-o"))
    contrary = "-d" in flags and ("-n" in flags or letters)
    if "-u" not in flags or contrary or len(files) > 1:
        raise Refusal(USAGE)
    user, path = flags["-u"], files[0] if files else os.path.expanduser(DEFAULT_FILE)
    if len(os.fsencode(user)) > FIELD_LIMIT:
        raise Refusal(f"Username {neutral(user)} too long")
    try:
        canonical(Account(user, "", Right.ENTER))
    except ValueError as error:
        raise Refusal(f"Username {neutral(user)} not possible: {error}") from None
    return Wish(user, rights_from_letters(letters), "-n" in flags, "-d" in flags, path)


def _do(wish: Wish) -> None:
    signature = f"kasmvncpasswd {_me()}"
    if wish.keep_password or wish.delete:
        rewrite(wish.path, lambda file: _changed(file, wish), PATIENCE, signature)
        return
    # The person has time: the lock is taken only when the answer is there.
    account = Account(wish.user, _secret(ask(sys.stdin, sys.stdout)), wish.rights)
    rewrite(wish.path, lambda file: file.with_account(account), PATIENCE, signature)


def _changed(file: PasswordFile, wish: Wish) -> PasswordFile:
    account = file.accounts.get(wish.user)
    if account is None:
        raise Refusal(f"No user named {neutral(wish.user)} found")
    if wish.delete:
        return file.without(wish.user)
    return file.with_account(account._replace(rights=wish.rights))


def _secret(password: str) -> str:
    try:
        return hash_password(password)
    except UnicodeEncodeError:
        raise Refusal("Password not changed: it is not UTF-8") from None
    except ValueError as error:
        raise Refusal(f"Password not changed: {error}") from None


def _me() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def ask(source: TextIO, terminal: TextIO) -> str:
    """Give a password that was entered twice (Refusal).

    A person at a terminal is prompted and may try again; from a pipe come two
    lines.
    """
    interactive = source.isatty()

    def line(prompt: str, what: str) -> str:
        return _entered(source, terminal, prompt if interactive else "", what)

    while True:
        password = _good(lambda: line("Password:", "getpassword"))
        if line("Verify:", "getpass") == password:
            return password
        if not interactive:
            raise Refusal("Passwords don't match")
        print("Passwords don't match - try again", file=sys.stderr)


def _good(enter: Callable[[], str]) -> str:
    while True:
        password = enter()
        if not password:
            raise Refusal("Password not changed")
        if len(password) >= SHORTEST:
            return password
        print(f"Password must be at least {SHORTEST} characters - try again", file=sys.stderr)


def _entered(source: TextIO, terminal: TextIO, prompt: str, what: str) -> str:
    """Read one line, unseen where there is a ``prompt``; ``what`` names the step that failed."""
    try:
        if not prompt:
            text = _line(source)
        else:
            with _unseen(source):
                print(prompt, end="", file=terminal, flush=True)
                text = _line(source)
            print(file=terminal, flush=True)
    except (OSError, termios.error) as error:
        raise Refusal(f"{what} error: {error}") from None
    if not text or len(text) >= LINE_LIMIT:
        raise Refusal(f"{what} error: {'the line is too long' if text else 'no more input'}")
    return text.rstrip("\r\n")


def _line(source: TextIO) -> str:
    line: bytes = source.buffer.readline(LINE_LIMIT)
    return line.decode("utf-8", "surrogateescape")


@contextmanager
def _unseen(source: TextIO) -> Iterator[None]:
    """Let the terminal not show what is typed."""
    before = termios.tcgetattr(source)
    silent = termios.tcgetattr(source)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(source, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(source, termios.TCSAFLUSH, before)


if __name__ == "__main__":
    sys.exit(main())
