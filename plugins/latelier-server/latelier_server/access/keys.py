"""API keys: where they come from, and whose a request is."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from latelier.contracts.errors import InvalidInputError

VARIABLE = "LATELIER_SERVER_KEYS"

MIN_LENGTH = 16
"""Fewest characters of a key."""

EVERYBODY = "everybody"
"""The owner of what is made on a server without keys."""


@dataclass(frozen=True)
class Client:
    """Who sends a request.

    Attributes:
        id: clients with different ids take turns, and have a rate each.
        owner: jobs and pictures are shown to their owner alone.
    """

    id: str
    owner: str


def read_keys(file: Path | None, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys in a file, a line each, and those in `LATELIER_SERVER_KEYS`, by commas.

    Raises:
        InvalidInputError: the file cannot be read, or a key is too short or not ASCII.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file else []
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file}: the keys cannot be read: {error}") from None
    found = [line.strip() for line in (*lines, *environment.get(VARIABLE, "").split(","))]
    keys = tuple(dict.fromkeys(key for key in found if key and not key.startswith("#")))
    for key in keys:
        if len(key) < MIN_LENGTH or not key.isascii() or " " in key:
            raise InvalidInputError(
                f"a key is {MIN_LENGTH} characters of ASCII or more, without spaces; one such is "
                "that of `python -c 'import secrets; print(secrets.token_urlsafe())'`"
            )
    return keys


def identify(authorization: str, address: str, keys: Iterable[str]) -> Client | None:
    """Return the client of a request, or None if its key is wrong or missing.

    Args:
        authorization: the header: "Bearer KEY", or "Basic" with the key as the password.
        address: of the client.
        keys: of the server; without any everybody may call, and is known by the address.
    """
    known = tuple(keys)
    if not known:
        return Client(address, EVERYBODY)
    given = _key_in(authorization).encode()
    # every key is compared, and none of the comparisons stops at the first difference
    matches = [key for key in known if hmac.compare_digest(key.encode(), given)]
    if not matches:
        return None
    name = hashlib.sha256(matches[0].encode()).hexdigest()[:12]
    return Client(name, name)


def _key_in(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return credentials.strip() if scheme.lower() == "bearer" else ""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
