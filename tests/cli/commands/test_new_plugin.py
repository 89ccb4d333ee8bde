"""`latelier plugins new`."""

from typing import get_args

import pytest

from latelier.scaffold.kinds import PluginKind


def test_it_creates_a_package_and_prints_its_path(cli, tmp_path):
    made = cli("plugins", "new", "palette", "--kind", "sampler", "--author", "Ada")
    assert (made.status, made.out) == (0, "latelier-palette\n")
    assert made.err == "next: cd latelier-palette; pip install -e '.[dev]'; pytest\n"
    assert (tmp_path / "latelier-palette" / "pyproject.toml").is_file()
    again = cli("plugins", "new", "palette", "--kind", "sampler")
    assert (again.status, again.out) == (2, "")
    assert again.err == "error: latelier-palette: exists already; nothing was written\n"


def test_the_name_of_a_built_in_is_refused(cli, tmp_path):
    refused = cli("plugins", "new", "text", "--kind", "conditioner")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith("error: 'text' is already a conditioner of latelier; choose")
    assert not list(tmp_path.glob("latelier-*"))


@pytest.mark.parametrize("kind", get_args(PluginKind))
def test_every_kind_can_be_created(cli, tmp_path, kind):
    made = cli("plugins", "new", "warm-tone", "--kind", kind)
    assert (made.status, made.out) == (0, "latelier-warm-tone\n")
