"""The loop of diffusers' text-to-image example, with its defaults, on features in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader

from benchmarks.cases.models import require_diffusers


def start_example(
    samples: Sequence[Mapping[str, Any]], batch_size: int, is_bf16: bool, parameters: int
) -> Callable[[], None]:
    """Return what takes the next step. `parameters` is their number in the network."""
    steps = take_steps(samples, batch_size, "bf16" if is_bf16 else "no", parameters)
    next(steps)
    return lambda: next(steps)


def take_steps(
    samples: Sequence[Mapping[str, Any]], batch_size: int, precision: str, parameters: int
) -> Iterator[None]:
    """Take the steps: accelerate, AdamW, clipping, a schedule and an average of the weights."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel

    AcceleratorState._reset_state(True)  # else all have the precision of the first
    accelerator: Any = Accelerator(cpu=True, mixed_precision=precision)
    noises = require_diffusers().DDPMScheduler(
        num_train_timesteps=1000, beta_schedule="scaled_linear"
    )
    unet: Any = build_unet(samples[0], parameters)
    average = EMAModel(unet.parameters(), model_cls=type(unet), model_config=unet.config)
    optimizer: Any = torch.optim.AdamW(unet.parameters(), lr=1e-4, weight_decay=1e-2)
    loader: Any = DataLoader(samples, batch_size, shuffle=True)  # type: ignore[arg-type]
    rates: Any = get_scheduler("constant", optimizer, num_warmup_steps=500)
    unet, optimizer, loader, rates = accelerator.prepare(unet, optimizer, loader, rates)
    while True:
        for batch in loader:
            with accelerator.accumulate(unet):
                latents = batch["latents"]
                noise, rows = torch.randn_like(latents), len(latents)
                t = torch.randint(0, 1000, (rows,))
                noisy = noises.add_noise(latents, noise, t)
                prediction = unet(noisy, t, batch["stored_tokens"], return_dict=False)[0]
                loss = mse_loss(prediction.float(), noise.float())
                accelerator.gather(loss.repeat(rows)).mean().item()
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(unet.parameters(), 1.0)
                optimizer.step()
                rates.step()
                optimizer.zero_grad()
            average.step(unet.parameters())
            yield


def build_unet(sample: Mapping[str, Any], parameters: int) -> Any:
    """Return the UNet that is equal to the recipe's."""
    channels, side = sample["latents"].shape[:2]
    unet = require_diffusers().UNet2DConditionModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=sample["stored_tokens"].shape[1],
        attention_head_dim=4,  # the number of heads, in spite of its name
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    )
    found = sum(each.numel() for each in unet.parameters())
    assert found == parameters, f"diffusers' UNet has {found} parameters, ours {parameters}"
    return unet
