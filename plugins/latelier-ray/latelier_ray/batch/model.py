"""What is known of a model before it is loaded: its inputs, their classes, and its hashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from latelier.checkpoints.manifests import AdapterManifest
from latelier.cli.options.adapters import AdapterRequest
from latelier.cli.options.model_inputs import check_names
from latelier.cli.support.schemas import input_classes
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.reading import limit_total_pixels
from latelier.contracts.inputs import read_input
from latelier.io.hashing import sha256_of
from latelier.kernel.atelier import Atelier
from latelier.pipeline.adapters import find_adapter
from latelier.pipeline.request import Defaults, read_request
from latelier.pipeline.storage.manifest_header import MANIFEST, read_manifest_header
from latelier.pipeline.storage.sources import find
from pydantic import BaseModel

from latelier_ray.batch.requests import PictureRequest


@dataclass(frozen=True)
class RequestChecker:
    """Checks requests by the manifest of a model; no weights are read.

    Attributes:
        classes: of the public inputs; None where the plugin of one is not installed.
        defaults: of the model.
        atelier: has the components.
        facts: the model and its adapters with their hashes, as JSON values.
    """

    classes: dict[str, type[BaseModel] | None]
    defaults: Defaults
    atelier: Atelier
    facts: dict[str, Any]

    def check(self, each: PictureRequest) -> None:
        """Check the request of a row, which is not trusted: it opens no files.

        Raises:
            LatelierError: an input or a setting is unknown or invalid.
        """
        options = dict(each.request)
        inputs = options.pop("inputs")
        with limit_total_pixels():
            request = read_request(self.defaults, self.classes, inputs, options, trusted=False)
            check_names({k: v for k, v in dict(request).items() if v is not None}, self.atelier)
            for values in (request.inputs, request.negative):
                for name, value in values.items():
                    model = self.classes[name]
                    if model is not None:
                        read_input(model, value, name, trusted=False)


def open_model(name: str, adapters: Sequence[AdapterRequest], atelier: Atelier) -> RequestChecker:
    """Return the checker of a model with adapters.

    Raises:
        LatelierError: the model or an adapter does not exist, or its manifest is damaged.
    """
    source = find(name)
    header = read_manifest_header(source.folder)
    classes = input_classes(header, atelier)
    for each in adapters:
        if each.input is not None:
            if each.input in classes:
                raise InvalidInputError(
                    f"--adapter {each.name}: this model already has an input '{each.input}'"
                )
            classes[each.input] = each.input_class
    facts = {
        "name": source.name,
        "revision": source.revision,
        "manifest_sha256": sha256_of(source.folder / MANIFEST),
        "adapters": [_describe(each, atelier) for each in adapters],
    }
    return RequestChecker(classes, header.defaults, atelier, facts)


def _describe(adapter: AdapterRequest, atelier: Atelier) -> dict[str, Any]:
    source, stored = find_adapter(adapter.name, atelier)
    files = [sha256_of(source.path)] if stored is None else _list_hashes(stored)
    return {
        "name": adapter.name,
        "input": adapter.input,
        **vars(adapter.strength),
        "files_sha256": files,
    }


def _list_hashes(adapter: AdapterManifest) -> list[str]:
    """Return the hashes of the files of an adapter."""
    parts = [each for each in (adapter.adapter, adapter.conditioner) if each is not None]
    return [file.sha256 for part in parts for file in part.files()]
