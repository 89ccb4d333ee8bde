"""Which plugins may be imported, and which of two claimants a bare name means."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.messages import suggestion
from latelier.kernel.trust.entry_points import BUILT_IN

ALLOW_VARIABLE = "LATELIER_PLUGINS_ALLOW"

DENY_VARIABLE = "LATELIER_PLUGINS_DENY"

LOCK_VARIABLE = "LATELIER_LOCK"


@dataclass(frozen=True)
class Policy:
    """What a user allows. The built-in plugins are always allowed.

    Attributes:
        allow: 'distribution' or 'distribution:entry' of each plugin that may load; None for all.
        deny: of each that may not; it wins over `allow`.
        aliases: 'kind.name' -> 'distribution/name'.
        lock: path of the lock in force, None without one.
        variables: the environment variables that it was read from.
    """

    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    lock: Path | None = None
    variables: frozenset[str] = frozenset()

    def block_reason(self, distribution: str, entry: str) -> str | None:
        """Return why an entry point may not be imported, or None."""
        names = {distribution, f"{distribution}:{entry}"}
        if distribution == BUILT_IN:
            return None
        if self.deny & names:
            return f"denied by name ({', '.join(sorted(self.deny & names))})"
        if self.allow is not None and not self.allow & names:
            return "not on the allow list"
        return None

    def fix_hint(self, distribution: str, entry: str) -> str:
        """Return what allows an entry point that is blocked."""
        id_ = f"{distribution}:{entry}"
        denied = bool(self.deny & {distribution, id_})
        variable = DENY_VARIABLE if denied else ALLOW_VARIABLE
        if variable in self.variables:
            return f"take it off {variable}" if denied else f"put it on {variable}"
        return f"`latelier plugins enable {distribution if distribution in self.deny else id_}`"

    def aliases_of(self, kind: str) -> dict[str, str]:
        """Return bare name -> id for one kind."""
        return {
            key.removeprefix(f"{kind}."): id_
            for key, id_ in self.aliases.items()
            if key.startswith(f"{kind}.")
        }

    def check_aliases(self, kinds: Collection[str]) -> None:
        """Refuse an alias of an unknown kind.

        Raises:
            InvalidConfigError: an alias has a kind that is not among `kinds`.
        """
        for alias in self.aliases:
            kind = alias.partition(".")[0]
            if kind not in kinds:
                hint = suggestion(kind, kinds)
                raise InvalidConfigError(f"alias '{alias}': there is no kind '{kind}'. {hint}")
