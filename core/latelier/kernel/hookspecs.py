"""Everything that a plugin can implement, in one file.

A plugin is a light object named by an entry point in the group `latelier.v1`. It marks methods
with `hookimpl`. Only `latelier_register` changes anything; the others tell what has happened, and
one that fails is reported, left out for the rest of the run, and hurts nobody.
"""

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from latelier.kernel.registrar import Registrar

PROJECT = "latelier"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def latelier_register(registrar: "Registrar") -> None:
    """Register components. All of them are kept, or, if this raises, none."""


@hookspec
def latelier_pipeline_composed(pipeline: Any) -> None:
    """Tell that `pipeline` (a `latelier.pipeline.Pipeline`) is complete and ready to run."""


@hookspec
def latelier_images_finished(pictures: "Sequence[Any]") -> None:
    """Tell that a run is over: its `Picture`s, in order, with seeds and provenance."""
