"""In a composed pipeline: pictures, files and replay."""

import numpy as np
import pytest
import torch
from latelier import compose, load
from latelier.contracts.errors import InvalidConfigError, InvalidInputError
from latelier.pipeline.replay.replay import replay

ASKED = {"prompt": "a red cat in the meadow", "seed": 5}


def composed(atelier, name, config, assets):
    """Return a tiny pipeline of random weights."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        pipeline = compose(
            first_stage=(
                "autoencoder_kl",
                {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4},
            ),
            denoiser=(
                "unet",
                {
                    "in_channels": 4,
                    "out_channels": 4,
                    "model_channels": 16,
                    "channel_mult": (1, 2),
                    "num_res_blocks": 1,
                    "attention_resolutions": (2,),
                    "num_heads": 2,
                    "num_groups": 4,
                    "context_dim": 16,
                    "streams": {"text": {"width": 16, "injection": "native"}},
                },
            ),
            conditioners={"text": (name, config)},
            inputs={"prompt": "text"},
            process={"kind": "rectified_flow"},
            defaults={"size": 16, "steps": 3, "guidance": 3.0},
            device="cpu",
            atelier=atelier,
        )
        for weights in pipeline.denoiser.parameters():
            if not weights.any():
                weights.normal_(std=0.05)
    pipeline.conditioners["text"].set_assets(assets)
    return pipeline


@pytest.fixture(scope="module", params=["clip_text", "t5_text"])
def pipeline(request, atelier, clip_config, clip_tokenizer, t5_config, spiece):
    parts = {
        "clip_text": ({**clip_config, "layer": "penultimate"}, clip_tokenizer),
        "t5_text": (t5_config, {"spiece.model": spiece}),
    }
    return composed(atelier, request.param, *parts[request.param])


@pytest.fixture(scope="module")
def folder(pipeline, tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    pipeline.save(path)
    return path


def pixels(pictures):
    return [np.asarray(picture.image, dtype=np.int16) for picture in pictures]


def same(some, others):
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


def test_the_prompt_matters(pipeline):
    cat = pixels(pipeline.generate(**ASKED))
    assert same(cat, pixels(pipeline.generate(**ASKED)))
    assert not same(cat, pixels(pipeline.generate(prompt="the blue sea", seed=5)))
    assert not same(cat, pixels(pipeline.generate(seed=5)))


def test_guidance_1_is_the_conditional_estimate(pipeline):
    alone = pipeline.generate(**ASKED, guidance=1.0)
    assert same(
        pixels(alone), pixels(pipeline.generate(**ASKED, guidance=1.0, negative="the blue sea"))
    )


def test_pictures_do_not_depend_on_the_batch(pipeline):
    prompts = [ASKED["prompt"], "the blue sea", "a dog"]
    together = pixels(pipeline.generate(prompt=prompts, seed=5))
    for k, prompt in enumerate(prompts):
        alone = pixels(pipeline.generate(prompt=prompt, seed=5 + k))[0]
        assert np.abs(alone - together[k]).max() <= 2


def test_a_saved_pipeline_gives_the_same_bits(pipeline, folder, atelier, tmp_path):
    loaded = load(folder, "cpu", "float32", atelier=atelier)
    assert same(pixels(loaded.generate(**ASKED, n=2)), pixels(pipeline.generate(**ASKED, n=2)))
    text = pipeline.conditioner_components["text"]
    assert text.id.startswith("latelier-transformers/")
    assert loaded.conditioners["text"].assets() == pipeline.conditioners["text"].assets()
    loaded.save(tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in tmp_path.iterdir()
    }


def test_a_picture_is_replayed(folder, atelier, tmp_path):
    picture = load(folder, "cpu", atelier=atelier).generate(**ASKED)[0]
    picture.save(tmp_path / "picture.png")
    assert replay(tmp_path / "picture.png", atelier=atelier).verdict == "identical"


def test_a_too_long_prompt_is_an_error(pipeline):
    with pytest.raises(InvalidInputError, match=r"a text has 40 tokens, but at most 1[01] fit"):
        pipeline.generate(prompt="cat " * 40)


@pytest.mark.parametrize("syntax", ["a1111", "comfyui"])
def test_prompts_may_be_long_and_weighted(atelier, clip_config, clip_tokenizer, syntax):
    pipe = composed(atelier, "clip_text", {**clip_config, "prompt_syntax": syntax}, clip_tokenizer)
    prompts = ["a (red:1.6) cat in the sea, " * 3, "a red cat", "a (red:1.6) cat"]
    together = pixels(pipe.generate(prompt=prompts, negative="the (dog:1.2)", seed=5))
    for k, prompt in enumerate(prompts):
        alone = pixels(pipe.generate(prompt=prompt, negative="the (dog:1.2)", seed=5 + k))[0]
        assert np.abs(alone - together[k]).max() <= 2
    weighted, plain = (pixels(pipe.generate(prompt=each, seed=5)) for each in prompts[1:])
    assert not same(weighted, plain)
    with pytest.raises(InvalidInputError, match=r"prompt.*has the weight 1000"):
        pipe.generate(prompt="a (cat:1000)")


def test_a_missing_tokenizer_is_an_error(atelier, clip_config):
    bare = composed(atelier, "clip_text", clip_config, {})
    with pytest.raises(InvalidConfigError, match="has no tokenizer"):
        bare.generate(**ASKED)
    assert len(bare.generate(seed=5)) == 1
