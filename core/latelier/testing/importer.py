"""What every importer keeps to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from latelier.checkpoints.importers.building import build_adapter, build_part
from latelier.checkpoints.importers.source import open_source
from latelier.contracts.errors import LatelierError
from latelier.contracts.importing import Imported, Importer, ImportSource
from latelier.diffusion.processes.kinds import process_from
from latelier.diffusion.processes.process import Process
from latelier.testing.audit import Deeds, watched
from latelier.testing.component import ComponentContract

_MODEL = {"first_stage", "denoiser"}
_ADAPTER = {"adapter", "conditioner"}


class ImporterContract(ComponentContract):
    """The contract of importers. A plugin's own test file:

        from latelier.testing import ImporterContract

        class TestNotes(ImporterContract):
            component = "latelier-notes/notes"

            def source(self, folder):
                save_file({"table": torch.ones(4, 8)}, folder / "a.notes")
                return folder / "a.notes"

    component: the full id, 'distribution/name', or the bare name while it is unique.
    foreign: names of files that it must not take, beside the kit's own, with their bytes.

    `source` writes a small model of the format to a folder and returns where it is; or a source
    whose tensors are at hand, on the meta device for one, where no small model is of the format.
    """  # noqa: D415

    kind = "importer"
    foreign: ClassVar[Mapping[str, bytes]] = {}

    def source(self, folder: Path) -> Path | ImportSource:
        """Return a model of the format: its path in `folder`, or a source."""
        raise NotImplementedError

    @pytest.fixture
    def opened(self, tmp_path: Path) -> "Guarded":
        """The source, as it is shown to importers."""
        folder = tmp_path / "model"
        folder.mkdir()
        source = self.source(folder)
        opened = open_source(source, None, {}) if isinstance(source, Path) else source
        return Guarded(opened)

    @property
    def importer(self) -> Importer:
        """A new importer."""
        importer: Importer = self.registry.get(self.component)()
        return importer

    def test_it_recognises_its_format(self, opened: "Guarded") -> None:
        """By names, keys and shapes."""
        assert self.importer.recognises(opened) is True

    def test_recognising_reads_no_tensor(self, opened: "Guarded") -> None:
        """Every importer is asked about every source, and one may have 20 gigabytes."""
        self.importer.recognises(opened)
        assert not opened.read, (
            f"recognises reads tensors ({', '.join(opened.read)}): look at source.shapes()"
        )

    def test_it_recognises_nothing_else(self, tmp_path: Path) -> None:
        """Neither weights of no known name nor a file of text, nor what the test calls foreign."""
        others = tmp_path / "others"
        others.mkdir()
        save_file({"no.such.tensor": torch.zeros(2)}, others / "strange.safetensors")
        files = {"notes.txt": b"hello", "config.json": b"{}", **self.foreign}
        for name, data in files.items():
            (others / name).write_bytes(data)
        for path in [*sorted(others.iterdir()), others]:
            taken = self.importer.recognises(Guarded(open_source(path, None, {})))
            assert taken is False, f"it takes {path.name}, which is not of its format"

    def test_no_other_importer_recognises_its_format(self, opened: "Guarded") -> None:
        """A source that two recognise is an error for whoever has both installed."""
        registry = self.registry
        others = [spec.id for spec in registry.specs() if spec.id != self.spec.id]
        also = [id_ for id_ in others if registry.get(id_)().recognises(opened)]
        assert not also, f"{', '.join(also)} takes it too: recognise by what only your format has"

    def test_it_reads_what_can_be_built(self, opened: "Guarded") -> None:
        """Parts of registered components, with complete weights under their own names."""
        imported = self.importer.read(opened)
        assert imported.parts, "it reads no part"
        try:
            self._build(imported)
        except LatelierError as error:
            pytest.fail(f"what it reads cannot be built: {error}")

    def test_a_whole_model_says_how_it_was_trained(self, opened: "Guarded") -> None:
        """Its noise process, and the size of its pictures; a component alone needs neither."""
        imported = self.importer.read(opened)
        places = imported.parts.keys()
        if places in ({"first_stage"}, {"denoiser"}, _ADAPTER):
            return
        others = [place for place in places - _MODEL if not place.startswith("conditioners.")]
        assert not others, f"there is no such place: {', '.join(others)}"
        assert places >= _MODEL, "a whole model has a first_stage and a denoiser"
        try:
            process: Process | None = process_from(imported.process)
        except LatelierError as error:
            pytest.fail(f"its process is none: {error}")
        assert process is not None
        assert "size" in imported.defaults, "its defaults lack the size of pictures"

    def test_it_reads_the_same_twice(self, opened: "Guarded") -> None:
        """One importer may read several sources: nothing of the first is in the second."""
        importer = self.importer
        first, second = importer.read(opened), importer.read(opened)
        assert _outline(first) == _outline(second), "the second reading is another"

    def test_weights_that_lack_tensors_are_one_clear_error(self, opened: "Guarded") -> None:
        """A LatelierError in one line, and no KeyError from inside."""
        empty = Guarded(opened.source, empty=True)
        refused = None
        try:
            imported = self.importer.read(empty)
            self._build(imported)
        except LatelierError as error:
            refused = str(error)
        except Exception as error:
            pytest.fail(
                f"weights without tensors raise {type(error).__name__} ({error}): raise "
                "ModelFileError, and name what is missing"
            )
        assert refused, "weights without tensors are taken for a model"
        assert len(refused.splitlines()) <= 20, f"the error is long: {refused[:500]}"

    @pytest.fixture
    def deeds(self, opened: "Guarded", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deeds:
        """What it does to the machine, at home in an empty folder."""
        home, folder = tmp_path / "home", tmp_path / "folder"
        home.mkdir()
        folder.mkdir()
        for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.setenv(name, str(home))
        monkeypatch.chdir(home)
        with watched(folder) as deeds:
            importer = self.importer
            if importer.recognises(opened):
                importer.read(opened)
        return deeds

    def test_it_opens_no_connection(self, deeds: Deeds) -> None:
        """All it reads lies with the weights: `source.sibling`, `source.tensors_of`."""
        assert not deeds.connections, f"it uses the network: {'; '.join(deeds.connections)}"

    def test_it_starts_no_process(self, deeds: Deeds) -> None:
        """What is dangerous to read, the host has converted."""
        assert not deeds.processes, f"it starts a process: {'; '.join(deeds.processes)}"

    def test_it_writes_no_files(self, deeds: Deeds) -> None:
        """The host writes what it returns."""
        assert not deeds.writes, f"it writes {', '.join(sorted(set(deeds.writes)))}"

    def _build(self, imported: Imported) -> None:
        """Build what was read."""
        if imported.parts.keys() == _ADAPTER:
            build_adapter(imported.parts, "it", self.atelier())
            return
        for place, part in imported.parts.items():
            build_part(place, part, self.atelier())


@dataclass(frozen=True)
class Guarded:
    """A source that remembers which tensors were read. empty: one without any."""

    source: ImportSource
    empty: bool = False
    read: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The file or folder that was named."""
        return self.source.path

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The YAML."""
        return self.source.config

    @property
    def options(self) -> Mapping[str, Any]:
        """What the person said beside."""
        return self.source.options

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shape of each tensor."""
        return {} if self.empty else self.source.shapes()

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the tensors, and remember it."""
        self.read.append("tensors()")
        return {} if self.empty else self.source.tensors()

    def tensors_of(self, path: Path, /) -> Mapping[str, Tensor]:
        """Return the tensors of another file, and remember it."""
        self.read.append(f"tensors_of({path.name})")
        return {} if self.empty else self.source.tensors_of(path)

    def sibling(self, name: str, /) -> bytes | None:
        """Return a file that lies with the weights."""
        return self.source.sibling(name)


def _outline(imported: Imported) -> Any:
    parts = {
        place: (part.id, dict(part.config), sorted(part.tensors), dict(part.assets))
        for place, part in imported.parts.items()
    }
    return parts, dict(imported.process), dict(imported.defaults), dict(imported.inputs)
