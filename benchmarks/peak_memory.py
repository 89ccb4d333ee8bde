"""How much memory does a picture take beside the weights, against diffusers with the same weights?

A model of Stable Diffusion 1.5's size and random weights is made once by diffusers and imported
here. Each then makes a picture of it, 512 x 512, with DDIM, guidance 7.5 and the same first noise,
in float32 on the CPU, --runs times in turn, each time in a process of its own. That the two
pictures agree shows that the runs are the same.

Weights that are mapped from their files are in memory once for all processes and can be dropped at
any time, so that they are told from the rest (Linux, /proc/self):

- peak above the weights: VmHWM, the kernel's own record of the process's most resident memory, less
  what is resident of the safetensors files at the end (Rss of their mappings in smaps, all of them
  touched by then but for the encoder of the first stage). The libraries' code is in it.
- peak of RssAnon: memory that belongs to no file, sampled every 2 ms by a thread, while loading and
  while running. What is copied from a file and not mapped shows here.

python benchmarks/peak_memory.py --folder /tmp/sd15 --runs 3
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PLUGIN = Path(__file__).parents[1] / "plugins" / "latelier-transformers"
PROMPT, SEED = "a red apple on a blue background", 7
SIDE, LATENTS = 512, (4, 64, 64)
MIB = 2**20
TOKENS = 49408
"""Size of CLIP's vocabulary."""

Memory = dict[str, float]
"""What is measured, by name: seconds, or MiB."""


def main() -> None:
    arguments = parse()
    if arguments.only:
        print(json.dumps(RUNS[arguments.only](arguments)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "latelier").exists():
            alone(folder, arguments, "make")
        rows: dict[str, list[Memory]] = {name: [] for name in ("latelier", "diffusers")}
        for _ in range(arguments.runs):
            for name, measured in rows.items():
                measured.append(alone(folder, arguments, name))
        report = {
            "medians": {name: medians(measured) for name, measured in rows.items()},
            "runs": rows,
            "greatest_difference_of_255": difference(folder),
            "threads": os.environ.get("OMP_NUM_THREADS", f"all of {os.cpu_count()}"),
        }
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=Path, help="where the models are, or are made and kept")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--only", choices=RUNS, help="one of them, in this process, as JSON")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def alone(folder: Path, arguments: argparse.Namespace, name: str) -> Memory:
    """Return what a run in a process of its own measured."""
    options = ["--folder", str(folder), "--steps", str(arguments.steps), "--only", name]
    done = subprocess.run(
        [sys.executable, __file__, *options], check=True, stdout=subprocess.PIPE, text=True
    )
    measured: Memory = json.loads(done.stdout.splitlines()[-1])
    return measured


def make(arguments: argparse.Namespace) -> Memory:
    """Write the model with random weights, and import it."""
    import diffusers
    import torch
    import transformers

    folder: Path = arguments.folder
    vocabulary = folder / "diffusers" / "tokenizer"
    write_vocabulary(vocabulary)
    torch.manual_seed(0)
    text = transformers.CLIPTextConfig(
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        vocab_size=TOKENS,
        bos_token_id=TOKENS - 2,
        eos_token_id=TOKENS - 1,
    )
    pipeline = diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=["DownEncoderBlock2D"] * 4,
            up_block_types=["UpDecoderBlock2D"] * 4,
            layers_per_block=2,
            latent_channels=4,
            sample_size=SIDE,
        ),
        text_encoder=transformers.CLIPTextModel(text),
        tokenizer=transformers.CLIPTokenizer.from_pretrained(vocabulary, model_max_length=77),
        unet=diffusers.UNet2DConditionModel(sample_size=LATENTS[-1], cross_attention_dim=768),
        scheduler=diffusers.DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            set_alpha_to_one=False,
            clip_sample=False,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "diffusers")
    del pipeline
    from latelier.conversion.importing import import_model

    import_model(folder / "diffusers", folder / "latelier", atelier=atelier())
    return {}


def write_vocabulary(folder: Path) -> None:
    """Write CLIP's tokenizer without merges, every letter a token, as large as the published."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += [f"unused{number}" for number in range(len(tokens), TOKENS - 2)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: k for k, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")


def atelier() -> Any:
    """Return the built-in plugins and this checkout's latelier-transformers."""
    from latelier.kernel.atelier import Atelier
    from latelier.kernel.trust.policy import Policy

    sys.path.insert(0, str(PLUGIN))
    from latelier_transformers.plugin import plugin

    found = Atelier(policy=Policy(allow=frozenset()))
    found.register(plugin, "latelier-transformers", "1.0")
    return found


