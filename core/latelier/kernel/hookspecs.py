"""Everything that a plugin can implement, in one file.

A plugin is a light object named by an entry point in the group `latelier.v1`. It marks methods
with `hookimpl`, and takes those arguments of a hook that it needs. Only `latelier_register`
changes anything. The others are lifecycle hooks: they tell, and one that fails is reported, left
out for the rest of the run, and hurts nobody. `run` names the run that is told of: several may go
on at once, in threads, and a plugin is told of each in its own.
"""

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

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
def latelier_before_step(run: str, step: int, steps: int, sigma: float) -> None:
    """Tell that a sampling step begins: `step` of `steps`, counted from 1, at noise `sigma`."""


@hookspec
def latelier_after_step(run: str, step: int, steps: int, sigma: float, snapshot: Any) -> None:
    """Tell that a sampling step is done, and noise is down to `sigma`.

    `snapshot` is a `latelier.pipeline.picture.Snapshot`: where the run stands, made when it is
    asked for. Decoding it takes time, which is counted as this plugin's.
    """


@hookspec
def latelier_images_finished(run: str, pictures: "Sequence[Any]") -> None:
    """Tell that a run is over: its `Picture`s, in order, with seeds and provenance.

    Each is a copy, made when it is taken out of `pictures`.
    """


@hookspec
def latelier_batch_trained(
    run: str, step: int, steps: int, losses: "Callable[[], Mapping[str, float]]"
) -> None:
    """Tell that step `step` of `steps` of a training is done, counted from 1.

    `losses()` gives the loss and its terms on that batch. It waits for the device, so on a GPU
    asking at every step slows the training down.
    """


@hookspec
def latelier_checkpoint_saved(run: str, step: int, steps: int, path: "Path") -> None:
    """Tell that a training wrote a checkpoint into the folder `path`.

    It is whole then, and deleted when the second after it is written: copy what is to last.
    """
