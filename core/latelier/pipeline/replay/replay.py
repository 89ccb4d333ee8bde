"""Making a picture again from its provenance, and finding what differs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from latelier._version import __version__
from latelier.checkpoints.component import Component
from latelier.contracts.errors import InvalidInputError, ModelFileError, UnknownNameError
from latelier.contracts.messages import suggestion
from latelier.diffusion.fixed_rows import FixedRows
from latelier.io.user_folders import expand_home
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.kernel.registry import Registry
from latelier.pipeline.denoise import make_denoise
from latelier.pipeline.loading import load
from latelier.pipeline.picture import Picture
from latelier.pipeline.pipeline import Pipeline
from latelier.pipeline.plan import make_plan
from latelier.pipeline.provenance import describe_machine
from latelier.pipeline.replay import differences
from latelier.pipeline.replay.record import (
    AdapterRecord,
    ComponentRecord,
    Record,
    read_record,
)
from latelier.pipeline.run import encode_inputs, sample
from latelier.provenance.pixels import pixel_hash

TOLERANCE = 2
"""Greatest difference of a pixel, of 255, that other machines and batch sizes may make."""

Verdict = Literal["identical", "equal within tolerance", "different"]


@dataclass(frozen=True)
class ReplayReport:
    """The result of making a picture again.

    Attributes:
        verdict: how the new picture compares with the file's.
        differences: what has changed since the picture was made, a line each.
        max_difference: the greatest difference of a pixel, of 255; None where the sizes differ.
        altered: whether the file's pixels are not those that its provenance records.
        picture: the new one.
    """

    verdict: Verdict
    differences: tuple[str, ...]
    max_difference: int | None
    altered: bool
    picture: Picture


def replay(
    path: str | Path,
    *,
    model: str | Path | None = None,
    adapters: Mapping[str, str | Path] | None = None,
    pictures: Sequence[str | Path] = (),
    device: str = "auto",
    anyway: bool = False,
    atelier: Atelier | None = None,
) -> ReplayReport:
    """Make the picture at `path` again, in the same batch, and compare.

    Args:
        path: a picture that latelier wrote.
        model: where the model is now; by default where the provenance has it.
        adapters: where adapters are now, by name; by default where the provenance has them, or in
            the folder of the picture.
        pictures: files of the pictures that its run started from, such as init_image, where they
            are too large for it.
        device: 'auto' is the device that the picture was made on, if it is here.
        anyway: go on where plugins, weights or configurations have changed.
        atelier: where components are looked up; the default one if None.

    Raises:
        InvalidInputError: no picture, no provenance, or one that cannot be followed; a picture that
            the run started from is neither in the file nor given.
        UnknownNameError: the model or an adapter is not where it was; or the picture has no adapter
            of a name.
        ModelFileError: a plugin is missing, or plugins, weights or configurations have changed;
            says which.
    """
    path = Path(path)
    image, record = read_record(path, [Path(each) for each in pictures])
    atelier = atelier or default_atelier()
    _check_plugins(path, record, atelier, anyway=anyway)
    _check_functions(path, record, atelier)
    pipeline = _load(path, record, model, device, atelier)
    pipeline = _with_recorded_adapters(path, record, pipeline, adapters or {})
    of_components = list(_compare_components(record, pipeline))
    if of_components and not anyway:
        raise ModelFileError(
            f"{path}: was made with another model, by latelier {record.latelier}: "
            f"{'; '.join(of_components)}. `anyway` replays it with this one"
        )
    return compare(image, record, pipeline, _make_again(path, record, pipeline))


def compare(image: Image.Image, record: Record, pipeline: Pipeline, again: Picture) -> ReplayReport:
    """Return how a picture compares with the one that a pipeline made again from its record.

    Args:
        image: the picture.
        record: its provenance.
        pipeline: made it again, with the adapters of the record only.
        again: the new picture.
    """
    difference = _max_difference(image, again.image)
    atelier = pipeline.atelier
    return ReplayReport(
        verdict=_verdict(difference),
        differences=(
            *differences.changed_plugins(record.plugins, atelier),
            *differences.changed_observers(record.plugins, atelier),
            *_compare_components(record, pipeline),
            *_compare_strengths(record, pipeline),
            *_compare_drawn(record, again),
            *_compare_versions(record, pipeline),
            *_compare_machines(record, pipeline),
        ),
        max_difference=difference,
        altered=pixel_hash(image) != record.pixels_sha256,
        picture=again,
    )


def _check_plugins(path: Path, record: Record, atelier: Atelier, *, anyway: bool) -> None:
    """Refuse a picture of which a part was made by plugins that differ or are not here."""
    missing = list(differences.missing_plugins(record.plugins, atelier))
    if missing:
        raise ModelFileError(
            f"{path}: was made with plugins that are not here: {'; '.join(missing)}"
        )
    changed = list(differences.changed_plugins(record.plugins, atelier))
    if changed and not anyway:
        raise ModelFileError(
            f"{path}: was made with other plugins: {'; '.join(changed)}. `anyway` replays it with "
            "these"
        )


def _check_functions(path: Path, record: Record, atelier: Atelier) -> None:
    """Check that sampler, schedule, guidance, acceleration and database are installed."""
    registries: dict[str, Registry[Any]] = {
        "sampler": atelier.samplers,
        "schedule": atelier.schedules,
        "guidance": atelier.guidances,
        "acceleration": atelier.accelerations,
        "database": atelier.databases,
    }
    for place, used in record.functions.items():
        if place in registries and used.id not in registries[place]:
            raise ModelFileError(
                f"{path}: was made with the {place} '{used.id}', which is not installed: "
                f"pip install '{used.distribution}>={used.version}'"
            )


def _load(
    path: Path, record: Record, model: str | Path | None, device: str, atelier: Atelier
) -> Pipeline:
    name = str(model) if model is not None else _recorded_model(path, record)
    precision = str(record.machine.get("precision", "auto"))
    options: dict[str, Any] = {
        "compile": record.machine.get("compiled") is True,
        "quantize": record.machine.get("quantized"),
    }
    wanted = str(record.machine.get("device", "auto")) if device == "auto" else device
    try:
        return load(name, wanted, precision, **options, atelier=atelier)
    except UnknownNameError as error:
        if model is not None:
            raise
        raise UnknownNameError(
            f"{path}: its model is not where it was; name its place with `model`: {error}"
        ) from None
    except InvalidInputError:
        if device != "auto":
            raise
        return load(name, "auto", precision, **options, atelier=atelier)


def _with_recorded_adapters(
    path: Path, record: Record, pipeline: Pipeline, places: Mapping[str, str | Path]
) -> Pipeline:
    """Return the pipeline with the adapters that the run used, at their scales.

    places: where they are now, by name.
    """
    for name in places:
        if name not in record.adapters:
            raise UnknownNameError(
                f"{path}: has no adapter '{name}'. {suggestion(name, record.adapters)}"
            )
    pipeline = pipeline.without_unused_adapters(record.adapters)
    kept = {}
    for name, each in pipeline.adapters.items():
        if name in record.adapters and name not in places:
            with _name_adapter(path, name):
                kept[name] = replace(each, strength=record.adapters[name].strength)
    pipeline = pipeline.with_adapters(kept)
    for name, used in record.adapters.items():
        if name in kept:
            continue
        source = places.get(name) or _find_adapter(path, name, used)
        with _name_adapter(path, name):
            pipeline = pipeline.with_adapter(source, **vars(used.strength), as_=name)
    return pipeline


def _find_adapter(path: Path, name: str, used: AdapterRecord) -> str | Path:
    """Return where an adapter is: registered, where it was, or in the folder of the picture."""
    if used.source is None:
        raise InvalidInputError(
            f"{path}: its adapter '{name}' had not been saved; name its place with "
            f"--adapter {name}=PATH"
        )
    if used.version is not None:
        return used.source
    recorded = expand_home(used.source)
    found = next((each for each in (recorded, path.parent / recorded.name) if each.exists()), None)
    if found is None:
        raise UnknownNameError(
            f"{path}: its adapter '{name}' is neither at '{used.source}' nor in the folder of the "
            f"picture; name its place with --adapter {name}=PATH"
        )
    return found


@contextmanager
def _name_adapter(path: Path, name: str) -> Iterator[None]:
    """Name the picture and its adapter in an error about how the adapter was used."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: adapter '{name}': {error}") from None


