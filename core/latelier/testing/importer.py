"""The contract of importers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from latelier.checkpoints.importers.building import build_part
from latelier.checkpoints.importers.source import open_source
from latelier.contracts.errors import LatelierError
from latelier.contracts.importing import Imported, Importer, ImportSource
from latelier.conversion.importing import find_inputs
from latelier.diffusion.processes.kinds import process_from
from latelier.diffusion.processes.process import Process
from latelier.testing.side_effects import SideEffectChecks, isolate_home
from latelier.testing.support.audit import Activity, watch
from latelier.testing.support.comparison import check_one_clear_error

_MODEL = {"first_stage", "denoiser"}
_ADAPTER = {"adapter", "conditioner"}


class ImporterContract(SideEffectChecks):
    """The contract of importers. A plugin's own test file:

        from latelier.testing import ImporterContract

        class TestNotes(ImporterContract):
            component = "latelier-notes/notes"

            def source(self, folder):
                save_file({"table": torch.ones(4, 8)}, folder / "a.notes")
                return folder / "a.notes"

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        foreign_files: name -> bytes of further files that it must not recognize.

    `source` writes a small model of the format to a folder and returns its path. Where no small
    model has the format, it returns a source, whose tensors may be on the meta device.
    """  # noqa: D415

    kind = "importer"
    foreign_files: ClassVar[Mapping[str, bytes]] = {}

    def source(self, folder: Path) -> Path | ImportSource:
        """Return a model of the format: its path in `folder`, or a source."""
        raise NotImplementedError

    @pytest.fixture
    def opened(self, tmp_path: Path) -> "RecordedSource":
        """The source, which records what importers read of it."""
        folder = tmp_path / "model"
        folder.mkdir()
        source = self.source(folder)
        opened = open_source(source, None, {}) if isinstance(source, Path) else source
        return RecordedSource(opened)

    @property
    def importer(self) -> Importer:
        """A new importer."""
        return self.registry.get(self.component)()

    def test_it_recognizes_its_format(self, opened: "RecordedSource") -> None:
        """It decides by names, keys and shapes."""
        assert self.importer.recognizes(opened) is True

    def test_recognizing_reads_no_tensor(self, opened: "RecordedSource") -> None:
        """Every source is shown to every importer, and one may have 20 gigabytes."""
        self.importer.recognizes(opened)
        assert not opened.read, (
            f"recognizes reads tensors ({', '.join(opened.read)}): look at source.shapes()"
        )

    def test_it_recognizes_nothing_else(self, tmp_path: Path) -> None:
        """Unknown weights, text files and `foreign_files` are not of its format."""
        others = tmp_path / "others"
        others.mkdir()
        save_file({"no.such.tensor": torch.zeros(2)}, others / "strange.safetensors")
        files = {"notes.txt": b"hello", "config.json": b"{}", **self.foreign_files}
        for name, data in files.items():
            (others / name).write_bytes(data)
        for path in [*sorted(others.iterdir()), others]:
            recognized = self.importer.recognizes(RecordedSource(open_source(path, None, {})))
            assert recognized is False, f"it recognizes {path.name}, which is not of its format"

    def test_no_other_importer_recognizes_its_format(self, opened: "RecordedSource") -> None:
        """A source that two importers recognize is an error where both are installed."""
        registry = self.registry
        others = [spec.id for spec in registry.specs() if spec.id != self.spec.id]
        also = [id_ for id_ in others if registry.get(id_)().recognizes(opened)]
        assert not also, f"{', '.join(also)} recognizes it too: test for what only your format has"

    def test_its_parts_can_be_built(self, opened: "RecordedSource") -> None:
        """It reads parts of registered components, with complete weights under their names."""
        imported = self.importer.read(opened)
        assert imported.parts, "it reads no part"
        try:
            self._build(imported)
        except LatelierError as error:
            pytest.fail(f"the parts that it reads cannot be built: {error}")

    def test_a_whole_model_has_a_process_and_a_size(self, opened: "RecordedSource") -> None:
        """A component alone needs neither noise process nor picture size."""
        imported = self.importer.read(opened)
        places = imported.parts.keys()
        if places in ({"first_stage"}, {"denoiser"}, _ADAPTER):
            return
        others = [place for place in places - _MODEL if not place.startswith("conditioners.")]
        assert not others, f"unknown places of parts: {', '.join(others)}"
        assert places >= _MODEL, "a whole model has a first_stage and a denoiser"
        try:
            process: Process | None = process_from(imported.process)
        except LatelierError as error:
            pytest.fail(f"its process is invalid: {error}")
        assert process is not None
        assert "size" in imported.defaults, "its defaults lack the picture size"

    def test_its_inputs_feed_its_conditioners(self, opened: "RecordedSource") -> None:
        """One input may feed several conditioners, and each is fed by one at most."""
        imported = self.importer.read(opened)
        if not imported.parts.keys() >= _MODEL:
            return
        try:
            find_inputs(imported, inpainting=())
        except LatelierError as error:
            pytest.fail(f"its inputs are invalid: {error}")

    def test_reading_twice_gives_the_same(self, opened: "RecordedSource") -> None:
        """One importer may read several sources: it keeps nothing between them."""
        importer = self.importer
        first, second = importer.read(opened), importer.read(opened)
        assert _outline(first) == _outline(second), "the second reading differs from the first"

    def test_missing_tensors_raise_a_clear_error(self, opened: "RecordedSource") -> None:
        """A LatelierError of at most 20 lines, and no KeyError from inside."""
        empty = RecordedSource(opened.source, is_empty=True)
        check_one_clear_error(
            lambda: self._build(self.importer.read(empty)),
            "weights without tensors",
            "raise ModelFileError, and name the missing tensors",
            max_lines=20,
        )

    @pytest.fixture
    def activity(
        self, opened: "RecordedSource", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Activity:
        """What it does to the machine while it reads."""
        with watch(isolate_home(tmp_path, monkeypatch)) as activity:
            importer = self.importer
            if importer.recognizes(opened):
                importer.read(opened)
        return activity

    def _build(self, imported: Imported) -> None:
        """Build the parts of a model or of an adapter."""
        for place, part in imported.parts.items():
            build_part(place, part, self.atelier())


@dataclass(frozen=True)
class RecordedSource:
    """A source that records which tensors are read.

    Attributes:
        source: the source itself.
        is_empty: whether to hide all tensors.
        read: the calls that read tensors.
    """

    source: ImportSource
    is_empty: bool = False
    read: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The file or folder to import."""
        return self.source.path

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The configuration file of the model, if there is one."""
        return self.source.config

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the import."""
        return self.source.options

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shape of each tensor."""
        return {} if self.is_empty else self.source.shapes()

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the tensors, and record the call."""
        self.read.append("tensors()")
        return {} if self.is_empty else self.source.tensors()

    def tensors_of(self, path: Path, /) -> Mapping[str, Tensor]:
        """Return the tensors of another file, and record the call."""
        self.read.append(f"tensors_of({path.name})")
        return {} if self.is_empty else self.source.tensors_of(path)

    def sibling(self, name: str, /) -> bytes | None:
        """Return a file of the same folder as the weights."""
        return self.source.sibling(name)


def _outline(imported: Imported) -> Any:
    parts = {
        place: (part.id, dict(part.config), sorted(part.tensors), dict(part.assets))
        for place, part in imported.parts.items()
    }
    return parts, dict(imported.process), dict(imported.defaults), dict(imported.inputs)
