"""Fetching files of a repository on the Hugging Face hub."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latelier.contracts.errors import ModelFileError

_NAME = re.compile(
    r"(?P<repository>[\w-][\w.-]*/[\w.-]+)(/(?P<file>[^@]+))?(@(?P<revision>[\w./-]+))?"
)


_FILE_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx", ".json")
"""Ends of paths of files: folder/FILE is not a repository."""


@dataclass(frozen=True)
class HubName:
    """owner/name[/FILE][@revision].

    Attributes:
        repository: owner/name.
        file: path of a file in the repository.
        revision: a branch, tag or commit; None: the default branch.
    """

    repository: str
    file: str | None = None
    revision: str | None = None


def parse_hub_name(text: str) -> HubName | None:
    """Return the parts of owner/name[/FILE][@revision], or None for any other text."""
    match = _NAME.fullmatch(text)
    if match is None or match["repository"].endswith(_FILE_SUFFIXES):
        return None
    return HubName(match["repository"], match["file"], match["revision"])


def list_files(name: HubName) -> list[str]:
    """Return the paths of all files in a repository.

    Raises:
        ModelFileError: the repository is missing, or the hub cannot be reached.
    """
    import huggingface_hub

    try:
        files = huggingface_hub.HfApi().list_repo_files(name.repository, revision=name.revision)
    except _unreachable() as error:
        raise _not_fetched(name.repository, error) from None
    return list(files)


def fetch(repository: str, revision: str | None, files: Sequence[str]) -> Path:
    """Return the folder of a repository after fetching `files`. Its name is the commit.

    Args:
        repository: owner/name.
        revision: a branch, tag or commit; None: the default branch.
        files: paths in the repository.

    Raises:
        ModelFileError: the repository is missing, or the hub cannot be reached.
    """
    import huggingface_hub

    try:
        return Path(
            huggingface_hub.snapshot_download(
                repository, revision=revision, allow_patterns=list(files)
            )
        )
    except _unreachable() as error:
        raise _not_fetched(repository, error) from None


def find_fetched(name: HubName) -> Path:
    """Return the folder of a repository that was fetched earlier, without the network.

    Raises:
        ModelFileError: it was not fetched.
    """
    import huggingface_hub

    try:
        folder = huggingface_hub.snapshot_download(
            name.repository, revision=name.revision, local_files_only=True
        )
    except _unreachable() as error:
        raise _not_fetched(name.repository, error) from None
    return Path(folder)


def _not_fetched(repository: str, error: Exception) -> ModelFileError:
    """Return the error about a repository that could not be fetched."""
    reason = str(error).strip().partition("\n")[0]
    return ModelFileError(
        f"there is no folder '{repository}', and it could not be fetched from the hub: {reason}"
    )


def _unreachable() -> tuple[type[Exception], ...]:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    return HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError
