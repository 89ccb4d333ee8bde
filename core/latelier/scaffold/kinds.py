"""The kinds of plugins that `latelier plugins new` starts, as people type them."""

from typing import Literal

PluginKind = Literal[
    "conditioner",
    "sampler",
    "schedule",
    "guidance",
    "acceleration",
    "adapter",
    "adapter-kind",
    "first-stage",
    "denoiser",
    "importer",
    "database",
    "feature-network",
    "measure",
]
