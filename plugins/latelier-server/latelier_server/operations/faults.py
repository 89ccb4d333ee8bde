"""Logging faults without what they quote."""

import logging

_log = logging.getLogger("latelier_server")


def log_fault(what: str, error: BaseException) -> None:
    """Log an error by its class and place, without its text, which may quote a request."""
    silent = RuntimeError(type(error).__name__).with_traceback(error.__traceback__)
    _log.error("%s: %s", what, type(error).__name__, exc_info=silent)
