from types import SimpleNamespace

import numpy as np
import torch

from latelier.training.prediction.batches import collate_samples, to_latents
from latelier.training.randomness import Draws

DRAWS = Draws(0, 0, [0, 1])
FIRST_STAGE = SimpleNamespace(encode=lambda images: images[:, :1] * 2)


def sample(index=0, **fields):
    return {"index": index, **fields}


def test_pictures_are_encoded():
    image = torch.ones(3, 4, 4)
    batch = collate_samples([sample(0, image=image), sample(1, image=-image)])
    assert batch["index"] == [0, 1]
    assert to_latents(batch, DRAWS, FIRST_STAGE)[:, 0, 0, 0].tolist() == [2, -2]


def test_latents_of_a_cache_are_used_as_they_are():
    latents = torch.full((4, 2, 2), 0.5, dtype=torch.float16)
    batch = collate_samples([sample(latents=latents, image=torch.ones(3, 4, 4))])
    assert "image" not in batch
    found = to_latents(batch, DRAWS, FIRST_STAGE)
    assert (found.dtype, found.shape) == (torch.float32, (1, 4, 2, 2))
    assert found.unique().item() == 0.5


def test_moments_give_a_sample_of_their_gaussian():
    mean, logvar = (
        torch.full((1, 50, 50), 3.0),
        torch.full((1, 50, 50), 2 * torch.tensor(0.5).log()),
    )
    batch = collate_samples([sample(k, moments=torch.cat([mean, logvar])) for k in (0, 1)])
    latents = to_latents(batch, DRAWS, FIRST_STAGE)
    assert latents.shape == (2, 1, 50, 50)
    assert abs(latents.mean() - 3) < 0.02
    assert abs(latents.std() - 0.5) < 0.02
    assert torch.equal(latents, to_latents(batch, DRAWS, FIRST_STAGE))
    assert not torch.equal(latents[0], latents[1])


def test_a_missing_weight_is_one():
    latents = torch.zeros(1, 2, 2)
    batch = collate_samples([sample(latents=latents), sample(latents=latents, weight=0.5)])
    assert batch["weight"].tolist() == [1, 0.5]
    assert "weight" not in collate_samples([sample(latents=latents)])


def test_masks_weigh_pixels_and_samples_weigh_them_all():
    latents = torch.zeros(1, 2, 2)
    mask = np.zeros((4, 4), np.uint8)
    mask[:, 2:] = 255
    samples = [sample(latents=latents, mask=mask), sample(latents=latents, mask=mask, weight=2.0)]
    weight = collate_samples(samples, unmasked_weight=0.25)["weight"]
    assert weight.shape == (2, 1, 4, 4)
    assert weight[:, 0, 3].tolist() == [[0.25, 0.25, 1, 1], [0.5, 0.5, 2, 2]]
