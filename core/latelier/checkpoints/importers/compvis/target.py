"""A class and its parameters in a YAML of CompVis. Nothing is imported by these names."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from latelier.checkpoints.importers.parameters import pick_params
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.messages import suggestion


@dataclass(frozen=True)
class Target:
    """A `target:` and its `params:`.

    Attributes:
        name: of the class, without its modules.
        params: of the class.
    """

    name: str
    params: Mapping[str, Any]

    @classmethod
    def parse(cls, node: Any, what: str) -> "Target":
        """Return the target in a node of the YAML.

        Raises:
            InvalidConfigError: the node names no class.
        """
        if not isinstance(node, Mapping) or not isinstance(node.get("target"), str):
            raise InvalidConfigError(f"the YAML's {what} names no 'target' class")
        params = node.get("params") or {}
        if not isinstance(params, Mapping):
            raise InvalidConfigError(f"the YAML's {what} has 'params' that are not a mapping")
        return cls(node["target"].rpartition(".")[2], params)

    def pick_params(
        self,
        wanted: Collection[str],
        fixed: Mapping[str, Collection[Any]],
        ignored: Collection[str],
    ) -> dict[str, Any]:
        """Return the parameters in `wanted` that are present; see `parameters.pick_params`.

        Raises:
            InvalidConfigError: a parameter is unknown, or a fixed one has another value.
        """
        return pick_params(self.name, self.params, wanted, fixed, ignored)


def look_up(target: Target, known: Mapping[str, Any], what: str) -> Any:
    """Return the entry of `known` for the class of a target.

    Raises:
        InvalidConfigError: the class is not supported; the error lists those that are.
    """
    if target.name not in known:
        raise InvalidConfigError(
            f"the YAML's {what} has the class '{target.name}', which is not supported. "
            f"{suggestion(target.name, known)}"
        )
    return known[target.name]
