"""Commands that plugins add: found by metadata, imported when they run, under the user's policy."""

import sys

import pytest

from latelier.kernel.trust.entry_points import COMMAND_GROUP

HELLO = """
    from typing import Annotated
    import typer

    def hello(name: str, loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
        \"\"\"Greet somebody.

        Args:
            loud: in capital letters.
        \"\"\"
        print(f"hello {name}".upper() if loud else f"hello {name}", file=__import__("sys").stderr)
"""


@pytest.fixture
def publish(site):
    """Install a distribution with the command `hello`."""

    def publish_it(distribution="latelier-hello", code=HELLO, group=COMMAND_GROUP, name="hello"):
        module = distribution.replace("-", "_")
        entries = {name: f"{module}:hello"}
        site.publish(distribution, code, entries=entries, group=group)

    return publish_it


def test_a_command_runs_with_its_options_and_has_a_help(publish, cli):
    publish()
    done = cli("hello", "ann", "--loud")
    assert (done.status, done.err) == (0, "HELLO ANN\n")
    out = cli("hello", "--help").out
    assert out.startswith("Usage: latelier hello")
    assert "Greet somebody." in out
    assert "In capital letters." in out


def test_the_help_lists_it_without_importing_it(publish, cli):
    publish(code="raise SystemExit(7)")
    done = cli("--help")
    assert done.status == 0
    assert "  hello " in done.out.partition("Commands of plugins:")[2]
    assert "latelier_hello" not in sys.modules


def test_without_such_plugins_the_help_has_no_section_for_them(cli):
    assert "Commands of plugins" not in cli("--help").out


def test_it_is_listed_among_the_plugins_and_can_be_disabled(publish, cli, monkeypatch):
    publish()
    assert "latelier-hello:hello" in cli("plugins", "list").out
    monkeypatch.setenv("LATELIER_PLUGINS_DENY", "latelier-hello")
    done = cli("hello", "ann")
    assert done.status == 2
    assert "command 'hello' of plugin 'latelier-hello:hello' is not loaded (disabled)" in done.err
    assert "latelier_hello" not in sys.modules


def test_a_lock_covers_it(publish, cli, monkeypatch, tmp_path):
    publish()
    cli("plugins", "lock", "--output", tmp_path / "a.lock")
    monkeypatch.setenv("LATELIER_LOCK", str(tmp_path / "a.lock"))
    assert cli("hello", "ann").status == 0
    (tmp_path / "a.lock").write_text('{"lock": 1, "plugins": {}}')
    done = cli("hello", "ann")
    assert (done.status, "changed_since_locked" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise ValueError('broken')", "cannot be imported: ValueError: broken"),
        ("raise SystemExit(7)", "failed: SystemExit: 7"),
        ("import no_such_module", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_command_that_cannot_be_imported_is_one_error(publish, cli, code, message):
    publish(code=code)
    done = cli("hello", "ann")
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err


GROUP = """
    import typer

    hello = typer.Typer(help="Greet or leave somebody.")

    @hello.command()
    def greet(name: str) -> None:
        \"\"\"Greet somebody.

        Args:
            name: of the person.
        \"\"\"
        print(f"hello {name}", file=__import__("sys").stderr)
"""


def test_several_commands_are_a_group(publish, cli):
    publish(code=GROUP)
    done = cli("hello", "greet", "ann")
    assert (done.status, done.err) == (0, "hello ann\n")
    out = cli("hello", "--help").out
    assert "Greet or leave somebody." in out
    assert "Of the person." in cli("hello", "greet", "--help").out


def test_a_command_for_another_major_version_is_refused(publish, cli):
    publish(group="latelier.v2.commands")
    done = cli("hello", "ann")
    assert (done.status, "incompatible_api" in done.err) == (2, True)
    assert "pip install --upgrade latelier" in done.err


def test_a_name_of_two_plugins_is_an_error_that_names_both(publish, cli):
    publish()
    publish("latelier-other")
    done = cli("hello", "ann")
    assert done.status == 2
    assert "latelier-hello:hello and latelier-other:hello" in done.err


def test_commands_of_latelier_keep_their_names(publish, cli):
    publish(name="replay")
    assert "Make a picture again" in cli("replay", "--help").out


def test_the_doctor_imports_it(publish, cli, monkeypatch, site):
    monkeypatch.setenv("PYTHONPATH", str(site.folder))
    publish()
    publish("latelier-broken", "hello = 3", name="broken")
    assert cli("plugins", "doctor", "latelier-hello").status == 0
    done = cli("plugins", "doctor", "latelier-broken")
    assert (done.status, "component_error" in done.out) == (2, True)


@pytest.mark.parametrize("name", ["serve", "studio"])
def test_a_command_of_the_repository_that_is_not_installed_says_how_to_get_it(
    cli, name, monkeypatch
):
    monkeypatch.setattr("latelier.cli.support.plugin_commands.discover_commands", list)
    done = cli(name)
    assert done.status == 2
    assert f"'{name}' is in a plugin that is not installed: pip install ./plugins/" in done.err
    assert f"latelier-{'server' if name == 'serve' else name} in a checkout" in done.err
