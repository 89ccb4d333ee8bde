"""Telling plugins what has happened, one at a time."""

import logging
from typing import Any

import pluggy

from latelier.kernel.errors import PluginError
from latelier.kernel.plugins import only

_log = logging.getLogger(__name__)


class Announcer:
    """Tells the lifecycle hooks of one run; a plugin that fails is left out for the rest of it.

    quarantined: plugin id -> what went wrong.
    """

    def __init__(self, manager: pluggy.PluginManager, strict: bool) -> None:
        self._manager = manager
        self._strict = strict
        self.quarantined: dict[str, str] = {}

    def tell(self, hook: str, **arguments: Any) -> None:
        """Call `hook` of every plugin that has it.

        Raises:
            PluginError: in strict mode, where one fails.
        """
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            id_ = implementation.plugin_name
            if id_ in self.quarantined:
                continue
            try:
                only(self._manager, hook, implementation.plugin)(**arguments)
            except (Exception, SystemExit) as error:
                fault = f"{hook} of plugin '{id_}' raised {type(error).__name__}: {error}"
                if self._strict:
                    raise PluginError(fault) from error
                self.quarantined[id_] = fault
                _log.warning("%s; the plugin is left out for the rest of this run", fault)
