"""Name and password to a proven name: slow once, then cheap.

-> authenticate(name, password, address)
<- a Deferred: the name, or LoginRefused, LockedOut, TooManyWaiting

A proof that held is remembered under a keyed hash, so the many requests of one
browser cost no password hash; the secret is part of what is hashed, so a new
password ends the old proof.  Checks are made one at a time: the lock-out is
asked again before each, and guesses sent all at once gain nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from secrets import token_bytes
from typing import Callable, NamedTuple, Optional

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.errors import LockedOut, LoginRefused
from kasmd.interfaces import IAccounts, IWorker
from kasmd.log.asking import Asking, asked_by, now_asking
from kasmd.permission.kasmpasswd import DUMMY_SECRET, verify
from kasmd.permission.lockout import AccountLockout, Lockout

#: Proofs remembered at once; the one that was unused longest is forgotten.
PROOFS = 1024
#: Checks waiting at once; each takes about 4 ms.
WAITING = 64
#: Requests waiting for one check.
SHARING = 256

_log = Logger()


class TooManyWaiting(LoginRefused):
    """So many log-ins wait to be checked that no other is taken; try again."""


class _Waiter(NamedTuple):
    address: str
    answer: Deferred[str]


class _Check(NamedTuple):
    """One name and password to be checked, and who waits to hear."""

    name: str
    password: str
    secret: str
    proof: bytes
    known: bool
    waiters: list[_Waiter]
    #: The first of those who wait, for the log.
    asking: Optional[Asking]


class Authenticator:
    """Checks passwords against ``accounts``, on ``worker``, unless a lock-out says no.

    ``lockout`` is for addresses, ``guarded`` for accounts.  ``clock`` gives
    seconds and never jumps (``time.monotonic``; a reactor's ``seconds`` is the
    wall clock).
    """

    def __init__(
        self,
        accounts: IAccounts,
        lockout: Lockout,
        worker: IWorker,
        clock: Callable[[], float],
        guarded: Optional[AccountLockout] = None,
        capacity: int = PROOFS,
    ) -> None:
        self._accounts = accounts
        self._lockout = lockout
        self._guarded = guarded or AccountLockout(0, 0)
        self._worker = worker
        self._clock = clock
        self._capacity = capacity
        self._key = token_bytes(32)
        self._proofs: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: OrderedDict[bytes, _Check] = OrderedDict()
        self._busy = False
        self._secrets: list[str] = []
        accounts.when_changed(self._learn)
        self._learn()

    def authenticate(self, name: str, password: str, address: str) -> Deferred[str]:
        """Fire with ``name`` if the password is its, for a request from ``address``.

        A refusal counts against the address, once for all requests that
        carried the same wrong guess at the same time.
        """
        left = self._seconds_left(name, address)
        if left:
            return fail(LockedOut(address, left))
        account = self._accounts.accounts().get(name)
        secret = account.secret if account is not None else self._decoy(name)
        proof = self._proof(name, password, secret)
        if account is not None and proof in self._proofs:
            self._proofs.move_to_end(proof)
            return succeed(name)
        if not name or not password:
            return fail(self._refuse(name, address))
        known, asking = account is not None, now_asking()
        return self._wait(_Check(name, password, secret, proof, known, [], asking), address)

    def _wait(self, check: _Check, address: str) -> Deferred[str]:
        if check.proof not in self._waiting and len(self._waiting) >= WAITING:
            return fail(TooManyWaiting("too many log-ins are waiting; try again"))
        check = self._waiting.setdefault(check.proof, check)
        if len(check.waiters) >= SHARING:
            return fail(TooManyWaiting("too many requests wait for this log-in; try again"))
        answer: Deferred[str] = Deferred()
        check.waiters.append(_Waiter(address, answer))
        self._next()
        return answer

    def _next(self) -> None:
        if self._busy:
            return
        self._busy = True
        while self._waiting:
            check = next(iter(self._waiting.values()))
            self._turn_away(check)
            if check.waiters:
                checked = self._worker.do(verify, check.password, check.secret)
                checked.addBoth(self._checked, check)
                return
            del self._waiting[check.proof]
        self._busy = False

    def _turn_away(self, check: _Check) -> None:
        """Refuse those whose address was locked out while they waited."""
        for waiter in list(check.waiters):
            left = self._seconds_left(check.name, waiter.address)
            if left:
                check.waiters.remove(waiter)
                waiter.answer.errback(LockedOut(waiter.address, left))

    def _checked(self, result: object, check: _Check) -> None:
        with asked_by(check.asking):
            self._decide(result, check)
        self._busy = False
        self._next()

    def _decide(self, result: object, check: _Check) -> None:
        del self._waiting[check.proof]
        addresses = dict.fromkeys(waiter.address for waiter in check.waiters)
        if isinstance(result, Failure):
            _log.failure("a password could not be checked", result)
            self._answer(check, dict.fromkeys(addresses, LoginRefused("it could not be checked")))
        elif result is True and check.known and self._current(check):
            self._remember(check.proof)
            for address in addresses:
                self._lockout.succeeded(address)
                self._guarded.succeeded(check.name, address)
            self._answer(check, {})
        else:
            refusals = {address: self._refuse(check.name, address) for address in addresses}
            self._answer(check, refusals)

    def _answer(self, check: _Check, refusals: dict[str, LoginRefused]) -> None:
        for waiter in check.waiters:
            if waiter.address in refusals:
                waiter.answer.errback(refusals[waiter.address])
            else:
                waiter.answer.callback(check.name)

    def _refuse(self, name: str, address: str) -> LoginRefused:
        _log.warn("log-in as {name} from {address} refused", name=_shown(name), address=address)
        if self._lockout.failed(address, self._clock()):
            _log.warn("{address} is locked out: too many refused log-ins", address=address)
        if self._guarded.failed(name, self._clock()):
            _log.warn("{name} is locked for unfamiliar addresses", name=_shown(name))
        return LoginRefused("the name and the password do not belong together")

    def _seconds_left(self, name: str, address: str) -> float:
        now = self._clock()
        return max(
            self._lockout.seconds_left(address, now),
            self._guarded.seconds_left(name, address, now),
        )

    def _current(self, check: _Check) -> bool:
        account = self._accounts.accounts().get(check.name)
        return account is not None and account.secret == check.secret

    def _remember(self, proof: bytes) -> None:
        self._proofs[proof] = None
        if len(self._proofs) > self._capacity:
            self._proofs.popitem(last=False)

    def _decoy(self, name: str) -> str:
        """Give a secret that costs what the secrets here cost, always the same for a name."""
        digest = blake2b(_bytes(name), key=self._key, digest_size=8).digest()
        return self._secrets[int.from_bytes(digest, "big") % len(self._secrets)]

    def _learn(self) -> None:
        accounts = self._accounts.accounts().values()
        self._secrets = [account.secret for account in accounts] or [DUMMY_SECRET]

    def _proof(self, name: str, password: str, secret: str) -> bytes:
        # A length before each part, so that no two triples read alike.
        parts = [_bytes(name), _bytes(password), secret.encode()]
        joined = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return blake2b(joined, key=self._key, digest_size=32).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _shown(name: str) -> str:
    return ascii(name[:128])
