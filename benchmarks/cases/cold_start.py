"""A picture from a cold start: a new process that imports, loads, samples and saves.

Ours is the command `latelier generate` with the embedded model. Theirs imports and runs the
smallest pipeline of diffusers, without a text encoder, at as many steps.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cases.models import require_diffusers
from benchmarks.harness.case import Case, Setup, Variant
from benchmarks.harness.goal import Goal, ratio
from benchmarks.harness.processes import run_python, with_bytecode
from benchmarks.harness.timing import timed

PROMPT, STEPS = "a red apple on a blue background", 20
OURS, THEIRS = "latelier generate", "diffusers, smallest pipeline"

SCRIPT = f"""
import sys
from diffusers import DDIMPipeline
pipeline = DDIMPipeline.from_pretrained(sys.argv[1])
pipeline(num_inference_steps={STEPS}).images[0].save(sys.argv[2])
"""


def variants(setup: Setup, /) -> Mapping[str, Variant]:
    """Return the processes."""
    require_diffusers()
    folder = Path(setup.stack.enter_context(TemporaryDirectory(prefix="benchmarks-")))
    save_smallest_pipeline(folder / "smallest")
    command = ["-m", "latelier", "generate", PROMPT, "--seed", "7", "--steps", str(STEPS)]
    ours = [*command, "--force", "--output", str(folder / "ours.png")]
    theirs = ["-c", SCRIPT, str(folder / "smallest"), str(folder / "theirs.png")]
    environment = with_bytecode(folder)
    return {
        THEIRS: timed(lambda: run_python(theirs, environment)),
        OURS: timed(lambda: run_python(ours, environment)),
    }


def save_smallest_pipeline(folder: Path) -> None:
    """Write a model of pixels with a few random weights."""
    diffusers = require_diffusers()
    unet = diffusers.UNet2DModel(
        sample_size=16,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    scheduler = diffusers.DDIMScheduler()
    diffusers.DDIMPipeline(unet=unet, scheduler=scheduler).save_pretrained(folder)


COLD_START = Case(
    "cold-generate",
    "A picture from a cold start",
    variants,
    (Goal("wall time relative to diffusers", ratio(OURS, THEIRS), at_most=0.33),),
)
