"""Denoising in windows: what it must equal, the condition of each window, invalid requests."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, ConditionPart, Stream, concat
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.errors import ConditionError, InvalidInputError
from latelier.contracts.frozen import Frozen
from latelier.pipeline import load
from latelier.pipeline.conditioning.conditions import ConditionBuilder
from latelier.pipeline.replay.replay import replay
from latelier.pipeline.tiling.multidiffusion import denoise_windows
from latelier.pipeline.tiling.windows import make_windows

REQUEST = {"prompt": "a red cat in a meadow", "seed": 5, "steps": 3}
SAMPLERS = ["ddim", "ddpm", "heun", "dpmpp_2m", "plms"]
LAYOUT = ("layout", {"n_embed": 16, "n_layer": 1, "num_classes": 2, "max_objects_per_image": 2})
FOURIER = ("layout_fourier", {"width": 16, "num_classes": 2, "max_objects_per_image": 2})
EVERYWHERE = {"label": 1, "box": [0.0, 0.0, 1.0, 1.0]}


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def latents_of(pipeline, **keywords):
    *_, last = pipeline.stream(**keywords)
    return last.latents


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


def pointwise(x, sigma, field):
    """An estimate that sees nothing but its own position."""
    s = sigma.view(-1, 1, 1, 1) if isinstance(sigma, torch.Tensor) and sigma.ndim else sigma
    return x / (1 + s) + field * x.flip(1)


class Pointwise(nn.Module):
    """A denoiser that sees nothing but its own position, and every condition.

    It keeps the conditions and the sizes that it was called with.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.calls = []

    def forward(self, x, t, condition, control=None):
        self.calls.append((x.shape, condition))
        out = 0.3 * x + 0.001 * t.view(-1, 1, 1, 1) * x.flip(1)
        for stream in condition.streams.values():
            tokens_mean = stream.tokens.mean((1, 2)).view(-1, 1, 1, 1)
            region = 1 if stream.region is None else stream.region
            out = out + tokens_mean * region * x
        for part in condition.spatial.values():
            out = out + 0.1 * part.mean(1, keepdim=True) * x
        for vector in condition.vectors.values():
            out = out + 0.1 * vector.mean(1).view(-1, 1, 1, 1) * x
        return out


def with_pointwise(pipeline):
    denoiser = Pointwise(pipeline.denoiser.config)
    component = replace(pipeline.denoiser_component, module=denoiser)
    return replace(pipeline, denoiser_component=component), denoiser


@pytest.fixture
def compose_streams(compose_tiny, tiny_changes):
    """Compose a tiny pipeline with streams of width 16 and spatial parts."""

    def compose_it(conditioners, spatial=None):
        _, denoiser = tiny_changes()["denoiser"]
        spatial = spatial or {}
        slots = {name: {"width": 16} for name in conditioners if name not in spatial}
        changed = {**denoiser, "streams": slots, "vectors": {}, "spatial": spatial}
        return compose_tiny(denoiser=("unet", changed), conditioners=conditioners, inputs=None)

    return compose_it


# what windows must equal


