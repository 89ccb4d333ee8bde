"""Making a picture again from its provenance, and saying what differs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from latelier._version import __version__
from latelier.checkpoints.component import Component
from latelier.contracts.errors import InvalidInputError, ModelFileError, UnknownNameError
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.kernel.registry import Registry
from latelier.pipeline.images import pixel_hash
from latelier.pipeline.loading import load
from latelier.pipeline.picture import Picture
from latelier.pipeline.pipeline import Pipeline
from latelier.pipeline.provenance import machine
from latelier.pipeline.replay import differences
from latelier.pipeline.replay.record import ComponentRecord, Record, read_record
from latelier.pipeline.run import Run

TOLERANCE = 2
"""Greatest difference of a pixel, of 255, that other machines and batch sizes may make."""

Verdict = Literal["identical", "equal within tolerance", "different"]


@dataclass(frozen=True)
class ReplayReport:
    """What came of making a picture again.

    differences: what is not as it was when the picture was made, a line each.
    greatest: the greatest difference of a pixel, of 255; None where the sizes differ.
    altered: whether the file's pixels are not those that its provenance records.
    picture: the one made now.
    """

    verdict: Verdict
    differences: tuple[str, ...]
    greatest: int | None
    altered: bool
    picture: Picture


def replay(
    path: str | Path,
    *,
    model: str | Path | None = None,
    pictures: Sequence[str | Path] = (),
    device: str = "auto",
    anyway: bool = False,
    atelier: Atelier | None = None,
) -> ReplayReport:
    """Make the picture at `path` again, in the batch that it was made in, and compare.

    Args:
        path: a PNG that latelier wrote.
        model: where the model is now; by default where the provenance says.
        pictures: files of the pictures that were given to its run, such as init_image, where they
            are too large to be stored in it.
        device: 'auto' is the device that it was made on, if it is here.
        anyway: go on where plugins, weights or configurations are not those that were recorded.
        atelier: where components are looked up; the default one if None.

    Raises:
        InvalidInputError: no picture, no provenance, or one that cannot be followed; a picture
            that it was made from is neither in it nor given.
        UnknownNameError: the model is not where it was.
        ModelFileError: a plugin is missing, or plugins, weights or configurations are not those
            that were recorded; says which.
    """
    path = Path(path)
    image, record = read_record(path, [Path(each) for each in pictures])
    atelier = atelier or default_atelier()
    other = _other_plugins(path, record, atelier, anyway=anyway)
    _check_functions(path, record, atelier)
    pipeline = _adapted(path, record, _loaded(path, record, model, device, atelier))
    changed = list(_changed_components(record, pipeline))
    if changed and not anyway:
        raise ModelFileError(
            f"{path}: was made with another model, by latelier {record.latelier}: "
            f"{'; '.join(changed)}. `anyway` replays it with this one"
        )
    picture = _made_again(path, record, pipeline)
    altered = pixel_hash(image) != record.pixels_sha256
    greatest = _greatest_difference(image, picture.image)
    return ReplayReport(
        _verdict(greatest),
        (
            *other,
            *changed,
            *_changed_versions(record, pipeline),
            *_changed_machine(record, pipeline),
        ),
        greatest,
        altered,
        picture,
    )


def _other_plugins(path: Path, record: Record, atelier: Atelier, *, anyway: bool) -> list[str]:
    """Return what differs of the plugins; refuse where they made a part of the picture."""
    missing = list(differences.absent(record.plugins, atelier))
    if missing:
        raise ModelFileError(
            f"{path}: was made with plugins that are not here: {'; '.join(missing)}"
        )
    other = list(differences.changed(record.plugins, atelier))
    if other and not anyway:
        raise ModelFileError(
            f"{path}: was made with other plugins: {'; '.join(other)}. `anyway` replays it with "
            "these"
        )
    return [*other, *differences.changed_listeners(record.plugins, atelier)]


def _check_functions(path: Path, record: Record, atelier: Atelier) -> None:
    """Check that sampler, schedule and guidance are installed."""
    registries: dict[str, Registry[Any]] = {
        "sampler": atelier.samplers,
        "schedule": atelier.schedules,
        "guidance": atelier.guidances,
    }
    for place, used in record.functions.items():
        if place in registries and used.id not in registries[place]:
            raise ModelFileError(
                f"{path}: was made with the {place} '{used.id}', which is not installed: "
                f"pip install '{used.distribution}>={used.version}'"
            )


def _loaded(
    path: Path, record: Record, model: str | Path | None, device: str, atelier: Atelier
) -> Pipeline:
    name = str(model) if model is not None else _recorded_model(path, record)
    precision = str(record.machine.get("precision", "auto"))
    wanted = str(record.machine.get("device", "auto")) if device == "auto" else device
    try:
        return load(name, wanted, precision, atelier=atelier)
    except UnknownNameError as error:
        if model is not None:
            raise
        raise UnknownNameError(
            f"{path}: its model is not where it was; name its place with `model`: {error}"
        ) from None
    except InvalidInputError:
        if device != "auto":
            raise
        return load(name, "auto", precision, atelier=atelier)


def _adapted(path: Path, record: Record, pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with the adapters that were told something, at their scales."""
    own = pipeline.adapters.keys() & record.adapters.keys()
    pipeline = pipeline.telling(own)
    for name, used in record.adapters.items():
        if name in own:
            weighed = replace(pipeline.adapters[name], scale=used.scale)
            pipeline = replace(pipeline, adapters={**pipeline.adapters, name: weighed})
        elif used.source is None:
            raise InvalidInputError(f"{path}: its adapter '{name}' had not been saved")
        else:
            pipeline = pipeline.with_adapter(used.source, used.scale, as_=name)
    return pipeline


