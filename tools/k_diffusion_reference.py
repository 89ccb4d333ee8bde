"""Write tests/samplers/k_diffusion.safetensors: where k-diffusion's samplers end on one problem.

k-diffusion pulls in packages that are not wanted here. In an environment of its own:

pip install torch==2.13.0 numpy scipy tqdm safetensors
pip install --no-deps k-diffusion==0.1.1.post1 torchdiffeq==0.2.5 torchsde==0.2.6 trampoline==0.1.2
python tools/k_diffusion_reference.py tests/samplers/k_diffusion.safetensors
"""

import importlib
import importlib.metadata
import importlib.util
import math
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import save_file

STEPS, SHAPE = 10, (2, 4, 3, 3)
RUNS = {
    "euler_ancestral": {"eta": 0.6},
    "heun": {},
    "dpm_2": {},
    "dpm_2_ancestral": {"eta": 0.6},
    "lms": {},
    "dpmpp_2m": {},
    "dpmpp_2s_ancestral": {"eta": 0.6},
    "dpmpp_sde": {"eta": 0.6, "r": 0.4},
    "dpmpp_2m_sde": {"eta": 0.6, "solver_type": "midpoint"},
    "dpmpp_3m_sde": {"eta": 0.6},
}


def main() -> None:
    sampling = only_sampling()
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(4, 4, generator=generator, dtype=torch.float64) / 2
    first = 14.0 * torch.randn(SHAPE, generator=generator, dtype=torch.float64)
    draws = torch.randn(2 * STEPS, *SHAPE, generator=generator, dtype=torch.float64)
    sigmas = sampling.get_sigmas_karras(STEPS, 0.03, 14.0).double()

    def model(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        at = float(sigma[0])
        mixed = torch.einsum("ij,bjhw->bihw", mix, x)
        return torch.tanh(mixed / math.hypot(1, at) * (1 + 0.5 * math.cos(math.log(at))))

    kept = {"mix": mix, "first": first, "draws": draws, "sigmas": sigmas}
    for name, options in RUNS.items():
        noise = iter(draws)
        drawing = {"noise_sampler": lambda *_, noise=noise: next(noise)} if options else {}
        run = getattr(sampling, f"sample_{name}")
        end = run(model, first, sigmas, disable=True, **drawing, **options)
        kept[name] = end.contiguous()
    version = importlib.metadata.version("k-diffusion")
    save_file(kept, Path(sys.argv[1]), {"made_with": f"k-diffusion {version}"})


def only_sampling() -> types.ModuleType:
    """Return k-diffusion's module of samplers, without the rest of the package."""
    package = types.ModuleType("k_diffusion")
    spec = importlib.util.find_spec("k_diffusion")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules |= {"k_diffusion": package, "k_diffusion.utils": types.ModuleType("utils")}
    package.utils = sys.modules["k_diffusion.utils"]
    package.utils.append_dims = lambda x, ndim: x[(...,) + (None,) * (ndim - x.ndim)]
    return importlib.import_module("k_diffusion.sampling")


if __name__ == "__main__":
    main()
