"""The model and its inputs, checked before any weights are loaded."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latelier.cli.options.adapters import AdapterRequest
    from latelier.kernel.atelier import Atelier


PROMPT = "prompt"


def check_names(request: Mapping[str, Any], atelier: "Atelier") -> None:
    """Look up all functions and the database before a model is loaded.

    Raises:
        UnknownNameError: a name is not registered.
        AmbiguousNameError: several plugins register a name.
    """
    for field, registry in (
        ("sampler", atelier.samplers),
        ("schedule", atelier.schedules),
        ("guidance", atelier.guidances),
        ("acceleration", atelier.accelerations),
    ):
        if field in request:
            registry.spec(request[field].name)
    if "database" in request:
        atelier.databases.spec(request["database"])


def read_model_inputs(
    model: str,
    prompt: str | None,
    texts: Sequence[str],
    atelier: "Atelier",
    adapters: Sequence["AdapterRequest"] = (),
    references: Sequence[str] = (),
) -> tuple[str, dict[str, Any]]:
    """Return the model's name, with its revision on the hub, and its inputs, one row each.

    Args:
        model: an embedded name, a folder, or owner/name on the hub.
        prompt: value of the public input "prompt", or None.
        texts: conditions, 'NAME=VALUE' or 'NAME=@FILE'.
        atelier: where input classes are looked up.
        adapters: adapters to attach; each adds an input.
        references: names, numbers or '@FILE's for the input of reference pictures.

    Raises:
        UnknownNameError: the model or an input does not exist.
        ModelFileError: the model's files are damaged.
        InvalidInputError: a value is invalid.
    """
    from latelier.cli.options.adapters import check_formats
    from latelier.cli.options.conditions import check_inputs, read_conditions, read_references
    from latelier.cli.support.schemas import input_classes, reference_input
    from latelier.contracts.errors import InvalidInputError, UnknownNameError
    from latelier.pipeline.storage.manifest_header import read_manifest_header
    from latelier.pipeline.storage.sources import find

    source = find(model)
    header = read_manifest_header(source.folder)
    classes = input_classes(header, atelier)
    for each in adapters:
        if each.input is None:
            continue
        if each.input in classes:
            raise InvalidInputError(
                f"--adapter {each.name}: this model already has an input '{each.input}'; rename "
                "the adapter's with :input=NAME"
            )
        classes[each.input] = each.input_class
    try:
        inputs = read_conditions(texts, classes)
    except UnknownNameError:
        check_formats([each for each in adapters if each.input is None], atelier)
        raise
    if prompt is not None:
        if PROMPT not in classes:
            takes = f"but {', '.join(classes)}: --condition" if classes else "nor any other input"
            raise InvalidInputError(f"model '{model}' takes no {PROMPT}, {takes}")
        if PROMPT in inputs:
            raise InvalidInputError(f"{PROMPT}: given twice, also as --condition")
        inputs[PROMPT] = prompt
    if references:
        public = reference_input(header, atelier)
        if public is None:
            raise InvalidInputError(f"--reference: model '{model}' takes no reference pictures")
        if public in inputs:
            raise InvalidInputError(f"--reference: {public} is given as --condition too")
        inputs[public] = read_references(references)
    check_inputs(inputs, classes)
    name = f"{source.name}@{source.revision}" if source.revision else model
    return name, {public: [value] for public, value in inputs.items()}
