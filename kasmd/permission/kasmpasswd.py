"""KasmVNC's password file as text: accounts in, accounts out, nothing lost.

One account a line, ``name:secret:letters``; letters are any of r, w and o and
others mean nothing.  The secret is SHA-256 crypt.  A line that is not an
account gives a problem and is kept word for word when the file is rewritten
(KasmVNC drops it), and so is every line that nobody changed.  Where a name
comes twice the first line counts.
"""

from __future__ import annotations

import hmac
import unicodedata
from typing import Mapping, NamedTuple, Optional

from passlib.hash import sha256_crypt

from kasmd.interfaces import Account
from kasmd.permission.sha256crypt import checksum
from kasmd.rights import Right, letters_from_rights, rights_from_letters

#: KasmVNC keeps names and secrets in 128 bytes, the last of them NUL.
FIELD_LIMIT = 127
#: SHA-256 crypt costs more for a longer password.
PASSWORD_LIMIT = 256
#: An entry may ask for more work than usual, up to about a second of it.
ROUNDS_LIMIT = 1_000_000

#: What a check against no account, or an unusable one, is made to cost.
DUMMY_SECRET = "$5$kasm$" + "." * 43

_SALT = "kasm"
_ROUNDS = 5000
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}


class Problem(NamedTuple):
    """What is wrong with a line, counted from 1; it never quotes a secret."""

    line: int
    text: str


class Entry(NamedTuple):
    """A line as it was read, and what it says: an account or a problem."""

    text: str
    account: Optional[Account] = None
    problem: str = ""


class PasswordFile(NamedTuple):
    """A password file; its methods give another one."""

    entries: tuple[Entry, ...] = ()

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Every account by its name, in the order of the file."""
        found = (entry.account for entry in self.entries if not entry.problem)
        return {account.name: account for account in found if account is not None}

    @property
    def problems(self) -> list[Problem]:
        """What is wrong, in the order of the file."""
        return [
            Problem(number, entry.problem)
            for number, entry in enumerate(self.entries, 1)
            if entry.problem
        ]

    def with_account(self, account: Account) -> PasswordFile:
        """Add or replace one account (ValueError if the file cannot hold it)."""
        account = canonical(account)
        if self.accounts.get(account.name) == account:
            return self
        new = Entry(_line(account), account)
        kept = list(self.without(account.name).entries)
        names = [entry.account.name if entry.account else None for entry in self.entries]
        place = names.index(account.name) if account.name in names else len(kept)
        return PasswordFile((*kept[:place], new, *kept[place:]))

    def without(self, name: str) -> PasswordFile:
        """Remove every line of ``name``, also those that did not count."""
        return PasswordFile(
            tuple(
                entry
                for entry in self.entries
                if entry.account is None or entry.account.name != name
            )
        )


def parse(text: str) -> PasswordFile:
    """Read a file, whatever it holds; CRLF is tolerated."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    entries: list[Entry] = []
    first: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        entry = _entry(line)
        if entry.account is not None:
            earlier = first.setdefault(entry.account.name, number)
            if earlier != number:
                problem = f"{entry.account.name!a} is already in line {earlier}, which counts"
                entry = entry._replace(problem=problem)
        entries.append(entry)
    return PasswordFile(tuple(entries))


def render(file: PasswordFile) -> str:
    """Give the text of a file; every line is ended."""
    return "".join(f"{entry.text}\n" for entry in file.entries)


def canonical(account: Account) -> Account:
    """Give ``account`` as the file will give it back (ValueError if it cannot)."""
    complaint = _complaint(account.name, account.secret)
    rights = rights_from_letters(letters_from_rights(account.rights))
    if not complaint and rights != account.rights | Right.ENTER:
        complaint = f"{account.rights} cannot be said with the letters r, w and o"
    if complaint:
        raise ValueError(complaint)
    return account._replace(rights=rights)


def is_one_line(text: str) -> bool:
    """Tell whether ``text`` is UTF-8 on one line: no control character, no line break."""
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def hash_password(password: str) -> str:
    """Give the secret that KasmVNC would keep (ValueError: empty, NUL or too long)."""
    if not password:
        raise ValueError("a password must not be empty")
    if len(password.encode()) > PASSWORD_LIMIT or "\0" in password:
        raise ValueError(f"a password has at most {PASSWORD_LIMIT} bytes and no NUL")
    return f"$5${_SALT}${checksum(password.encode(), _SALT, _ROUNDS)}"


def verify(password: str, secret: str) -> bool:
    """Tell whether ``password`` belongs to ``secret``, in constant time for one secret.

    An empty password never does.  A secret that is not SHA-256 crypt, or wants
    more than ROUNDS_LIMIT, costs as much as a usual one and matches nothing.
    """
    asked = password.encode("utf-8", "surrogatepass")
    if not asked or b"\0" in asked or len(asked) > PASSWORD_LIMIT:
        return False
    parsed = _parsed(secret)
    usable = parsed or sha256_crypt.from_string(DUMMY_SECRET)
    made = checksum(asked, usable.salt, usable.rounds)
    return hmac.compare_digest(made, str(usable.checksum)) and parsed is not None


def _parsed(secret: str) -> Optional[sha256_crypt]:
    try:
        parsed = sha256_crypt.from_string(secret)
    except ValueError:
        return None
    return parsed if parsed.checksum and parsed.rounds <= ROUNDS_LIMIT else None


def _entry(line: str) -> Entry:
    fields = line.removesuffix("\r").split(":")
    if fields == [""]:
        return Entry(line)
    if len(fields) != 3:
        return Entry(line, problem=f"not name:secret:letters but {len(fields)} fields")
    name, secret, letters = fields
    complaint = _complaint(name, secret)
    if complaint:
        return Entry(line, problem=complaint)
    return Entry(line, Account(name, secret, rights_from_letters(letters)))


def _complaint(name: str, secret: str) -> str:
    if not name:
        return "the name is empty"
    for what, field in (("name", name), ("secret", secret)):
        if _size(field) > FIELD_LIMIT:
            return f"the {what} is longer than {FIELD_LIMIT} bytes"
        if ":" in field or not is_one_line(field):
            return f"the {what} has a colon, a control character, a line break or is not UTF-8"
    return ""


def _line(account: Account) -> str:
    return f"{account.name}:{account.secret}:{letters_from_rights(account.rights)}"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