def ours(arguments: argparse.Namespace) -> Memory:
    """Measure one picture of ours."""
    import transformers.models.clip.modeling_clip  # noqa: F401

    import latelier.pipeline

    plugins, folder = atelier(), arguments.folder

    def load() -> Any:
        return latelier.pipeline.load(
            folder / "latelier", device="cpu", dtype="float32", atelier=plugins
        )

    def generate(pipeline: Any) -> Image.Image:
        (picture,) = pipeline.generate(
            prompt=PROMPT, seed=SEED, steps=arguments.steps, guidance=7.5, sampler="ddim"
        )
        image: Image.Image = picture.image
        return image

    return measured(load, generate, folder / "latelier.png")


def theirs(arguments: argparse.Namespace) -> Memory:
    """Measure one picture of diffusers."""
    import torch
    import transformers.models.clip.modeling_clip  # noqa: F401
    from diffusers import StableDiffusionPipeline

    from latelier.diffusion.noise import PerImageNoise

    folder = arguments.folder
    latents = PerImageNoise([SEED], LATENTS, torch.device("cpu")).initial()

    def load() -> Any:
        pipeline = StableDiffusionPipeline.from_pretrained(
            folder / "diffusers", local_files_only=True
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def generate(pipeline: Any) -> Image.Image:
        made = pipeline(
            PROMPT, num_inference_steps=arguments.steps, guidance_scale=7.5, latents=latents
        )
        image: Image.Image = made.images[0]
        return image

    return measured(load, generate, folder / "diffusers.png")


RUNS: dict[str, Callable[[argparse.Namespace], Memory]] = {
    "make": make,
    "latelier": ours,
    "diffusers": theirs,
}


def measured(load: Callable[[], Any], generate: Callable[[Any], Image.Image], path: Path) -> Memory:
    """Load, make a picture, save it at `path`, and return what that took."""
    found = {"imported_anon": status("RssAnon")}
    began = time.perf_counter()
    with sampled() as peak:
        pipeline = load()
    found["load_s"] = time.perf_counter() - began
    found |= {"loading_anon_peak": peak[0], "loaded_anon": status("RssAnon")}
    began, worked = time.perf_counter(), time.process_time()
    with sampled() as peak:
        image = generate(pipeline)
    found |= {"run_s": time.perf_counter() - began, "run_cpu_s": time.process_time() - worked}
    found |= {"running_anon_peak": peak[0], "weights_mapped": mapped(".safetensors")}
    found["peak"] = status("VmHWM")
    found["peak_above_weights"] = found["peak"] - found["weights_mapped"]
    image.save(path)
    return found


@contextmanager
def sampled() -> Iterator[list[float]]:
    """Yield a list whose one entry is the most RssAnon seen, in MiB; torch's work lets it look."""
    peak, done = [status("RssAnon")], threading.Event()

    def look() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], status("RssAnon"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def status(field: str) -> float:
    """Return a field of /proc/self/status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / MIB for line in lines if line.startswith(field))


def mapped(suffix: str) -> float:
    """Return how much is resident of mapped files whose names end so, in MiB."""
    total, counts = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            counts = words[-1].endswith(suffix)
        elif counts and words[0] == "Rss:":
            total += int(words[1]) * 1024
    return total / MIB


def medians(rows: list[Memory]) -> Memory:
    return {name: round(statistics.median(row[name] for row in rows), 3) for name in rows[0]}


def difference(folder: Path) -> int:
    """Return the greatest difference of a level between the two pictures."""
    ours, theirs = (
        np.asarray(Image.open(folder / f"{name}.png"), dtype=np.int16)
        for name in ("latelier", "diffusers")
    )
    return int(np.abs(ours - theirs).max())


def show(report: dict[str, Any]) -> None:
    rows = report["medians"]
    count = len(report["runs"]["latelier"])
    print(f"medians of {count}, threads: {report['threads']}; MiB, or seconds where marked _s")
    print(f"{'':20}" + "".join(f"{name:>12}" for name in rows))
    for field in rows["latelier"]:
        print(f"{field:20}" + "".join(f"{rows[name][field]:>12.2f}" for name in rows))
    print(f"the pictures differ by at most {report['greatest_difference_of_255']} of 255 levels")


if __name__ == "__main__":
    main()
