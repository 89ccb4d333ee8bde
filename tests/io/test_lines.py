import errno
import io
from pathlib import Path

import pytest

from latelier.io.lines import append_line


def test_lines_are_appended(tmp_path):
    for line in ("one", "zwölf"):
        append_line(tmp_path / "log", line)
    assert (tmp_path / "log").read_bytes() == "one\nzwölf\n".encode()


def test_half_a_line_stays_apart_from_the_next(tmp_path):
    (tmp_path / "log").write_text("one\ntw")
    append_line(tmp_path / "log", "three")
    assert (tmp_path / "log").read_text() == "one\ntw\nthree\n"


def test_a_full_disk_that_takes_half_a_line_is_an_error(tmp_path, monkeypatch):
    class FullDisk(io.BytesIO):
        def write(self, data):
            return super().write(data[:2])

    monkeypatch.setattr(Path, "open", lambda *arguments, **options: FullDisk())
    with pytest.raises(OSError, match="No space left on device") as caught:
        append_line(tmp_path / "log", "one")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "log")
