"""The help, arguments, errors and interrupts of `latelier generate`."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from latelier.cli.options.adapters import NO_INPUT, adapter_inputs
from latelier.cli.options.option_help import option_help, request_fields
from latelier.cli.options.request_options import errors_with_option_names
from latelier.cli.support.application import load_atelier
from latelier.cli.support.lazy import DocumentedCommand
from latelier.cli.support.schemas import describe_input, input_schemas
from latelier.contracts.errors import InvalidInputError, LatelierError
from latelier.pipeline.storage.manifest_header import read_manifest_header
from latelier.pipeline.storage.sources import DEFAULT_MODEL, find

_ARGUMENTS = "latelier.arguments"


class GenerateCommand(DocumentedCommand):
    """A command whose help shows the model's defaults and lists what is installed."""

    allow_extra_args = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line; explain a prompt without quotes.

        Raises:
            InvalidInputError: there is more than one argument.
        """
        ctx.meta[_ARGUMENTS] = list(args)  # --help is shown before they are parsed
        rest = super().parse_args(ctx, args)
        if ctx.args:
            prompt = " ".join([ctx.params["prompt"], *ctx.args])
            raise InvalidInputError(
                f"expected one prompt, got {1 + len(ctx.args)} arguments; put the prompt in "
                f'quotes: "{prompt}"'
            )
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Its errors name options, and an interrupt says what was written."""
        try:
            with errors_with_option_names():
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(*(interrupt.args or ["nothing written"])) from None

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options with the defaults of the model; no weights are read."""
        model, _ = self._read_names(ctx)
        for name, value in _model_defaults(model).items():
            option: Any = next(each for each in self.params if each.name == name)
            model_default = f"the model's, {value} for {model}"
            option.help = option_help(request_fields()[name], model_default)
        super().format_options(ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the conditions, adapters, samplers, schedules, guidance rules and accelerations."""
        super().format_epilog(ctx, formatter)
        _write_choices(formatter, *self._read_names(ctx))

    def _read_names(self, ctx: Any) -> tuple[str, list[str]]:
        """Return the model and the adapters that are named beside --help."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(ctx.meta.get(_ARGUMENTS, ())))
        return given.get("model") or DEFAULT_MODEL, given.get("adapter") or []


def _model_defaults(model: str) -> dict[str, str]:
    """Return option -> the default that a model sets; empty if the model is not readable."""
    try:
        defaults = read_manifest_header(find(model).folder).defaults
    except LatelierError:
        return {}
    return {name: _describe_default(value) for name, value in defaults if value is not None}


def _write_choices(formatter: Any, model: str, named: Sequence[str]) -> None:
    """Write the conditions of `model`, those of adapters, and the registered names."""
    try:
        atelier = load_atelier()
    except LatelierError as error:
        formatter.write_paragraph()
        formatter.write_text(f"The installed plugins cannot be listed: {error}")
        return
    try:
        schemas = input_schemas(read_manifest_header(find(model).folder), atelier)
    except LatelierError as error:
        schemas = {}
        formatter.write_paragraph()
        formatter.write_text(f"The conditions of {model} cannot be listed: {error}")
    if schemas:
        with formatter.section(f"Conditions of {model}"):
            formatter.write_dl([(name, describe_input(each)) for name, each in schemas.items()])
    adapters = adapter_inputs([*atelier.adapters.names(), *named], atelier)
    if adapters:
        with formatter.section("Adapters"):
            formatter.write_dl([(name, _describe_adapter(it)) for name, it in adapters.items()])
    names = {
        "samplers": atelier.samplers.names(),
        "schedules": atelier.schedules.names(),
        "guidance": atelier.guidances.names(),
        "accelerations": atelier.accelerations.names(),
        "conditioners": atelier.conditioners.names(),
        "databases": atelier.databases.names(),
    }
    with formatter.section("Installed"):
        formatter.write_dl([(kind, ", ".join(each)) for kind, each in names.items()])


def _describe_default(value: Any) -> str:
    """Return a default as it is typed: '64x64', '20', 'cfg:scale=5.0'."""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, BaseModel):
        name, options = value.name, value.options  # type: ignore[attr-defined]
        pairs = ",".join(f"{key}={option}" for key, option in options.items())
        return f"{name}:{pairs}" if pairs else str(name)
    return str(value)


def _describe_adapter(adapter: tuple[str, type[BaseModel] | None] | str) -> str:
    """Return the input that an adapter adds, or the error text."""
    if isinstance(adapter, str):
        return adapter
    name, model = adapter
    if name == NO_INPUT:
        return name
    return f"{name}: {describe_input(None if model is None else model.model_json_schema())}"
