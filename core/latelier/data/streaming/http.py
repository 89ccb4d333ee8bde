"""Reading a URL as a stream: http and https alone, with time-outs and limits."""

from http.client import HTTPException, HTTPResponse, InvalidURL
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from typing_extensions import override

from latelier.contracts.errors import DataError

_TIMEOUT = 60.0
"""Seconds without a byte after which a connection is given up."""

_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Status codes after which the same request may succeed."""


class ConnectionFailedError(Exception):
    """A connection failed in a way that a later one may not; its text says how."""


class UrlStream:
    """The content of a URL, of which a limited number of bytes is read at a time."""

    def __init__(self, response: HTTPResponse, max_bytes: int) -> None:
        """Create the stream of a response.

        Args:
            response: of a server.
            max_bytes: that can be read before `renew` is called.
        """
        self._response = response
        self._max_bytes = max_bytes
        self._allowed = max_bytes
        length = response.headers.get("Content-Length", "")
        self._remaining = int(length) if length.isdecimal() else None

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes; none at the end.

        Raises:
            ConnectionFailedError: the connection ends too early.
            DataError: more bytes are read than allowed.
        """
        try:
            data = self._response.read(size)
        except (OSError, HTTPException) as error:
            raise ConnectionFailedError(_explain(error)) from None
        if self._remaining is not None:
            self._remaining -= len(data)
            if size and not data and self._remaining > 0:
                raise ConnectionFailedError(f"it ended {self._remaining} bytes too early")
        self._allowed -= len(data)
        if self._allowed < 0:
            raise DataError(
                f"{hide_secrets(self._response.url)}: has a file of more than {self._max_bytes} "
                "bytes, which is the limit; download the shard, or leave it out"
            )
        return data

    def renew(self) -> None:
        """Allow the reading of the largest number of bytes again."""
        self._allowed = self._max_bytes

    def close(self) -> None:
        """Close the connection."""
        self._response.close()


def open_url(url: str, max_bytes: int) -> UrlStream:
    """Return the content of a URL; see `UrlStream`.

    Raises:
        ConnectionFailedError: the server cannot be reached, or has a temporary error.
        DataError: the server refuses the URL, or the URL is none of http or https.
    """
    request = Request(url, headers={"User-Agent": "latelier"})  # noqa: S310 - see _make_opener
    try:
        return UrlStream(_make_opener().open(request, timeout=_TIMEOUT), max_bytes)
    except DataError:
        raise
    except HTTPError as error:
        error.close()
        reason = f"the server answers {error.code} {error.reason}"
        if error.code in _TEMPORARY:
            raise ConnectionFailedError(reason) from None
        raise DataError(f"{hide_secrets(url)}: {reason}") from None
    except (ValueError, InvalidURL) as error:
        raise DataError(f"{hide_secrets(url)}: expected a URL of http or https ({error})") from None
    except (OSError, HTTPException) as error:
        raise ConnectionFailedError(_explain(error)) from None


def hide_secrets(url: str) -> str:
    """Return a URL without what may be a password or a signature, for messages."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class _SafeRedirectHandler(HTTPRedirectHandler):
    """Follows redirections to http and https, but none from https to http."""

    @override
    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        allowed = ("https",) if req.type == "https" else ("http", "https")
        if urlsplit(newurl).scheme not in allowed:
            raise DataError(
                f"{hide_secrets(req.full_url)}: is redirected to {hide_secrets(newurl)}; expected "
                f"a URL of {' or '.join(allowed)}"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _make_opener() -> OpenerDirector:
    """Return an opener of http and https; that of urllib also opens files and ftp."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        _SafeRedirectHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _explain(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason) or type(error).__name__
