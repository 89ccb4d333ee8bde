"""What is known of a component before it is imported."""

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from latelier.contracts.errors import PluginError
from latelier.contracts.frozen import Frozen
from latelier.contracts.messages import format_error

Kind = Literal[
    "first_stage", "denoiser", "conditioner", "sampler",
    "schedule", "guidance", "acceleration", "importer", "adapter_kind", "adapter", "database",
    "feature_network", "measure",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_IMPORT = rf"{_MODULE}:[A-Za-z_]\w*", "an import string looks like 'package.module:attribute'"
_FORMS = {
    "name": (r"[a-z][a-z0-9_]*", "a name is lower-case letters, digits and underscores"),
    "folder": (
        rf"{_MODULE}:\w[\w.-]*(/\w[\w.-]*)*",
        "a folder of a package looks like 'package:folder/inner'",
    ),
    "widget": (
        rf"{_MODULE}:\w[\w.-]*(/\w[\w.-]*)*\.js",
        "a widget is an ES module in a package and looks like 'package:folder/widget.js'",
    ),
    **dict.fromkeys(("factory", "config", "input"), _IMPORT),
}
"""Field of a spec -> the pattern of its text, and what an error says of another."""


class SamplerTraits(Frozen):
    """What a sampler declares: for lists, and for its tests. See `Registrar.sampler`."""

    order: int | None = Field(None, ge=1)
    asymptotic_order: int | None = Field(None, ge=1)
    nfe_per_step: int | None = Field(1, ge=1)
    stochastic: bool = False
    is_inversion: bool = False


class ComponentSpec(Frozen):
    """A registered component: names only. `Registry` imports the objects when they are needed."""

    kind: Kind
    name: str = Field(description="bare name: lower-case letters, digits, underscores")
    distribution: str = Field(description="normalized name of the distribution that owns it")
    version: str = Field(description="version of that distribution")
    factory: str | None = Field(None, description="'module:attribute' of the class or function")
    folder: str | None = Field(None, description="'package:folder' of data without code")
    config: str | None = Field(None, description="'module:attribute' of the configuration class")
    input: str | None = Field(None, description="'module:attribute' of the input class")
    widget: str | None = Field(None, description="'package:file.js' that edits the input on pages")
    defaults: Mapping[str, Any] = Field(
        default_factory=dict, description="options of the function under this name"
    )
    traits: SamplerTraits | None = Field(None, description="of a sampler")
    summary: str = Field("", description="what it does to pictures, in plain words")

    @field_validator(*_FORMS)
    @classmethod
    def _check_form(cls, text: str | None, info: ValidationInfo) -> str | None:
        pattern, message = _FORMS[str(info.field_name)]
        if text is not None and not re.fullmatch(pattern, text):
            raise ValueError(message)
        return text

    @model_validator(mode="after")
    def _check_code_or_data(self) -> Self:
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
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic in an extension module is not an Exception
        raise PluginError(
            f"component '{owner}' cannot be loaded: '{text}' raised {format_error(error)}"
        ) from error


def locate(text: str, owner: str) -> Path:
    """Return the folder that `text`, 'package:folder' of the component `owner`, names.

    The package is found without importing it; a package that contains it is imported.

    Raises:
        PluginError: there is no such package or folder.
    """
    return _locate(text, owner, "folder", Path.is_dir)


def locate_file(text: str, owner: str) -> Path:
    """Return the file that `text`, 'package:file' of a component, names, as `locate` does.

    Raises:
        PluginError: there is no such package or file.
    """
    return _locate(text, owner, "file", Path.is_file)


def _locate(text: str, owner: str, what: str, is_there: Callable[[Path], bool]) -> Path:
    package, inner = text.split(":")
    try:
        spec = find_spec(package)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(
            f"component '{owner}' cannot be found: '{text}' raised {format_error(error)}"
        ) from error
    for location in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(location) / inner
        if is_there(path):
            return path
    raise PluginError(f"component '{owner}' cannot be found: there is no {what} '{text}'")
