"""What built-in functions do to the picture, said in words that need no knowledge of diffusion."""

import re

import pytest

from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy

MAX_LENGTH = 100

JARGON = r"sigma|\bx0|\beps\b|arXiv|et al|SDE|ODE|\border|denois|NFE|latent|solver|[=()`]"

REGISTRIES = Atelier(policy=Policy(allow=frozenset())).registries
SPECS = [
    spec
    for kind in ("sampler", "schedule", "guidance", "acceleration")
    for spec in REGISTRIES[kind].specs()
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}-{spec.name}")
def test_a_summary_is_one_plain_sentence(spec):
    assert re.fullmatch(r"[A-Z][^.]*\.", spec.summary)
    assert len(spec.summary) <= MAX_LENGTH
    assert not re.search(JARGON, spec.summary)
