"""An atelier that has the plugin."""

import pytest
from latelier import Atelier
from latelier.kernel.trust.policy import Policy

from latelier_addons.plugin import plugin


@pytest.fixture(scope="session")
def atelier() -> Atelier:
    """The built-in plugins and this one, whatever is installed or configured."""
    found = Atelier(policy=Policy(allow=frozenset()), strict=True)
    found.register(plugin, "latelier-addons", "0.1.0")
    return found
