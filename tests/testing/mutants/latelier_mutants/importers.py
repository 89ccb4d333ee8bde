"""A faultless importer, and faulty subclasses of it."""

import socket
import subprocess
from pathlib import Path

from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import Imported, ImportedPart


class Notes:
    """Faultless: a first stage whose one tensor is called `blocks.gain.NAME`."""

    options = frozenset()
    key = "blocks.gain.notes"

    def recognizes(self, source, /):
        return set(source.shapes()) == {self.key}

    def gain(self, source):
        tensors = source.tensors()
        if self.key not in tensors:
            raise ModelFileError(f"{source.path}: lacks the tensor '{self.key}'")
        return tensors[self.key]

    def read(self, source, /):
        part = ImportedPart("latelier-mutants/blocks", {}, {"gain": self.gain(source)})
        return Imported({"first_stage": part})


class NotesAlone(Notes):
    """Faultless; no other importer reads its format."""

    key = "blocks.gain.alone"


class RecognizesNothing(Notes):
    key = "blocks.gain.nothing"

    def recognizes(self, source, /):
        return False


class ReadsToRecognize(Notes):
    key = "blocks.gain.reads"

    def recognizes(self, source, /):
        return source.path.suffix == ".safetensors" and self.key in source.tensors()


class Greedy(Notes):
    """Recognizes text files too."""

    key = "blocks.gain.greedy"

    def recognizes(self, source, /):
        return super().recognizes(source) or source.path.suffix == ".txt"


class Twin(Notes):
    """Recognizes the format of another importer."""

    key = "blocks.gain.notes"


class HalfRead(Notes):
    key = "blocks.gain.half"

    def read(self, source, /):
        part = ImportedPart("latelier-mutants/blocks", {}, {"gains": self.gain(source)})
        return Imported({"first_stage": part})


class WithoutAProcess(Notes):
    key = "blocks.gain.process"

    def read(self, source, /):
        stage = ImportedPart("latelier-mutants/blocks", {}, {"gain": self.gain(source)})
        bare = ImportedPart("latelier-mutants/stateless", {})
        return Imported({"first_stage": stage, "denoiser": bare})


class FeedsNothing(Notes):
    """An input feeds a conditioner that the model does not have."""

    key = "blocks.gain.feeds"

    def read(self, source, /):
        stage = ImportedPart("latelier-mutants/blocks", {}, {"gain": self.gain(source)})
        bare = ImportedPart("latelier-mutants/stateless", {})
        parts = {"first_stage": stage, "denoiser": bare}
        return Imported(parts, {"kind": "edm"}, {"size": 8}, {"prompt": ["text"]})


class Remembers(Notes):
    key = "blocks.gain.remembers"

    def __init__(self):
        self.names = []

    def read(self, source, /):
        self.names.append(source.path.name)
        imported = super().read(source)
        return Imported(imported.parts, defaults={"names": list(self.names)})


class KeyErrors(Notes):
    key = "blocks.gain.keys"

    def gain(self, source):
        return source.tensors()[self.key]


class Fetches(Notes):
    key = "blocks.gain.fetches"

    def read(self, source, /):
        socket.socket().close()
        return super().read(source)


class Converts(Notes):
    key = "blocks.gain.converts"

    def read(self, source, /):
        subprocess.run(["true"], check=True)
        return super().read(source)


class Caches(Notes):
    key = "blocks.gain.caches"

    def read(self, source, /):
        Path("~/.latelier-mutant").expanduser().write_text("cache")
        return super().read(source)
