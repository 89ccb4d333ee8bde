"""Calls of plugins that cannot end the process."""

from collections.abc import Iterator
from contextlib import contextmanager

from latelier.contracts.errors import PluginError
from latelier.contracts.messages import format_error


@contextmanager
def guard_plugin(what: str) -> Iterator[None]:
    """Turn an attempt to end the process, such as SystemExit or a panic, into a PluginError.

    Other errors pass, and so does KeyboardInterrupt, which the user causes.

    Args:
        what: the component, such as "the sampler 'euler'".
    """
    try:
        yield
    except (Exception, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise PluginError(f"{what} failed: {format_error(error)}") from error
