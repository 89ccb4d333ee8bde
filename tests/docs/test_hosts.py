"""The blocks of docs/hosts.md run, one after another, and do what the page says."""

import re
from pathlib import Path

import pytest

import latelier

PAGE = (Path(__file__).parents[2] / "docs" / "hosts.md").read_text()


@pytest.fixture(scope="module")
def after(run_page, tmp_path_factory):
    """What the blocks leave behind, and what they wrote."""
    assert len(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)) == 8
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("host"))
        found = run_page("hosts.md")
        assert Path("cat.png").is_file()
    return found


def test_printed_values_match_the_comments(after):
    _, lines = after
    comments = re.findall(r"print\(.*\)  # (.*)", PAGE)
    printed = ["1 of 4", "2 of 4", "3 of 4", "4 of 4"]
    assert [line for line in lines if line in comments] == comments
    assert [line for line in lines if line in printed] == printed


def test_a_client_gets_the_pictures_of_the_same_request(after):
    names, _ = after
    [alone] = names["pipe"].generate(prompt="a cat", seed=7, steps=2)
    [served] = names["last"].pictures
    assert served.image.tobytes() == alone.image.tobytes()


def test_a_response_is_a_jpeg(after):
    assert after[0]["body"].startswith(b"\xff\xd8")


def test_a_run_stops_with_its_host(after):
    assert after[0]["preview"].step == 2


def test_threads_give_the_pictures_of_single_runs(after):
    names, _ = after
    for prompt, picture in zip(names["prompts"], names["pictures"]):
        [alone] = names["pipe"].generate(prompt=prompt, seed=7, steps=2)
        assert alone.image.tobytes() == picture.image.tobytes()


def test_a_host_can_register_a_sampler(after):
    names, _ = after
    sampler = names["picture"].provenance["functions"]["sampler"]
    assert sampler == {"id": "our-studio/ours", "version": "1.0"}
    assert names["ours"].atelier.samplers.names() != latelier.samplers.names()


def test_every_documented_format_exists():
    from pydantic import TypeAdapter

    pictures = (latelier.Image, latelier.Mask, latelier.SemanticMap, latelier.Reference)
    schemas = [
        TypeAdapter(each).json_schema() for each in (*pictures, latelier.Box, latelier.Color)
    ]
    formats = [each.get("anyOf", [each])[0]["format"] for each in schemas]
    table = PAGE.partition("| `format` |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE) == formats
