"""Where a source is: a path, or owner/name[@revision] on the hub."""

import re
from collections.abc import Sequence
from pathlib import Path

from latelier.checkpoints.importers.source import WEIGHTS
from latelier.contracts.errors import ModelFileError
from latelier.io.user_folders import expand_home

_HUB_ID = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(/(?P<file>[^@]+))?(@(?P<revision>[\w.-]+))?")
_TOKENIZER = ("vocab.txt", "vocab.json", "merges.txt", "tokenizer.json")
_VARIANT = re.compile(r"\.(fp16|fp32|bf16|non_ema|ema)\.")
_UNREAD = ("safety_checker/", "image_encoder/")
"""Folders of diffusers whose weights, of a gigabyte or more, no part of a model here is made of."""


def locate(source: str) -> tuple[Path, str]:
    """Return where a source is on this machine, fetched if need be, and its name for people.

    The name of what is on the hub ends in the commit that was fetched.

    A path that is there comes first. owner/name/FILE is one file of a repository, and the YAML
    and vocabulary files beside it. With HF_HUB_OFFLINE set, or no network, what was fetched before
    is used.

    Raises:
        ModelFileError: there is no such path, and the hub has no such model or cannot be reached.
    """
    path = expand_home(source)
    if path.exists():
        return path, path.name
    match = _HUB_ID.fullmatch(source)
    if match is None or source.startswith((".", "/")):
        raise ModelFileError(f"{source}: there is no such file or folder")
    repository, file, revision = match["repository"], match["file"], match["revision"]
    folder = _fetched(repository, revision, file)
    name = f"{source.partition('@')[0]}@{folder.name}"
    return (folder / file if file else folder), name


def _fetched(repository: str, revision: str | None, file: str | None) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    unreachable = (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError)
    try:
        names = HfApi().list_repo_files(repository, revision=revision)
    except unreachable as error:
        try:
            return Path(snapshot_download(repository, revision=revision, local_files_only=True))
        except unreachable:
            reason = str(error).strip().partition("\n")[0]
            raise ModelFileError(
                f"there is no file or folder '{repository}', and it could not be fetched from the "
                f"hub: {reason}"
            ) from None
    wanted = [file, *_beside(names)] if file else wanted_files(repository, names)
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=wanted))
    except unreachable as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelFileError(
            f"'{repository}' could not be fetched from the hub: {reason}"
        ) from None


def wanted_files(repository: str, names: Sequence[str]) -> list[str]:
    """Return the files of a repository that an import reads.

    Of diffusers: configurations, vocabularies, and each component's weights once, as safetensors
    where there are. Else the one checkpoint, with the YAML files and vocabularies.

    Raises:
        ModelFileError: there are several checkpoints, or none.
    """
    small = [name for name in names if name.endswith((".json", ".txt", ".model"))]
    if {"model_index.json", "config.json"} & set(names):
        nested = "model_index.json" in names
        read = [name for name in names if not name.startswith(_UNREAD)]
        weights = [name for name in read if name.endswith(WEIGHTS) and ("/" in name) == nested]
        plain = [name for name in weights if not _VARIANT.search(name)] or weights
        folders = {_folder(name) for name in plain if name.endswith(".safetensors")}
        safe = [n for n in plain if n.endswith(".safetensors") or _folder(n) not in folders]
        return [*small, *safe]
    found = [name for name in names if name.endswith(WEIGHTS)]
    if len(found) != 1:
        some = ", ".join(f"{repository}/{name}" for name in found[:10]) or "none"
        raise ModelFileError(f"'{repository}' has {len(found)} checkpoints; name one: {some}")
    return [*found, *_beside(names)]


def _beside(names: Sequence[str]) -> list[str]:
    """Return the files that are read beside a checkpoint."""
    return [name for name in names if name.endswith((".yaml", ".yml", *_TOKENIZER))]


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
