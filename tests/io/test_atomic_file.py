"""Files are whole or not there; rewriting one keeps what it is beside its content."""

import stat

import pytest

from latelier.io.atomic import atomic_file, atomic_overwrite


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("there", [True, False])
def test_a_failure_leaves_what_was_there(tmp_path, error, there):
    path = tmp_path / "file"
    if there:
        path.write_text("old")

    def interrupted():
        with atomic_file(path) as beside:
            beside.write_text("half of the n")
            assert beside.parent == path.parent
            raise error

    with pytest.raises(error):
        interrupted()
    assert [each.name for each in tmp_path.iterdir()] == (["file"] if there else [])
    assert not there or path.read_text() == "old"


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with atomic_file(path) as one, atomic_file(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # the outer one is renamed last
    assert list(tmp_path.iterdir()) == [path]


def test_a_rewritten_file_keeps_its_mode_and_a_link_leads_to_it(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o600)
    link.symlink_to(path)
    atomic_overwrite(link, b"new")
    assert path.read_text() == "new"
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "link"]


def test_a_rewritten_file_may_be_new(tmp_path):
    atomic_overwrite(tmp_path / "new" / "file", b"new")
    assert (tmp_path / "new" / "file").read_text() == "new"
