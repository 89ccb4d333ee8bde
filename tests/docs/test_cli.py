"""docs/cli.md agrees with the help of every command, and shows what the commands do."""

import json
import re
from pathlib import Path

import pytest

from latelier.cli.support.lazy import COMMANDS

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
SECTIONS = {
    title: text
    for title, _, text in (part.partition("\n") for part in re.split(r"^## ", PAGE, flags=re.M)[1:])
}
SECTION_OF = {"import": "import and export", "export": "import and export"}
COMMON = {"--help", "-h"}


def options_in(text):
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text))


@pytest.fixture
def commands(cli):
    """Command, with its subcommand if it has any -> its options."""
    found = {}
    for name in COMMANDS:
        listed = cli(name, "--help").out.partition("Commands:\n")[2]
        subcommands = re.findall(r"^  (\S+)  ", listed, flags=re.M)
        for command in [(name, each) for each in subcommands] or [(name,)]:
            out = cli(*command, "--help").out.partition("Options:\n")[2]
            heads = [line for line in out.partition("\n\n")[0].splitlines() if line[2:3] == "-"]
            found[command] = set().union(
                *(options_in(re.split(r"  +", h.strip())[0]) for h in heads)
            )
    return found


def test_every_option_is_on_the_page(commands):
    missing = {}
    for command, options in commands.items():
        section = SECTIONS[SECTION_OF.get(command[0], command[0])]
        missing[command] = options - COMMON - options_in(section)
    assert {command: options for command, options in missing.items() if options} == {}


def test_every_option_on_the_page_exists(commands):
    for title, text in SECTIONS.items():
        known = set().union(
            *(
                options
                for command, options in commands.items()
                if SECTION_OF.get(command[0], command[0]) == title
            )
        )
        prose = re.sub(r"(pip install|torchrun)[^`\n]*", "", text)  # options of other programs
        assert options_in(prose) <= known | COMMON, title


def test_every_command_is_in_the_table(commands):
    listed = set()
    for names in re.findall(r"^\| `latelier ([^`]+)` \|", PAGE, flags=re.M):
        command, _, subcommands = names.partition(" ")
        each_of = subcommands.split(r"\|") if subcommands else [None]
        listed |= {(command, each) if each else (command,) for each in each_of}
    assert listed == set(commands)


def test_the_json_of_replay_is_documented(cli, tmp_path):
    shown = re.search(r"^\{\n.*?^\}$", SECTIONS["replay"], flags=re.M | re.S)[0]
    cli("generate", "a cat", "--steps", 1, "-o", "a.png")
    done = cli("replay", "a.png", "--json", "-o", "again.png")
    assert json.loads(shown) == json.loads(done.out)


def test_the_files_of_generate_are_documented(cli):
    done = cli("generate", "a cat", "-n", 4, "--seed", 7, "-o", "cats", "--steps", 1)
    assert done.out.split() == SECTIONS["generate"].partition("cats.png\n")[2].split()[:4]


def test_the_preset_of_the_page_can_be_built(cli, tmp_path):
    preset = re.search(r"```yaml\n(.*?)```", SECTIONS["models"], flags=re.S)[1]
    (tmp_path / "faces.yaml").write_text(preset)
    done = cli("models", "build", "faces.yaml", "faces")
    assert (done.status, done.out) == (0, "faces\n"), done
