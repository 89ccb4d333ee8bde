"""The tables of the study in Markdown."""

from collections.abc import Iterator, Sequence

from benchmarks.tradeoff.results import Estimate, ModelResult, Results
from latelier.evaluation.published.table import read_published
from latelier.evaluation.report.markdown import to_table


def format_tables(results: Results) -> str:
    """Return the tables of the first stages and of the models."""
    size, real = results.study, results.real
    return f"""\
# First stages alone, as Table 8 of the paper

{size["pictures"]} held-out scenes. The Fréchet distance is of features of the scene detector of
latelier (not Inception) to {size["reference"]} other scenes. Real scenes have
{_format(real.frechet)}, and the detector names the object of {_format(real.named, 100)} % of them.
In brackets are intervals of 95 %.

{to_table(_FIRST_STAGES, [_first_stage_row(each) for each in results.models])}

The paper's, on ImageNet at 256 pixels, with features of Inception: only the trend compares.

{to_table(("first stage", "latents", "R-FID ↓", "PSNR, dB ↑", "SSIM ↑"), list(_list_published()))}

# Models at the end of the training

Each denoiser is trained for {size["denoiser_steps"]} steps. Shown is the number of sampling steps
with the lowest distance. Pictures a second are those of `Pipeline.generate` on this CPU.

{to_table(_MODELS, [_model_row(each) for each in results.models if each.per_second])}
"""


_FIRST_STAGES = (
    "first stage", "f", "numbers a picture", "Fréchet distance ↓", "PSNR, dB ↑", "SSIM ↑",
    "perceptual (scene features) ↓", "object named, % ↑",
)  # fmt: skip

_MODELS = (
    "model", "batch", "learning rate", "samples", "Fréchet distance ↓", "object named, % ↑",
    "DDIM steps", "pictures a second ↑",
)  # fmt: skip


def _first_stage_row(model: ModelResult) -> Sequence[str]:
    each, is_exact = model.reconstruction, model.kind == "none"
    return (
        "none (pixels)" if is_exact else model.kind.upper(),
        str(model.factor),
        str(model.numbers),
        _format(each.frechet),
        "exact" if is_exact else f"{each.psnr.value:.2f}",
        f"{each.ssim.value:.3f}",
        f"{each.perceptual.value:.4f}",
        _format(each.named, 100),
    )


def _list_published() -> Iterator[Sequence[str]]:
    """Yield the rows of the paper's table that have a PSNR."""
    for row in read_published("table-08").rows:
        if row.model.startswith("f") and "psnr" in row.values:
            values = [row.values.get(name) for name in ("frechet_distance", "psnr", "ssim")]
            texts = ["" if value is None else f"{value:g}" for value in values]
            yield row.model, row.setting, *texts


def _model_row(model: ModelResult) -> Sequence[str]:
    best = min(model.sampling, key=lambda point: point.frechet.value)
    return (
        model.name.upper(),
        str(model.batch),
        f"{model.learning_rate:g}",
        f"{best.step * model.batch:,}",
        _format(best.frechet),
        _format(best.named, 100),
        str(best.sampling_steps),
        f"{model.per_second[best.sampling_steps]:.2f}",
    )


def _format(estimate: Estimate, scale: float = 1) -> str:
    """Return a value with its interval in brackets, both times `scale`."""
    text = f"{scale * estimate.value:.3g}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} ({scale * estimate.low:.3g} to {scale * estimate.high:.3g})"
