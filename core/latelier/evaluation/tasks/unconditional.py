"""Pictures of nothing but noise (Table 1 of Rombach et al. 2022)."""

from typing import Literal

from latelier.evaluation.tasks.task import GenerationTask


class Unconditional(GenerationTask):
    """Pictures of noise alone; the data give their size and the originals."""

    kind: Literal["unconditional"] = "unconditional"
