"""The processes by the `kind` under which a manifest or a configuration stores them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from latelier.diffusion.edm import EDM
from latelier.diffusion.process import Process
from latelier.diffusion.rectified_flow import RectifiedFlow
from latelier.diffusion.vp import VP
from latelier.kernel.errors import InvalidConfigError, suggestion
from latelier.kernel.frozen import validated

AnyProcess = Annotated[VP | EDM | RectifiedFlow, Field(discriminator="kind")]

_KINDS: dict[str, type[Process]] = {"vp": VP, "edm": EDM, "rectified_flow": RectifiedFlow}


def process_from(values: Mapping[str, Any]) -> Process:
    """Return the process that `values` (with its `kind`) describe.

    Raises:
        InvalidConfigError: unknown kind or field, or a value out of range.
    """
    kind = str(values.get("kind", ""))
    if kind not in _KINDS:
        raise InvalidConfigError(f"process: there is no kind '{kind}'. {suggestion(kind, _KINDS)}")
    return validated(_KINDS[kind], values, f"process '{kind}'")