def _recorded_model(path: Path, record: Record) -> str:
    if record.model.name is None:
        raise InvalidInputError(
            f"{path}: its model had not been saved; name its place with `model`"
        )
    if record.model.revision is None:
        return record.model.name
    return f"{record.model.name}@{record.model.revision}"


def _make_again(path: Path, record: Record, pipeline: Pipeline) -> Picture:
    """Return the recorded picture, made again with the rest of its batch."""
    plan = make_plan(pipeline, record.request, trusted=False)
    if record.rows is not None:
        pipeline = pipeline.with_denoiser(FixedRows(pipeline.denoiser, record.rows), record.rows)
    if record.index >= plan.count:
        raise InvalidInputError(f"{path}: picture {record.index} of a run of {plan.count}")
    batch = plan.batch_of(record.index)
    denoise = make_denoise(pipeline, batch, encode_inputs(pipeline, batch))
    *_, last = sample(pipeline, batch, denoise)
    return last.pictures[record.index - batch.batch.start]


def _compare_components(record: Record, pipeline: Pipeline) -> Iterator[str]:
    """Yield what is not the model that was recorded."""
    now = pipeline.components()
    for place in sorted({*record.components, *now}):
        for change in _compare_component(record.components.get(place), now.get(place)):
            yield f"{place}: {change}"
    if record.process != pipeline.process.model_dump(mode="json"):
        yield "the noise process has changed"


