"""Configurations that people write: whatever is wrong with one is one error that names it."""

import pytest

from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.contracts.errors import InvalidConfigError, ModelFileError


def test_a_mapping_is_read(tmp_path):
    (tmp_path / "c.yaml").write_text("a: [1, x]\n")
    assert read_yaml(tmp_path / "c.yaml") == {"a": [1, "x"]}


@pytest.mark.parametrize("error", [InvalidConfigError, ModelFileError])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a", "expected a mapping, got list"),
        ("", "expected a mapping, got NoneType"),
        ("a: [", "cannot be read as YAML"),
        ("a: !!python/name:os.system x", "cannot be read as YAML"),
        ("a: \xff", "cannot be read as YAML"),
        ("a: " + "x" * 2**20, "is too large"),
    ],
    ids=["list", "empty", "broken", "tag", "encoding", "large"],
)
def test_invalid_files_are_an_error(tmp_path, text, why, error):
    (tmp_path / "c.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(error, match=rf"c\.yaml: {why}"):
        read_yaml(tmp_path / "c.yaml", error)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InvalidConfigError, match=r"none\.yaml: not found"):
        read_yaml(tmp_path / "none.yaml")
