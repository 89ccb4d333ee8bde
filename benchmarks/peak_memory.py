"""Measure the memory of generating a picture, against diffusers with the same weights.

diffusers makes a model of Stable Diffusion 1.5's size with random weights, and latelier imports it.
Both then generate the same picture: 512 x 512, DDIM, guidance 7.5, the same initial noise, float32
on the CPU. They take turns, --runs times, each in a new process. The two pictures are compared.

Weights that are mapped from their files are in memory once for all processes, and the system can
drop them at any time. So they are counted apart (Linux, /proc/self):

- peak above the weights: VmHWM, the kernel's record of the process's peak resident memory, minus
  the resident part of the safetensors files at the end (Rss of their mappings in smaps; all but the
  encoder of the first stage is resident by then). It includes the code of the libraries.
- peak of RssAnon: memory that belongs to no file, sampled every 2 ms by a thread while loading and
  while generating. Weights that are copied instead of mapped are in it.

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
"""Measurements by name, in MiB; those that end in _s in seconds."""


def main() -> None:
    arguments = parse()
    if arguments.only:
        print(json.dumps(RUNS[arguments.only](arguments)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "latelier").exists():
            run_in_process(folder, arguments, "make")
        rows: dict[str, list[Memory]] = {name: [] for name in ("latelier", "diffusers")}
        for _ in range(arguments.runs):
            for name, measured in rows.items():
                measured.append(run_in_process(folder, arguments, name))
        report = {
            "medians": {name: compute_medians(measured) for name, measured in rows.items()},
            "runs": rows,
            "largest_difference_of_255": compare_pictures(folder),
            "threads": os.environ.get("OMP_NUM_THREADS", f"all of {os.cpu_count()}"),
        }
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=Path, help="folder of the models, made if missing")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--only", choices=RUNS, help="run one in this process, print JSON")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def run_in_process(folder: Path, arguments: argparse.Namespace, name: str) -> Memory:
    """Return the measurements of a run in a new process."""
    options = ["--folder", str(folder), "--steps", str(arguments.steps), "--only", name]
    done = subprocess.run(
        [sys.executable, __file__, *options], check=True, stdout=subprocess.PIPE, text=True
    )
    measured: Memory = json.loads(done.stdout.splitlines()[-1])
    return measured


def make_model(arguments: argparse.Namespace) -> Memory:
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

    import_model(folder / "diffusers", folder / "latelier", atelier=make_atelier())
    return {}


def write_vocabulary(folder: Path) -> None:
    """Write a tokenizer of CLIP's size without merges: each letter is a token."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += [f"unused{number}" for number in range(len(tokens), TOKENS - 2)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: k for k, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")


def make_atelier() -> Any:
    """Return an atelier with the built-in plugins and this checkout's latelier-transformers."""
    from latelier.kernel.atelier import Atelier
    from latelier.kernel.trust.policy import Policy

    sys.path.insert(0, str(PLUGIN))
    from latelier_transformers.plugin import plugin

    found = Atelier(policy=Policy(allow=frozenset()))
    found.register(plugin, "latelier-transformers", "1.0")
    return found


def run_latelier(arguments: argparse.Namespace) -> Memory:
    """Measure a picture of latelier."""
    import transformers.models.clip.modeling_clip  # noqa: F401

    import latelier.pipeline

    plugins, folder = make_atelier(), arguments.folder

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

    return measure(load, generate, folder / "latelier.png")


def run_diffusers(arguments: argparse.Namespace) -> Memory:
    """Measure a picture of diffusers."""
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

    return measure(load, generate, folder / "diffusers.png")


RUNS: dict[str, Callable[[argparse.Namespace], Memory]] = {
    "make": make_model,
    "latelier": run_latelier,
    "diffusers": run_diffusers,
}


def measure(load: Callable[[], Any], generate: Callable[[Any], Image.Image], path: Path) -> Memory:
    """Load a model, generate a picture and save it at `path`; return the measurements."""
    found = {"imported_anon": read_status("RssAnon")}
    start = time.perf_counter()
    with sample_memory() as peak:
        pipeline = load()
    found["load_s"] = time.perf_counter() - start
    found |= {"loading_anon_peak": peak[0], "loaded_anon": read_status("RssAnon")}
    start, cpu_start = time.perf_counter(), time.process_time()
    with sample_memory() as peak:
        image = generate(pipeline)
    found |= {"run_s": time.perf_counter() - start, "run_cpu_s": time.process_time() - cpu_start}
    found |= {"running_anon_peak": peak[0], "weights_mapped": read_mapped(".safetensors")}
    found["peak"] = read_status("VmHWM")
    found["peak_above_weights"] = found["peak"] - found["weights_mapped"]
    image.save(path)
    return found


@contextmanager
def sample_memory() -> Iterator[list[float]]:
    """Yield a list whose one entry is the peak of RssAnon so far, in MiB.

    A thread samples it; torch releases the interpreter lock while it computes.
    """
    peak, done = [read_status("RssAnon")], threading.Event()

    def sample() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], read_status("RssAnon"))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def read_status(field: str) -> float:
    """Return a field of /proc/self/status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / MIB for line in lines if line.startswith(field))


def read_mapped(suffix: str) -> float:
    """Return the resident size of mapped files whose names end in `suffix`, in MiB."""
    total, counts = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            counts = words[-1].endswith(suffix)
        elif counts and words[0] == "Rss:":
            total += int(words[1]) * 1024
    return total / MIB


def compute_medians(rows: list[Memory]) -> Memory:
    return {name: round(statistics.median(row[name] for row in rows), 3) for name in rows[0]}


def compare_pictures(folder: Path) -> int:
    """Return the largest difference between the levels of the two pictures."""
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
    print(f"the pictures differ by at most {report['largest_difference_of_255']} of 255 levels")


if __name__ == "__main__":
    main()