def _compare_component(then: ComponentRecord | None, now: Component | None) -> Iterator[str]:
    if then is None or now is None:
        yield "is new in the model" if then is None else "is no longer part of the model"
        return
    if then.id != now.id:
        yield f"was '{then.id}', is '{now.id}'"
    if then.config_sha256 != now.config_sha256:
        yield "the configuration has changed"
    if then.weights_sha256 != now.weights_sha256:
        before, after = _short(then.weights_sha256), _short(now.weights_sha256)
        yield f"the weights had the SHA-256 {before}, now {after}"
    for asset in sorted({*then.assets_sha256, *now.assets_sha256}):
        if then.assets_sha256.get(asset) != now.assets_sha256.get(asset):
            yield f"the file '{asset}' has changed"


def _compare_strengths(record: Record, pipeline: Pipeline) -> Iterator[str]:
    """Yield the adapters that acted with another scale, or in other steps."""
    for name, used in record.adapters.items():
        adapter = pipeline.adapters.get(name)
        if adapter is not None and adapter.strength != used.strength:
            then, now = (
                f"scale {each.scale:g} in {each.start:g}..{each.end:g} of the steps"
                for each in (used.strength, adapter.strength)
            )
            yield f"adapters.{name}: had {then}, has {now}"


def _compare_drawn(record: Record, picture: Picture) -> Iterator[str]:
    """Yield the entries of the database that have another picture now."""
    for then, now in zip(record.drew, picture.provenance["drew"]):
        if then.sha256 != now["sha256"]:
            yield f"the picture of '{now['name']}' in the database has changed"


def _compare_versions(record: Record, pipeline: Pipeline) -> Iterator[str]:
    if record.latelier != __version__:
        yield f"latelier was {record.latelier}, is {__version__}"
    atelier, request = pipeline.atelier, record.request
    now = {place: component.version for place, component in pipeline.components().items()}
    now["sampler"] = atelier.samplers.spec(request.sampler.name).version
    now["schedule"] = atelier.schedules.spec(request.schedule.name).version
    now["guidance"] = atelier.guidances.spec(request.guidance.name).version
    if request.acceleration is not None:
        now["acceleration"] = atelier.accelerations.spec(request.acceleration.name).version
    if request.database is not None:
        now["database"] = atelier.databases.spec(request.database).version
    for place, then in {**record.components, **record.functions}.items():
        if then.distribution in record.plugins:
            continue  # compared as a plugin
        if place in now and now[place] != then.version:
            yield f"{place}: '{then.id}' was version {then.version}, is {now[place]}"


def _compare_machines(record: Record, pipeline: Pipeline) -> Iterator[str]:
    for fact, now in describe_machine(pipeline).items():
        then = record.machine.get(fact)
        if then != now:
            yield f"{_FACTS.get(fact, fact)}: was {then}, is {now}"


_FACTS = {
    "type": "machine type",
    "processor": "processor",
    "threads": "threads of torch (OMP_NUM_THREADS sets them)",
}


def _max_difference(a: Image.Image, b: Image.Image) -> int | None:
    if a.size != b.size:
        return None
    one, other = (np.asarray(image.convert("RGB"), dtype=np.int16) for image in (a, b))
    return int(np.abs(one - other).max())


def _verdict(difference: int | None) -> Verdict:
    if difference == 0:
        return "identical"
    if difference is not None and difference <= TOLERANCE:
        return "equal within tolerance"
    return "different"


def _short(sha256: str | None) -> str:
    return f"{sha256[:12]}..." if sha256 else "of no file"
