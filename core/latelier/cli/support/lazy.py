"""Commands that are imported when they run, so that `latelier --help` starts fast."""

import gc
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

COMMANDS = {
    "generate": ("latelier.cli.commands.generate", "Make pictures."),
    "models": ("latelier.cli.commands.models", "List, show, verify, build and merge models."),
    "plugins": (
        "latelier.cli.commands.plugins",
        "Create, list, examine, enable, disable and lock plugins.",
    ),
    "samplers": ("latelier.cli.commands.samplers", "List samplers and compare them."),
    "databases": ("latelier.cli.commands.databases", "List databases of reference pictures."),
    "replay": ("latelier.cli.commands.replay", "Make a picture again and compare the two."),
    "show": ("latelier.cli.commands.show", "Print the settings that a picture was made with."),
    "strip": ("latelier.cli.commands.strip", "Remove provenance from pictures."),
    "data": ("latelier.cli.commands.data.app", "Prepare, check and look at data sets."),
    "import": ("latelier.cli.commands.import_", "Make a model or adapter of published weights."),
    "export": ("latelier.cli.commands.export", "Write a model as another program loads it."),
    "train": ("latelier.cli.commands.train", "Train the parts of a model."),
    "measures": (
        "latelier.cli.commands.measures",
        "List measures and feature networks.",
    ),
    "evaluate": ("latelier.cli.commands.evaluate.app", "Measure models and pictures."),
}
"""Name -> the module that holds its `app`, and one line of help."""


_IN_REPOSITORY = {
    "batch": "./plugins/latelier-server ./plugins/latelier-ray",
    "preprocess": "./plugins/latelier-addons",
    "ray": "./plugins/latelier-server ./plugins/latelier-ray",
    "serve": "./plugins/latelier-server",
    "studio": "./plugins/latelier-server ./plugins/latelier-studio",
}
"""Commands of plugins in latelier's repository -> what `pip install` needs for them there."""


INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 and the number of the signal."""


_ENTRY = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
"""An entry of `Args:` in a docstring: a name, and a text of several lines."""


class _LightHelp:
    """Gives --help a default: for a flag without one typer imports pydantic."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.default = False
        return option


class LightCommand(_LightHelp, TyperCommand):
    """A command that starts without pydantic if none of its arguments needs it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; only its results reach standard output."""
        from latelier.cli.support.output import reserve_stdout

        with reserve_stdout():
            return super().invoke(ctx)


class DocumentedCommand(LightCommand):
    """A command whose docstring is its help: what it does, an example, and `Args:` for options."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        text, _, entries = (self.help or "").partition("\nArgs:\n")
        self.help = text.replace("Example:", "\b\nExample:")  # \b keeps a paragraph's lines
        options: dict[str | None, Any] = {each.name: each for each in self.params}
        for name, meaning in _ENTRY.findall(entries):
            words = " ".join(meaning.split())
            options[name].help = words[:1].upper() + words[1:]


class LightGroup(_LightHelp, TyperGroup):
    """A group of light commands."""


class LightTyper(typer.Typer):
    """A typer app whose commands are light, and whose help and errors are plain text."""

    def __init__(self, cls: type[TyperGroup] = LightGroup, **options: Any) -> None:
        super().__init__(
            cls=cls,
            rich_markup_mode=None,  # rich would double the start-up time
            add_completion=False,
            no_args_is_help=True,
            context_settings={"help_option_names": ["--help", "-h"]},
            **options,
        )

    def command(  # type: ignore[override]
        self, name: str | None = None, *, cls: type[TyperCommand] = LightCommand
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a function as a command."""
        return super().command(name, cls=cls)


class LazyGroup(LightGroup):
    """The group of all commands. It shows errors that a user can fix as one line."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        names: dict[str, Any] = dict.fromkeys(COMMANDS)
        self.commands = names  # for the list of commands, and hints for misspelt ones

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command and return it, or None if it does not exist."""
        if cmd_name != "plugins":  # they read metadata alone, or call it themselves
            from latelier.cli.support.foreign_plugins import skip_absent_plugins

            skip_absent_plugins()
        gc.disable()  # what an import makes stays: a search for garbage in it finds none
        try:
            app = _import_app(cmd_name)
            if app is None and cmd_name in _IN_REPOSITORY:
                needed = f"pip install {_IN_REPOSITORY[cmd_name]} in a checkout of latelier"
                ctx.fail(f"the command '{cmd_name}' is in a plugin that is not installed: {needed}")
            return None if app is None else get_command(app)
        finally:
            gc.freeze()
            gc.enable()

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the list of commands from the table and from metadata, without importing any."""
        from latelier.cli.support.plugin_commands import list_commands

        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])
        of_plugins = list_commands()
        if of_plugins:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(of_plugins)

    def invoke(self, ctx: Any) -> Any:
        """Run a command. Its error is one line and exit status 2, an interrupt one line and 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            typer.echo("; ".join(["interrupted", *map(str, interrupt.args)]), err=True)
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            from latelier.cli.support.failures import explain

            message = explain(error)
            if message is None:
                raise
            if ctx.params["debug"]:
                import traceback

                traceback.print_exc()
            typer.echo(f"error: {message}", err=True)
            raise typer.Exit(2) from None


def _import_app(name: str) -> typer.Typer | None:
    """Import the app of a command, of latelier itself or of a plugin; None if there is none."""
    if name in COMMANDS:
        module, _ = COMMANDS[name]
        app: typer.Typer = import_module(module).app
        return app
    from latelier.cli.support.plugin_commands import import_command

    loaded = import_command(name)
    if isinstance(loaded, typer.Typer):
        return _make_group(loaded)
    if loaded is None:
        return None
    app = LightTyper()
    app.command(name, cls=DocumentedCommand)(loaded)
    return app


def _make_group(commands: typer.Typer) -> LightTyper:
    """Return a group of the commands of a plugin, which are as those of latelier."""
    app = LightTyper(help=commands.info.help)
    app.callback()(lambda: None)  # a group, also of one command
    for each in commands.registered_commands:
        assert each.callback is not None
        app.command(each.name, cls=DocumentedCommand)(each.callback)
    return app
