"""Measure the memory of large pictures, in one piece and in windows and tiles.

Stable Diffusion 1.5's UNet and autoencoder at full size with random weights, float32,
classifier-free guidance (two rows). For each size a new process takes the first sampling step and
decodes its preview, both through the pipeline. A number is the peak resident memory above that of
the loaded components. Linux only: it resets the peak in /proc.

whole: one call of the denoiser, one of the decoder.
parts: windows of 512 x 512 that overlap by half, one at a time; tiles of 256.

python benchmarks/window_memory.py --json
"""

import argparse
import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table

SIZES = ("512x512", "1024x1024", "2048x512")
MODES = {"whole": {"tile": 0}, "parts": {"window": 512, "tile": 256}}

RUN = """
import ctypes, gc, json, sys, time
from pathlib import Path
import latelier

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

def memory(name):
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024

def measure(work):
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # freed memory must not count as resident
    RESET.write_text("5")
    before, start = memory("VmRSS"), time.perf_counter()
    result = work()
    return result, memory("VmHWM") - before, time.perf_counter() - start

request = json.loads(sys.argv[1])
pipe = latelier.compose(
    first_stage=("autoencoder_kl", {
        "ch": 128, "ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_resolutions": [],
        "resolution": 256, "z_channels": 4, "embed_dim": 4, "scale_factor": 0.18215,
    }),
    denoiser=("unet", {
        "in_channels": 4, "out_channels": 4, "model_channels": 320, "channel_mult": [1, 2, 4, 4],
        "num_heads": 8, "attention_resolutions": [4, 2, 1], "context_dim": 768,
        "streams": {"embedding": {"width": 768, "injection": "native"}},
    }),
    conditioners={"embedding": ("embedding", {"width": 768, "max_vectors": 77})},
    process={"kind": "vp", "beta_start": 0.00085, "beta_end": 0.012},
    defaults={"size": 512, "guidance": 7.5},
    device="cpu", dtype="float32",
)
vectors = [[0.01 * k] * 768 for k in range(77)]
steps = lambda: pipe.stream(embedding=[vectors], seed=1, steps=2, **request)
preview, sampling, sampling_s = measure(lambda: next(steps()))
image, decoding, decoding_s = measure(lambda: preview.image)
print(json.dumps({
    "sampling_bytes": sampling, "sampling_s": sampling_s,
    "decoding_bytes": decoding, "decoding_s": decoding_s, "size": image.size,
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="WxH")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [
        {"size": size, "mode": mode, **measure(size, mode)}
        for size in arguments.sizes
        for mode in MODES
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        show(rows)


def measure(size: str, mode: str) -> dict[str, float]:
    """Return the bytes and seconds of one size, measured in a new process."""
    request = {"size": [int(side) for side in size.split("x")], **MODES[mode]}
    command = [sys.executable, "-c", RUN, json.dumps(request)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return {name: each for name, each in figures.items() if name != "size"}


def show(rows: list[dict[str, float | str]]) -> None:
    table = Table("size", "", "one step", "", "decoding", "", title="MiB above the weights")
    for row in rows:
        cells = [str(row["size"]), str(row["mode"])]
        for part in ("sampling", "decoding"):
            cells.append(f"{float(row[f'{part}_bytes']) / 2**20:.0f}")
            cells.append(f"{float(row[f'{part}_s']):.0f} s")
        table.add_row(*cells)
    Console().print(table)


if __name__ == "__main__":
    main()
