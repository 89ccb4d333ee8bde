"""The kinds of plugins that can be started, as they are typed."""

from typing import Literal

PluginKind = Literal["conditioner", "sampler", "first-stage", "denoiser", "importer"]
