"""The processes by the `kind` under which a manifest or a configuration stores them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.contracts.messages import suggestion
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.process import Process
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP

AnyProcess = Annotated[VP | EDM | RectifiedFlow, Field(discriminator="kind")]

_KINDS: dict[str, type[Process]] = {"vp": VP, "edm": EDM, "rectified_flow": RectifiedFlow}


def process_from(values: Mapping[str, Any]) -> Process:
    """Return the process that `values` (with its `kind`) describe.

    Raises:
        InvalidConfigError: a kind or field is unknown, or a value is out of range.
    """
    kind = str(values.get("kind", ""))
    if kind not in _KINDS:
        raise InvalidConfigError(f"process: there is no kind '{kind}'. {suggestion(kind, _KINDS)}")
    return validate(_KINDS[kind], values, f"process '{kind}'")
