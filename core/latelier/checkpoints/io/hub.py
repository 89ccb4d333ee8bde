"""Fetching files of a repository on the Hugging Face hub."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from latelier.contracts.errors import ModelFileError
from latelier.io.user_folders import expand_home

_NAME = re.compile(
    r"(?P<repository>[\w-][\w.-]*/[\w.-]+)(/(?P<file>[^@]+))?(@(?P<revision>[\w./-]+))?"
)

_FILE_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx", ".json")
"""Ends of paths of files: folder/FILE is not a repository."""

_LIBRARIES = ("huggingface_hub", "httpx", "httpx2", "requests")


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
    with _report_hub_errors(name.repository):
        import huggingface_hub

        hub = huggingface_hub.HfApi()
        return list(hub.list_repo_files(name.repository, revision=name.revision))


def fetch(repository: str, revision: str | None, files: Sequence[str]) -> Path:
    """Return the folder of a repository after fetching `files`. Its name is the commit.

    Args:
        repository: owner/name.
        revision: a branch, tag or commit; None: the default branch.
        files: paths in the repository; no character in them is a pattern.

    Raises:
        ModelFileError: the repository is missing, or the hub cannot be reached.
    """
    with _report_hub_errors(repository):
        import huggingface_hub

        folder = huggingface_hub.snapshot_download(
            repository, revision=revision, allow_patterns=[escape(file) for file in files]
        )
        return Path(folder)


def find_fetched(name: HubName) -> Path:
    """Return the folder of a repository that was fetched earlier, without the network.

    Raises:
        ModelFileError: it was not fetched.
    """
    with _report_hub_errors(name.repository):
        import huggingface_hub

        folder = huggingface_hub.snapshot_download(
            name.repository, revision=name.revision, local_files_only=True
        )
        return Path(folder)


def find_local(name: str) -> Path:
    """Return a path, or a file or repository of the hub that was fetched before.

    Args:
        name: the path, or owner/name[/FILE][@revision].

    Raises:
        ModelFileError: it is none of them. The error says how to fetch it.
    """
    path = expand_home(Path(name))
    if path.exists():
        return path
    hub = parse_hub_name(name)
    if hub is None:
        raise ModelFileError(f"{name}: not found")
    try:
        path = find_fetched(hub) / (hub.file or "")
    except ModelFileError:
        path = Path()
    if path == Path() or not path.exists():
        words = ["hf download", hub.repository, hub.file, hub.revision and "--revision"]
        command = " ".join(word for word in (*words, hub.revision) if word)
        raise ModelFileError(
            f"{name}: not found, neither as a path nor among what was fetched from the hub; to "
            f"fetch it: {command}"
        )
    return path


@contextmanager
def _report_hub_errors(repository: str) -> Iterator[None]:
    """Turn each error of the hub or of the network into one ModelFileError about `repository`."""
    try:
        yield
    except Exception as error:
        if not _is_hub_error(error):
            raise
        raise ModelFileError(
            f"there is no folder '{repository}', and it could not be fetched from the hub: "
            f"{_reason(error)}"
        ) from None


def _is_hub_error(error: Exception) -> bool:
    """Return whether a valid call can raise `error` because of the network or the user's settings.

    The HTTP library of huggingface_hub depends on its version, and its errors share no base class.
    """
    libraries = {base.__module__.partition(".")[0] for base in type(error).__mro__}
    return isinstance(error, (OSError, ValueError)) or not libraries.isdisjoint(_LIBRARIES)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "the access token (HF_TOKEN) holds a character that is not ASCII; correct the token"
    return str(error).strip().partition("\n")[0] or type(error).__name__
