"""A class and its parameters, as a YAML of CompVis names them. Nothing of it is imported."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from latelier.checkpoints.importers.parameters import pick_params
from latelier.contracts.errors import InvalidConfigError, suggestion


@dataclass(frozen=True)
class Target:
    """A `target:` and its `params:`. name: the class alone, without its modules."""

    name: str
    params: Mapping[str, Any]

    @classmethod
    def of(cls, node: Any, what: str) -> "Target":
        """Return the target of a node of the YAML.

        Raises:
            InvalidConfigError: it names no class.
        """
        if not isinstance(node, Mapping) or not isinstance(node.get("target"), str):
            raise InvalidConfigError(f"the YAML's {what} names no 'target' class")
        params = node.get("params") or {}
        if not isinstance(params, Mapping):
            raise InvalidConfigError(f"the YAML's {what} has 'params' that are no mapping")
        return cls(node["target"].rpartition(".")[2], params)

    def pick_params(
        self,
        wanted: Collection[str],
        fixed: Mapping[str, Collection[Any]],
        ignored: Collection[str],
    ) -> dict[str, Any]:
        """Return the parameters `wanted` that are given; see `parameters.pick_params`.

        Raises:
            InvalidConfigError: another parameter, or a fixed one of another value.
        """
        return pick_params(self.name, self.params, wanted, fixed, ignored)


def chosen(target: Target, known: Mapping[str, Any], what: str) -> Any:
    """Return what `known` has for a target's class.

    Raises:
        InvalidConfigError: it is of a class that is not known; says which are.
    """
    if target.name not in known:
        raise InvalidConfigError(
            f"the YAML's {what} is of the class '{target.name}', which is not known here. "
            f"{suggestion(target.name, known)}"
        )
    return known[target.name]
