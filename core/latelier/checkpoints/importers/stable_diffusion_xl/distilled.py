"""Fine-tunes of Stable Diffusion XL for few steps, which only the name of their file tells."""

import re
from typing import Any

_SAMPLERS = {
    "lightning": "euler",  # arXiv:2402.13929
    "turbo": "euler_ancestral",  # arXiv:2311.17042
    "lcm": "lcm",  # arXiv:2310.04378
}
_NAME = re.compile("|".join(_SAMPLERS), re.IGNORECASE)
_STEPS = re.compile(r"(\d{1,2})[-_ ]?steps?", re.IGNORECASE)


def find_distilled_defaults(name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the defaults of a run, and notes, for the name of a file; neither for other names.

    These models are sampled without guidance.
    """
    found = _NAME.search(name)
    if found is None:
        return {}, ()
    steps = _STEPS.search(name)
    defaults = {
        "steps": max(1, int(steps[1])) if steps else 4,
        "sampler": _SAMPLERS[found[0].lower()],
        "schedule": {"name": "model", "options": {"spacing": "trailing"}},
        "guidance": 1.0,
    }
    note = (
        f"by default it makes {defaults['steps']} steps without guidance, because '{found[0]}' in "
        "the name of the file points to a model for few steps"
    )
    return defaults, (note,)
