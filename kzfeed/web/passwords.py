"""Names and passwords of those who may read the archive: lines `NAME:N:R:P:SALT:KEY`, with keys made by scrypt.

Browsers send them by the Basic scheme (RFC 7617), so a server that others reach needs https in front of it.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from anyio import CapacityLimiter, to_thread

from kzfeed.errors import UsageError

_N, _R, _P = 2**14, 8, 1
"""Costs of scrypt (RFC 7914): some 50 ms and 16 MiB for each check."""
_MAX_MEMORY = 64 * 2**20
_MAX_KNOWN = 1_000


@dataclass(frozen=True, slots=True)
class _Hashed:
    """A password as scrypt's key, with the costs and the salt by which it was made."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    def is_of(self, password: str) -> bool:
        """Whether this is the key of the password."""
        return hmac.compare_digest(self.key, _key(password, self.n, self.r, self.p, self.salt))


def _key(password: str, n: int, r: int, p: int, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY)


_NOBODY: Final = _Hashed(_N, _R, _P, b"nobody", b"")


def password_line(name: str, password: str) -> str:
    """The line of a file of passwords that lets this person in. Raises UsageError if the name has a colon in it."""
    if not name or ":" in name:
        raise UsageError(f"{name!r} cannot be the name of a person who enters: give one without a colon")
    salt = secrets.token_bytes(16)
    return f"{name}:{_N}:{_R}:{_P}:{salt.hex()}:{_key(password, _N, _R, _P, salt).hex()}"


@dataclass(frozen=True, slots=True)
class Passwords:
    """Those who may enter. A header that was right once is known by its hash, so that pages stay fast."""

    _by_name: dict[str, _Hashed]
    _known: set[bytes] = field(default_factory=set)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    # One check at a time: whoever guesses passwords must not take the processor from the readers.
    _one_at_a_time: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    async def may_enter(self, authorization: str | None) -> bool:
        """Whether an Authorization header has the name and the password of one of them."""
        scheme, _, credentials = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            return False
        digest = hmac.digest(self._secret, credentials.encode(), "sha256")
        if digest in self._known:
            return True
        try:
            name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except ValueError:
            return False
        # A name that nobody has takes as long as a wrong password.
        hashed = self._by_name.get(name, _NOBODY)
        is_right = await to_thread.run_sync(hashed.is_of, password, limiter=self._one_at_a_time)
        if is_right and len(self._known) < _MAX_KNOWN:
            self._known.add(digest)
        return is_right


def parse_passwords(text: str, origin: str) -> Passwords:
    """The passwords of a file. Raises UsageError, which names the wrong line."""
    by_name: dict[str, _Hashed] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, n, r, p, salt, key = line.strip().split(":")
            by_name[name] = _Hashed(int(n), int(r), int(p), bytes.fromhex(salt), bytes.fromhex(key))
            by_name[name].is_of("")  # raises ValueError for impossible costs
        except ValueError as error:
            raise UsageError(
                f"{origin}: line {number} is no password: `kzfeed web --new-password NAME` prints such a line"
            ) from error
    if not by_name:
        raise UsageError(f"{origin} holds no password: `kzfeed web --new-password NAME` prints a line for it")
    return Passwords(by_name)
