"""Every hook that a plugin can implement, in one file.

A plugin is a light object named by an entry point in the group `latelier.v1`. It marks methods with
`hookimpl`, and names the arguments of a hook that it needs. Only `latelier_register` changes
anything. The others are lifecycle hooks: they only observe. A failing hook is logged and disabled
for the rest of the run. `run` identifies the run; several may go on at once, in threads.
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
    """Register components. All of them are kept or, if this raises, none."""


@hookspec
def latelier_pipeline_composed(pipeline: Any) -> None:
    """Observe that a `latelier.pipeline.Pipeline` is complete and ready to run."""


@hookspec
def latelier_before_step(run: str, step: int, steps: int, sigma: float) -> None:
    """Observe that sampling step `step` of `steps`, counted from 1, starts at noise `sigma`."""


@hookspec
def latelier_after_step(run: str, step: int, steps: int, sigma: float, snapshot: Any) -> None:
    """Observe that a sampling step is done, at noise `sigma`.

    `snapshot` is a `latelier.pipeline.picture.Snapshot` of the run, made when it is read. Decoding
    it takes time, which counts as the plugin's.
    """


@hookspec
def latelier_images_finished(run: str, pictures: "Sequence[Any]") -> None:
    """Observe that a run is over: its `Picture`s, in order, with seeds and provenance.

    Each is a copy, made when `pictures` is indexed.
    """


@hookspec
def latelier_batch_trained(
    run: str, step: int, steps: int, losses: "Callable[[], Mapping[str, float]]"
) -> None:
    """Observe that training step `step` of `steps`, counted from 1, is done.

    `losses()` returns the loss and its terms on that batch. It waits for the device, so calling it
    at every step slows down training on a GPU.
    """


@hookspec
def latelier_checkpoint_saved(run: str, step: int, steps: int, path: "Path") -> None:
    """Observe that training wrote a checkpoint into the folder `path`.

    The checkpoint is complete. It is deleted when the second one after it is written, so copy what
    you want to keep.
    """
