"""Finding plugins by metadata alone: nothing of theirs is imported here."""

from collections.abc import Iterable
from typing import Literal

from latelier.kernel.trust.entry_points import BUILT_IN, normalize

State = Literal[
    "ok",
    "disabled",
    "incompatible_api",
    "changed_since_locked",
    "missing_dependency",
    "import_error",
    "invalid_hook",
    "registration_error",
]
"""What can become of a plugin."""


def latelier_requirement(requirements: Iterable[str]) -> str:
    """Return what a distribution's requirements ask of latelier, such as '>=1.2,<2', or ''.

    Those of other environments and of extras, and what is no requirement (PEP 508), ask nothing.
    """
    clauses = []
    for text in requirements:
        if not normalize(text.lstrip()).startswith(BUILT_IN):
            continue  # and spare everybody the import
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if normalize(requirement.name) == BUILT_IN and (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            clauses.append(str(requirement.specifier))
    return ",".join(filter(None, clauses))


def satisfies(asked: str, version: str) -> bool:
    """Tell whether a version of latelier is what is asked for; one before a release counts too."""
    if not asked:
        return True
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(asked).contains(version, prereleases=True)
