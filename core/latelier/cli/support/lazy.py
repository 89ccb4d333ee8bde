"""Commands that are imported when they are called, so that `--help` costs next to nothing."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

COMMANDS = {
    "generate": ("latelier.cli.commands.generate", "Make pictures."),
    "models": ("latelier.cli.commands.models", "List, show, verify and build models."),
    "plugins": (
        "latelier.cli.commands.plugins",
        "Start, list, show, examine, switch and lock plugins.",
    ),
    "samplers": ("latelier.cli.commands.samplers", "List samplers and compare them."),
    "replay": ("latelier.cli.commands.replay", "Make a picture again and say what differs."),
    "strip": ("latelier.cli.commands.strip", "Write pictures without provenance."),
    "data": ("latelier.cli.commands.data", "Look at the built-in data sets."),
    "import": ("latelier.cli.commands.import_", "Make a model of published weights."),
    "export": ("latelier.cli.commands.export", "Write a model as another program loads it."),
    "train": ("latelier.cli.commands.train", "Train the parts of a model."),
}
"""Name -> the module whose `app` it is, and one line of help."""


class _LightHelp:
    """For a flag without a value typer imports pydantic: `--help` gets one."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option of the help."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.default = False
        return option


class LightCommand(_LightHelp, TyperCommand):
    """A command that starts without pydantic, if none of its arguments needs it."""


class LightGroup(_LightHelp, TyperGroup):
    """A group of such commands."""


def new_app(cls: type[TyperGroup] = LightGroup, **options: Any) -> typer.Typer:
    """Return an app whose help and errors are plain text: rich would double the start-up."""
    return typer.Typer(
        cls=cls,
        rich_markup_mode=None,
        add_completion=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["--help", "-h"]},
        **options,
    )


class LazyGroup(LightGroup):
    """The group of all commands. It turns the errors that are a person's to mend into one line."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        names: dict[str, Any] = dict.fromkeys(COMMANDS)
        self.commands = names  # listed in the help, and what a misspelt command is compared with

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return a command, imported now, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        return get_command(import_module(module).app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        from latelier.contracts.errors import LatelierError

        try:
            return super().invoke(ctx)
        except LatelierError as error:
            if ctx.params["debug"]:
                import traceback

                traceback.print_exc()
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2) from None
        except (MemoryError, RuntimeError) as error:
            if ctx.params["debug"] or not _is_of_memory(error):
                raise
            typer.echo(f"error: there is not enough memory: {_first_line(error)}", err=True)
            raise typer.Exit(2) from None


def _is_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Tell whether memory has run out; torch is not imported to ask for its classes."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return "DefaultCPUAllocator" in str(error)


def _first_line(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0]
    return line.rpartition("DefaultCPUAllocator: ")[2] or "none is left"
