"""Checks that a client cannot make a conditioner read the files of its host."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import read_input
from latelier.testing.conditioner_checks.base import ConditionerBase
from latelier.testing.support.audit import Activity, watch

MAX_PLACES = 100
"""Most places of an input that are tried."""

FILES = ("present.png", "present.npy")
"""Files that inputs might take, in the working directory: short paths, which errors do not cut."""


class ClientChecks(ConditionerBase):
    """Inputs from a client, which are read with `trusted=False`, name no files."""

    @pytest.fixture
    def files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Write `FILES` into an empty working directory and return it."""
        Image.new("RGB", (64, 64), "red").save(tmp_path / "present.png")
        np.save(tmp_path / "present.npy", np.ones((1, 4), np.float32))
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_a_client_cannot_open_a_file(self, files: Path) -> None:
        """A path in a request is not opened, in whichever field it is."""
        for name in FILES:
            for value in self._with_text(name):
                activity, _ = self._read_as_client(value, files)
                opened = [path for path in activity.opened if Path(path).absolute() == files / name]
                assert not opened, (
                    f"it opens the path in {value!r:.200}: in a validator of Input ask "
                    "latelier.contracts.frozen.is_trusted before a file is opened"
                )

    def test_a_client_does_not_learn_which_files_exist(self, files: Path) -> None:
        """What becomes of a path in a request does not depend on whether the file exists."""
        for name in FILES:
            for value in self._with_text(name):
                _, error = self._read_as_client(value, files)
                (files / name).rename(files / "elsewhere")
                _, without = self._read_as_client(value, files)
                (files / "elsewhere").rename(files / name)
                assert error == without, (
                    f"a path in {value!r:.200} gives '{error}' if its file exists, else '{without}'"
                )

    def _with_text(self, text: str) -> Iterator[Any]:
        """Yield the inputs of the test, each with a text in the place of one of its values."""
        for value in self.inputs:
            fields = self.read(value).model_dump(mode="json")
            yield from islice(_replace_each(fields, text), MAX_PLACES)

    def _read_as_client(self, value: Any, folder: Path) -> tuple[Activity, str]:
        """Return what reading and preparing an input does, and its error; '' without one."""
        component = self.build()
        with watch(folder) as activity:
            try:
                model = self.registry.input_class(self.component)
                known = read_input(model, value, self.component, trusted=False)
                component.prepare([known], self.geometry)
            except InvalidInputError as error:
                return activity, str(error)
        return activity, ""


def _replace_each(value: Any, text: str) -> Iterator[Any]:
    """Yield copies of nested values, each with one value, or a list of them, replaced."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        inner = _replace_each(each, text) if isinstance(each, dict | list) else ()
        for changed in (text, *inner):
            copy: Any = dict(value) if isinstance(value, dict) else list(value)
            copy[key] = changed
            yield copy
