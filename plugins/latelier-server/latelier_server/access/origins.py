"""Which hosts and origins a request may name.

A web page of anybody can send requests to a server on the reader's own machine. Browsers tell where
such a request comes from (Origin, Sec-Fetch-Site), and a page that has pointed its own name at this
machine (DNS rebinding) is known by that name (Host).
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from latelier.contracts.errors import InvalidInputError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a server that is bound to a host."""
    return host in LOOPBACK


def check_binding(host: str, *, has_keys: bool) -> None:
    """Refuse an address that other machines reach without a key.

    Raises:
        InvalidInputError: says what to do.
    """
    if not (has_keys or is_loopback(host)):
        raise InvalidInputError(
            f"other machines can reach {host}: give the server keys, with --key-file or "
            "LATELIER_SERVER_KEYS; --without-key serves everybody"
        )


def accepts_host(host: str, known: Collection[str]) -> bool:
    """Return whether a Host header names this server.

    Args:
        host: the header, with or without a port.
        known: names of the server besides those of the own machine; "*" is any.
    """
    return "*" in known or _name_of(host) in {*LOOPBACK, *known}


def accepts_origin(
    origin: str | None, site: str | None, mode: str | None, host: str, known: Collection[str]
) -> bool:
    """Return whether a request may come from where the browser says.

    Args:
        origin: the header Origin; None from programs, and from pages that only navigate.
        site: the header Sec-Fetch-Site.
        mode: the header Sec-Fetch-Mode.
        host: the header Host.
        known: origins that may call, such as "https://example.org".
    """
    if origin is not None:
        return origin in known or urlsplit(origin).netloc == host != ""
    return site not in ("cross-site", "same-site") or mode == "navigate"


def _name_of(host: str) -> str:
    """Return the host without its port, and "" for what is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
