"""What is typed for a model: its name, and its inputs, checked before it is loaded."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latelier.cli.support.adapters import AskedAdapter
    from latelier.kernel.atelier import Atelier


PROMPT = "prompt"


def read_inputs(
    model: str,
    prompt: str | None,
    texts: Sequence[str],
    atelier: "Atelier",
    adapters: Sequence["AskedAdapter"] = (),
) -> tuple[str, dict[str, Any]]:
    """Return the name to load, of the revision that was looked at, and the inputs: one row each.

    Args:
        model: an embedded name, a folder, or owner/name on the hub.
        prompt: for the public input of that name; None where none was given.
        texts: conditions, 'NAME=VALUE' or 'NAME=@FILE'.
        atelier: where the classes of inputs are looked up.
        adapters: what is added to the model; each has an input.

    Raises:
        UnknownNameError, ModelFileError: there is no such model or input, or it is damaged.
        InvalidInputError: a value that cannot be used; says which, and what would be right.
    """
    from latelier.cli.support.schemas import input_classes
    from latelier.cli.support.values import check_inputs, read_conditions
    from latelier.contracts.errors import InvalidInputError
    from latelier.pipeline.manifest_header import read_manifest_header
    from latelier.pipeline.sources import find

    source = find(model)
    known = input_classes(read_manifest_header(source.folder), atelier)
    for each in adapters:
        if each.called in known:
            raise InvalidInputError(
                f"--adapter {each.name}: this model has an input '{each.called}' already; name the "
                "adapter's differently with :input=NAME"
            )
        known[each.called] = each.input
    inputs = read_conditions(texts, known)
    if prompt is not None:
        if PROMPT not in known:
            takes = f"but {', '.join(known)}: --condition" if known else "nor anything else"
            raise InvalidInputError(f"model '{model}' takes no {PROMPT}, {takes}")
        if PROMPT in inputs:
            raise InvalidInputError(f"{PROMPT}: is given twice, also as --condition")
        inputs[PROMPT] = prompt
    check_inputs(inputs, known)
    name = f"{source.name}@{source.revision}" if source.revision else model
    return name, {public: [value] for public, value in inputs.items()}
