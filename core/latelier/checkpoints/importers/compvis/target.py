"""A class and its parameters, as a YAML of CompVis names them. Nothing of it is imported."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from latelier.kernel.errors import InvalidConfigError, suggestion


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

    def taken(
        self,
        wanted: Collection[str],
        fixed: Mapping[str, Collection[Any]],
        ignored: Collection[str],
    ) -> dict[str, Any]:
        """Return the parameters `wanted` that are given.

        Args:
            wanted: what the component here takes.
            fixed: parameter -> the values under which it has no effect here.
            ignored: parameters that do not change what the model computes.

        Raises:
            InvalidConfigError: another parameter, or a fixed one of another value.
        """
        for key, value in self.params.items():
            if key in wanted or key in ignored:
                continue
            if key not in fixed:
                known = {*wanted, *fixed, *ignored}
                raise InvalidConfigError(
                    f"the YAML gives '{self.name}' a '{key}'. {suggestion(key, known)}"
                )
            if value not in fixed[key]:
                right = " or ".join(map(str, fixed[key]))
                raise InvalidConfigError(
                    f"the YAML gives '{self.name}' {key}: {value}; only {right} can be imported"
                )
        return {key: self.params[key] for key in wanted if key in self.params}


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
