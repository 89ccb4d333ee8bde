"""What is known of a component before it is imported."""

import re
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from latelier.contracts.errors import PluginError
from latelier.contracts.frozen import Frozen

Kind = Literal[
    "first_stage",
    "denoiser",
    "conditioner",
    "sampler",
    "schedule",
    "guidance",
    "importer",
    "adapter",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FOLDER = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:\w[\w.-]*(/\w[\w.-]*)*")
_IMPORT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class SamplerTraits(Frozen):
    """What a sampler declares of itself, to be listed and to be tested."""

    order: int | None = Field(
        None,
        ge=1,
        description="global order of accuracy, as implemented, its start included; None: none is "
        "declared",
    )
    asymptotic_order: int | None = Field(
        None, ge=1, description="order of its main step, those before it being exact; None: `order`"
    )
    nfe_per_step: int | None = Field(
        1,
        ge=1,
        description="evaluations of the model a step, in general; None: as many as its error needs",
    )
    stochastic: bool = Field(False, description="whether it draws noise on the way")
    is_inversion: bool = Field(
        False,
        description="whether it goes from an image to its noise: from the last sigma of the grid "
        "to the first",
    )


class ComponentSpec(Frozen):
    """A registered component: names only. `Registry` imports what they name when it is needed."""

    kind: Kind
    name: str = Field(description="bare name: lower case, digits, underscores")
    distribution: str = Field(description="normalised name of the distribution that owns it")
    version: str = Field(description="version of that distribution")
    factory: str | None = Field(None, description="'module:attribute' of the class or function")
    folder: str | None = Field(
        None, description="'package:folder', of what is data and no code: an adapter"
    )
    config: str | None = Field(None, description="'module:attribute' of the configuration class")
    input: str | None = Field(None, description="'module:attribute' of the input class")
    defaults: Mapping[str, Any] = Field(
        default_factory=dict, description="options of a function under this of its names"
    )
    traits: SamplerTraits | None = Field(None, description="of a sampler")

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("a name is lower-case letters, digits and underscores")
        return name

    @field_validator("factory", "config", "input")
    @classmethod
    def _is_an_import(cls, text: str | None) -> str | None:
        if text is not None and not _IMPORT.fullmatch(text):
            raise ValueError("an import string looks like 'package.module:attribute'")
        return text

    @field_validator("folder")
    @classmethod
    def _is_a_folder(cls, text: str | None) -> str | None:
        if text is not None and not _FOLDER.fullmatch(text):
            raise ValueError("a folder of a package looks like 'package:folder/inner'")
        return text

    @model_validator(mode="after")
    def _is_code_or_data(self) -> Self:
        if (self.factory is None) == (self.folder is None):
            raise ValueError("a component is either a factory or a folder")
        return self

    @property
    def id(self) -> str:
        """'distribution/name': what artefacts store."""
        return f"{self.distribution}/{self.name}"


def resolve(text: str, owner: str) -> Any:
    """Return the object that the import string `text` of the component `owner` names.

    Raises:
        PluginError: the import fails, or the module has no such attribute.
    """
    module, attribute = text.split(":")
    try:
        return getattr(import_module(module), attribute)
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"component '{owner}' cannot be loaded: '{text}' raised {type(error).__name__}: {error}"
        ) from error


def locate(text: str, owner: str) -> Path:
    """Return the folder that `text`, 'package:folder' of the component `owner`, names.

    The package is looked up and not imported; one within another has that imported.

    Raises:
        PluginError: there is no such package or folder.
    """
    package, folder = text.split(":")
    try:
        found = find_spec(package)
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"component '{owner}' cannot be found: '{text}' raised {type(error).__name__}: {error}"
        ) from error
    for place in (found.submodule_search_locations or ()) if found else ():
        path = Path(place) / folder
        if path.is_dir():
            return path
    raise PluginError(f"component '{owner}' cannot be found: there is no folder '{text}'")