def _recorded_model(path: Path, record: Record) -> str:
    if record.model.name is None:
        raise InvalidInputError(
            f"{path}: its model had not been saved; name its place with `model`"
        )
    if record.model.revision is None:
        return record.model.name
    return f"{record.model.name}@{record.model.revision}"


def _made_again(path: Path, record: Record, pipeline: Pipeline) -> Picture:
    *_, last = Run(pipeline, record.request).previews()
    if record.index >= len(last.pictures):
        raise InvalidInputError(
            f"{path}: says that it is picture {record.index} of a batch of {len(last.pictures)}"
        )
    return last.pictures[record.index]


def _changed_components(record: Record, pipeline: Pipeline) -> Iterator[str]:
    """Yield what is not the model that was recorded."""
    now = pipeline.components()
    for place in sorted({*record.components, *now}):
        for change in _changes(record.components.get(place), now.get(place)):
            yield f"{place}: {change}"
    if record.process != pipeline.process.model_dump(mode="json"):
        yield "the noise process is not the one that was recorded"


def _changes(then: ComponentRecord | None, now: Component | None) -> Iterator[str]:
    if then is None or now is None:
        yield "was no part of the model" if then is None else "is no part of the model any more"
        return
    if then.id != now.id:
        yield f"was '{then.id}', is '{now.id}'"
    if then.config_sha256 != now.config_sha256:
        yield "its configuration is not the one that was recorded"
    if then.weights_sha256 != now.weights_sha256:
        before, after = _short(then.weights_sha256), _short(now.weights_sha256)
        yield f"its weights had the SHA-256 {before}, now {after}"
    for asset in sorted({*then.assets_sha256, *now.assets_sha256}):
        if then.assets_sha256.get(asset) != now.assets_sha256.get(asset):
            yield f"its file '{asset}' is not the one that was recorded"


def _changed_versions(record: Record, pipeline: Pipeline) -> Iterator[str]:
    if record.latelier != __version__:
        yield f"latelier was {record.latelier}, is {__version__}"
    atelier, request = pipeline.atelier, record.request
    now = {place: component.version for place, component in pipeline.components().items()}
    now["sampler"] = atelier.samplers.spec(request.sampler.name).version
    now["schedule"] = atelier.schedules.spec(request.schedule.name).version
    now["guidance"] = atelier.guidances.spec(request.guidance.name).version
    for place, then in {**record.components, **record.functions}.items():
        if then.distribution in record.plugins:
            continue  # told already, of the plugin
        if place in now and now[place] != then.version:
            yield f"{place}: '{then.id}' was of version {then.version}, is of {now[place]}"


def _changed_machine(record: Record, pipeline: Pipeline) -> Iterator[str]:
    for fact, now in machine(pipeline.device, pipeline.dtype).items():
        then = record.machine.get(fact)
        if then != now:
            yield f"{_FACTS.get(fact, fact)}: was {then}, is {now}"


_FACTS = {
    "type": "machine type",
    "processor": "processor",
    "threads": "threads of torch (OMP_NUM_THREADS sets them)",
}


def _greatest_difference(a: Image.Image, b: Image.Image) -> int | None:
    if a.size != b.size:
        return None
    one, other = (np.asarray(image.convert("RGB"), dtype=np.int16) for image in (a, b))
    return int(np.abs(one - other).max())


def _verdict(greatest: int | None) -> Verdict:
    if greatest == 0:
        return "identical"
    if greatest is not None and greatest <= TOLERANCE:
        return "equal within tolerance"
    return "different"


def _short(sha256: str | None) -> str:
    return f"{sha256[:12]}..." if sha256 else "of no file"
