"""Exceptions that cross a package border, each saying what was wrong and where."""

from __future__ import annotations


class KasmdError(Exception):
    """The base of every error that kasmd raises on purpose."""


class ProtocolError(KasmdError):
    """A peer broke its protocol; the only error that leaves a wire parser."""


class PermissionDenied(KasmdError):
    """A grant does not hold the right that was asked for."""


class UnknownPrincipal(KasmdError):
    """No account has this name."""


class DisplayLost(KasmdError):
    """The display is gone, or does not answer."""


class AccountsError(KasmdError):
    """The password file cannot be read or written."""


class AccountsBusy(AccountsError):
    """Another program is writing the accounts, or many changes wait for the disk."""


class ConfigError(KasmdError):
    """The configuration is wrong; the text names the file, the line and the key."""


class LoginRefused(KasmdError):
    """The name and password do not belong together."""


class LockedOut(KasmdError):
    """Too many refused log-ins from one address; ``seconds`` are left."""

    def __init__(self, address: str, seconds: float) -> None:
        super().__init__(
            f"{address} is locked out for {seconds:.0f} s after too many wrong passwords"
        )
        self.address = address
        self.seconds = seconds
