"""The names of samplers and schedules in AUTOMATIC1111's web UI, in ours."""

from collections.abc import Collection

_IN_SAMPLERS = ("karras", "exponential")
"""Schedules that older versions of the web UI name at the end of samplers."""

_TRAINED = ("ddim", "normal", "sgm_uniform", "simple", "uniform")
"""Names of the noise levels that a model was trained with."""


def translate_sampler(name: str) -> tuple[str, str | None]:
    """Return our names of a sampler and of the schedule at its end, if there is one.

    "DPM++ 2M Karras" is "dpmpp_2m" and "karras", "Euler a" is "euler_ancestral". Names that the
    web UI does not have are only spelt as ours are.
    """
    plain, schedule = _spell(name), None
    sampler, _, end = plain.rpartition("_")
    if sampler and end in _IN_SAMPLERS:
        plain, schedule = sampler, end
    return (f"{plain}ncestral" if plain.endswith("_a") else plain), schedule


def translate_schedule(name: str) -> str:
    """Return our name of a schedule: that of "SGM Uniform" is "model"."""
    plain = _spell(name)
    return "model" if plain in _TRAINED else plain


def explain_name(kind: str, name: str, known: Collection[str]) -> str:
    """Return what a name of the web UI is here; '' if it is none, or differs in its case alone."""
    if kind == "sampler":
        ours, schedule = translate_sampler(name)
    elif kind == "schedule":
        ours, schedule = translate_schedule(name), None
    else:
        return ""
    if ours not in known or ours == name.lower():
        return ""
    ending = f" with `schedule={schedule}`" if schedule else ""
    return f"Here it is `{kind}={ours}`{ending}."


def _spell(name: str) -> str:
    return name.strip().lower().replace("++", "pp").replace(" ", "_")