@pytest.mark.parametrize("size", [(16, 24), (17, 9), (8, 40), (40, 8), (8, 8)])
@pytest.mark.parametrize("overlap", [0, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("sigma", [0.7, torch.tensor(0.7), torch.tensor([0.7, 2.0])])
def test_it_is_exact_for_a_pointwise_denoiser(size, overlap, sigma):
    x, field = noise(2, 3, *size), noise(2, 1, *size, seed=1)

    def denoise_of(chunk):
        fields = torch.cat([window.of(field) for window in chunk])
        return lambda x, sigma: pointwise(x, sigma, fields)

    denoise = denoise_windows(make_windows(size, (8, 8), overlap), 3, denoise_of)
    torch.testing.assert_close(denoise(x, sigma), pointwise(x, sigma, field))


@pytest.mark.parametrize("size", [(32, 100), (100, 32), (70, 90)])
@pytest.mark.parametrize("overlap", [0.25, 0.5, 0.75])
def test_windows_that_disagree_leave_no_seam(size, overlap):
    """Each estimate is flat, 0 or 1. From position to position the blend changes gently."""
    random = torch.Generator().manual_seed(0)

    def denoise_of(chunk):
        levels = torch.randint(2, (len(chunk), 1, 1, 1), generator=random).float()
        return lambda x, sigma: levels.expand_as(x)

    x0 = denoise_windows(make_windows(size, (32, 32), overlap), 1, denoise_of)(
        noise(1, 1, *size), 1.0
    )
    gentle = 2.5 / (32 * min(overlap, 0.5))
    assert x0.max() - x0.min() > 0.5
    assert x0.diff(dim=2).abs().max() < gentle
    assert x0.diff(dim=3).abs().max() < gentle


def test_windows_are_divided_evenly_into_batches():
    def lengths(count, batch):
        cut = make_windows((8, 8 * count), (8, 8), 0)
        chunks = []
        denoise_windows(cut, batch, chunks.append)
        return [len(chunk) for chunk in chunks]

    assert lengths(9, 4) == [3, 3, 3]
    assert lengths(10, 4) == [4, 4, 2]
    assert lengths(9, 1) == [1] * 9
    assert lengths(3, 100) == [3]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("more", [{}, {"negative": "fog"}, {"guidance": 1.0}, {"n": 2}])
def test_a_run_is_exact_with_a_pointwise_denoiser(tiny, sampler, more):
    pipeline, _ = with_pointwise(tiny)
    keywords = {**REQUEST, "label": "dog", "size": (40, 24), "sampler": sampler, **more}
    whole = latents_of(pipeline, **keywords)
    assert relative(latents_of(pipeline, **keywords, window=16), whole) < 1e-5
    assert relative(latents_of(pipeline, **keywords, window=(12, 20), overlap=0.2), whole) < 1e-5


@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_inpainting_is_exact_with_a_pointwise_denoiser(tiny, photo, left_stays, strength):
    pipeline, _ = with_pointwise(tiny)
    keywords = {**REQUEST, "init_image": photo, "strength": strength}
    for more in ({}, {"mask": left_stays}):
        whole = latents_of(pipeline, **keywords, **more)
        assert relative(latents_of(pipeline, **keywords, **more, window=8), whole) < 1e-5


@pytest.mark.parametrize("window", [(40, 24), (400, 24), 400])
def test_a_window_of_the_full_size_gives_the_same_bits(tiny, window):
    keywords = {**REQUEST, "label": 1, "negative": "fog", "size": (40, 24), "n": 2}
    whole = latents_of(tiny, **keywords)
    *_, last = tiny.stream(**keywords, window=window)
    assert torch.equal(last.latents, whole)
    assert last.pictures[0].provenance["request"]["window"] == [40, 24]
    assert not torch.equal(latents_of(tiny, **keywords, window=16), whole)


def test_more_overlap_brings_it_nearer_to_one_piece(tiny):
    """The tiny denoiser sees about as far as these windows reach."""
    keywords = {**REQUEST, "size": (96, 32)}
    whole = latents_of(tiny, **keywords)
    far, near = (
        relative(latents_of(tiny, **keywords, window=32, overlap=overlap), whole)
        for overlap in (0, 0.75)
    )
    assert near < far < 0.5


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_the_window_batch_changes_nothing_beyond_rounding(tiny, sampler):
    keywords = {**REQUEST, "size": (48, 24), "window": 16, "sampler": sampler}
    one, several, all_at_once = (
        latents_of(tiny, **keywords, window_batch=batch) for batch in (1, 4, 100)
    )
    assert relative(several, one) < 1e-5
    assert relative(all_at_once, one) < 1e-5


def test_a_call_has_as_many_rows_as_the_window_batch(tiny):
    pipeline, denoiser = with_pointwise(tiny)
    keywords = {**REQUEST, "steps": 1, "size": (32, 16), "window": 16, "overlap": 0.5, "n": 2}
    for batch, rows in (
        (1, {4}),
        (2, {8, 4}),
        (3, {12}),
    ):  # two pictures, condition and negative condition
        denoiser.calls.clear()
        pipeline.generate(**keywords, window_batch=batch)
        assert {shape[0] for shape, _ in denoiser.calls} == rows
        assert {tuple(shape[2:]) for shape, _ in denoiser.calls} == {(8, 8)}


def test_the_default_window_batch_has_64_x_64_positions(tiny):
    def batch(**more):
        (picture, *_) = tiny.generate(**{**REQUEST, "steps": 1}, size=(128, 64), tile=0, **more)
        return picture.provenance["request"]["window_batch"]

    assert batch(window=64) == 4
    assert batch(window=(16, 32)) == 32
    assert batch(window=64, n=2) == 2
    assert batch(window=(128, 64), n=3) == 1


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_a_picture_does_not_depend_on_its_batch(tiny, sampler):
    keywords = {"size": (40, 24), "window": 16, "steps": 3, "sampler": sampler}
    prompts = ["a red cat in a meadow", "a blue dog on the sea"]
    together = tiny.generate(prompt=prompts, seed=5, n=2, **keywords)
    for k in (0, 1, 3):
        (alone,) = tiny.generate(prompt=prompts[k // 2], seed=5 + k, **keywords)
        one, other = (np.asarray(each.image, dtype=int) for each in (together[k], alone))
        assert np.abs(one - other).max() <= 2


def test_denoise_fn_accepts_windows_and_a_sigma_per_image(tiny):
    keywords = {"prompt": "a cat", "n": 2, "size": (40, 24), "window": 16}
    denoise, x = tiny.denoise_fn(**keywords), noise(2, 4, 12, 20)
    with torch.no_grad():
        both = denoise(x, torch.tensor([0.9, 0.3]))
        for k, sigma in enumerate((0.9, 0.3)):
            torch.testing.assert_close(both[k], denoise(x, sigma)[k], rtol=1e-4, atol=1e-5)


def test_previews_show_the_whole_picture(tiny):
    previews = list(tiny.stream(**REQUEST, size=(40, 24), window=16))
    assert {each.image.size for each in previews} == {(40, 24)}
    assert len(previews) == 3


# the condition of each window


def corners(box, last=89):
    """The crop tokens of the paper's grid of 90 x 90, computed independently."""
    x0, y0, x1, y1 = box
    return [round(y0 * last) * 90 + round(x0 * last), round(y1 * last) * 90 + round(x1 * last)]


def test_each_window_has_the_crop_tokens_of_its_position(compose_streams):
    pipeline = compose_streams({"layout": LAYOUT})
    seen = []
    pipeline.conditioners["layout"].transformer.register_forward_pre_hook(
        lambda _, given: seen.append(given[0])
    )
    pipeline.denoise_fn(layout=[EVERYWHERE], size=(32, 16), window=16)
    whole = [*corners((0, 0, 1, 1))]
    boxes = [(0, 0, 0.5, 1), (0.25, 0, 0.75, 1), (0.5, 0, 1, 1)]
    expected = [whole, whole, *[corners(box) for box in boxes] * 2]
    assert [tokens[0, -2:].tolist() for tokens in seen] == expected
    with_object, without = (tokens[0, :3].tolist() for tokens in (seen[2], seen[5]))
    assert with_object == [1, *whole]
    assert without == [8191] * 3


@pytest.mark.parametrize("layout", [LAYOUT, FOURIER])
def test_the_denoiser_gets_the_cropped_condition_of_a_window(compose_streams, layout):
    """Objects that are in every window are in every crop, as training sees them."""
    objects = [EVERYWHERE, {**EVERYWHERE, "box": [0.4, 0.1, 0.7, 0.9]}]
    pipeline, denoiser = with_pointwise(compose_streams({"layout": layout}))
    pipeline.generate(
        layout=objects, size=(32, 24), window=16, steps=1, window_batch=1, guidance=2.0
    )
    conditioner, expected_tokens = pipeline.conditioners["layout"], []
    for window in make_windows((12, 16), (8, 8), 0.5):
        frame = PictureGeometry((24, 32), (12, 16), crop=window.box)
        given = conditioner.encode([objects], frame).stream
        expected_tokens += [
            concat([Condition({"layout": given}), Condition({"layout": stream})])
            for stream in [conditioner.null(1, frame).stream]
        ]
    assert len(denoiser.calls) == len(expected_tokens) == 6
    for (_, condition), expected in zip(denoiser.calls, expected_tokens, strict=True):
        torch.testing.assert_close(
            condition.streams["layout"].tokens, expected.streams["layout"].tokens
        )
    first, second = (call[1].streams["layout"].tokens for call in denoiser.calls[:2])
    assert (first - second)[0].abs().max() > 1e-3
    if layout is LAYOUT:  # whose null part has the crop too
        assert (first - second)[1].abs().max() > 1e-3


class Anything(Frozen):
    value: float


class Everything(Conditioner):
    """OutputSpec all three slots, each a plain function of the value and the window."""

    Input = Anything

    def __init__(self, region=None):
        super().__init__(ConditionerConfig())
        self.region, self.frames = region, []

    def outputs(self):
        return OutputSpec(stream=2, spatial=1, vector=1)

    def prepare(self, inputs, frame):
        assert frame.crop == (0, 0, 1, 1)
        assert frame.first_stage is None
        return {"value": torch.tensor([[each.value] for each in inputs])}

    def crop(self, batch, box):
        return {"value": batch["value"] + 100 * box[0]}

    def forward(self, batch, frame):
        self.frames.append(frame)
        rows = len(batch["value"])
        spatial = torch.arange(float(np.prod(frame.latent_size))).view(1, 1, *frame.latent_size)
        region = None if self.region is None else self.region.expand(rows, -1, -1, -1)
        tokens = batch["value"][:, None].expand(-1, 3, 2)
        return ConditionPart(
            Stream(tokens, None, region), spatial.expand(rows, -1, -1, -1), batch["value"]
        )

    def null(self, rows, frame):
        return self.forward({"value": torch.full((rows, 1), -frame.crop[0])}, frame)


def built(conditioner):
    every = {"every": conditioner}
    return ConditionBuilder(every, {"every": ("every",)}, torch.device("cpu"), torch.float32)


FRAME = PictureGeometry((24, 32), (12, 16))


@pytest.mark.parametrize(
    "region", [None, noise(1, 1, 12, 16), noise(1, 1, 24, 32), noise(1, 1, 3, 4)]
)
def test_streams_and_vectors_are_encoded_per_window_and_spatial_parts_cropped(region):
    builder = built(conditioner := Everything(region))
    rows = builder.read({"every": [1.0, 2.0]})
    whole = builder.condition(rows, 4, FRAME)
    null = builder.negative_condition(whole, {}, FRAME)
    for window in make_windows(FRAME.latent_size, (8, 8), 0.5):
        seen = builder.for_window(whole, rows, FRAME, window)
        x0 = window.box[0]
        values = torch.tensor([1.0, 1, 2, 2]) + 100 * x0
        assert torch.equal(seen.streams["every"].tokens[:, 0, 0], values)
        assert torch.equal(seen.vectors["every"][:, 0], values)
        assert torch.equal(seen.spatial["every"], window.of(whole.spatial["every"]))
        assert conditioner.frames[-1].crop == window.box
        assert conditioner.frames[-1].latent_size == FRAME.latent_size
        if region is None:
            assert seen.streams["every"].region is None
        else:
            pooled = adaptive_avg_pool2d(region, FRAME.latent_size)
            assert torch.equal(seen.streams["every"].region[:1], window.of(pooled))
        without = builder.for_window(null, {}, FRAME, window)
        assert torch.equal(without.vectors["every"], torch.full((4, 1), -x0))
        assert torch.equal(without.spatial["every"], window.of(null.spatial["every"]))


def test_a_negative_input_is_windowed():
    builder = built(Everything())
    given, negative = builder.read({"every": [1.0]}), builder.read({"every": [7.0]})
    whole = builder.condition(given, 1, FRAME)
    other = builder.negative_condition(whole, negative, FRAME)
    window = make_windows(FRAME.latent_size, (8, 8), 0.5)[-1]
    assert builder.for_window(other, negative, FRAME, window).vectors["every"].item() == 57.0


def test_a_spatial_part_that_cannot_be_cropped_is_an_error():
    builder = built(Everything())
    rows = builder.read({"every": 1.0})
    whole = Condition(spatial={"every": torch.zeros(1, 1, 24, 32)})
    window = make_windows(FRAME.latent_size, (8, 8), 0.5)[0]
    with pytest.raises(ConditionError, match=r"'every' has the size \(24, 32\).*\(12, 16\)"):
        builder.for_window(whole, rows, FRAME, window)


def test_a_purely_spatial_conditioner_runs_once(compose_streams, monkeypatch):
    """Encoding a large picture for each window would take longer than the sampling."""
    levels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    hole = np.zeros((24, 32), dtype=bool)
    hole[4:12, 6:20] = True
    given = {"init_image": Image.fromarray(levels), "mask": hole}
    mask, layout = ("mask", {"latent_channels": 4}), LAYOUT
    composed = compose_streams({"mask": mask, "layout": layout}, spatial={"mask": 5})
    pipeline, denoiser = with_pointwise(composed)
    encoded = []
    encode = pipeline.first_stage.encode
    monkeypatch.setattr(
        pipeline.first_stage,
        "encode",
        lambda images: encoded.append(images.shape) or encode(images),
    )
    keywords = {**given, "seed": 1, "steps": 2}
    cut = latents_of(pipeline, **keywords, window=16, window_batch=1)
    assert encoded == [(1, 3, 24, 32)]
    assert {tuple(condition.spatial["mask"].shape[2:]) for _, condition in denoiser.calls} == {
        (8, 8)
    }
    assert relative(cut, latents_of(pipeline, **keywords)) < 1e-5


# provenance, and invalid requests


def test_provenance_is_complete_and_replays_the_same_bits(tiny, tmp_path, built_ins):
    tiny.save(tmp_path / "model")
    pipeline = load(tmp_path / "model", "cpu", atelier=built_ins)
    (picture,) = pipeline.generate(**REQUEST, size=(40, 24), window=16)
    request = picture.provenance["request"]
    message = {name: request[name] for name in ("window", "overlap", "window_batch", "tile")}
    assert message == {"window": [16, 16], "overlap": 0.5, "window_batch": 64, "tile": 0}
    picture.save(tmp_path / "picture.png")
    report = replay(tmp_path / "picture.png", atelier=built_ins)
    assert report.verdict == "identical"


def test_nothing_touches_the_global_random_state(tiny):
    state = torch.get_rng_state()
    tiny.generate(**REQUEST, size=(40, 24), window=16, sampler="ddpm")
    assert torch.equal(state, torch.get_rng_state())


def test_no_gradients_are_computed(tiny):
    assert not latents_of(tiny, **REQUEST, size=(40, 24), window=16).requires_grad


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"window": 17}, "window: the width 17 is not a multiple of 2, .* the nearest is 16$"),
        ({"window": (16, 23)}, "window: the height 23 is not a multiple of 2, .*nearest is 24$"),
        ({"window": 0}, "window: the width 0 .* the nearest is 2$"),
        ({"window": -16}, "the nearest is 2$"),
        ({"window": (1, 2, 3)}, "'window'"),
        ({"window": 16, "overlap": 0.95}, "'overlap': .*less than or equal to 0.9"),
        ({"window": 16, "overlap": -0.1}, "'overlap': .*greater than or equal to 0"),
        ({"window": 16, "overlap": float("nan")}, "'overlap'"),
        ({"window": 16, "window_batch": 0}, "'window_batch': .*greater than or equal to 1"),
        ({"overlap": 0.5}, "^overlap: needs `window`, which is missing$"),
        ({"window_batch": 2}, "^window_batch: needs `window`, which is missing$"),
    ],
)
def test_invalid_requests_are_refused_at_once(tiny, keywords, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        tiny.stream(**REQUEST, size=(40, 24), **keywords)
    assert "\n" not in str(caught.value)
