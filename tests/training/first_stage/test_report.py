import json
from typing import Any

import pytest
import torch

from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.autoencoder_vq import AutoencoderVQ
from latelier.first_stages.configs import AutoencoderKLConfig, AutoencoderVQConfig
from latelier.training.first_stage.report import make_report, measure, write_report

SHAPE: dict[str, Any] = {"ch": 4, "ch_mult": (1, 1), "num_res_blocks": 1, "num_groups": 2}
IMAGES = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_latents_are_reported_as_exported():
    torch.manual_seed(0)
    autoencoder = AutoencoderKL(AutoencoderKLConfig(**SHAPE, scale_factor=3.0)).eval()
    found = measure(autoencoder, [IMAGES[:4]], None, [IMAGES[4:]])
    exported = autoencoder.config.model_copy(update={"scale_factor": 1 / found.latents.overall_std})
    report = make_report(found, exported)
    assert report["images"] == 6
    assert report["held_out_images"] == 4
    with torch.no_grad():
        mean, logvar = autoencoder.posterior(IMAGES)
    mean, std = mean.double() / mean.double().std(correction=0), mean.double().std(correction=0)
    latents = report["latents"]
    assert latents["mean"] == pytest.approx(mean.mean((0, 2, 3)).tolist(), abs=1e-5)
    assert latents["std"] == pytest.approx(mean.std((0, 2, 3), correction=0).tolist(), rel=1e-4)
    assert latents["covariance_eigenvalues"] == sorted(latents["covariance_eigenvalues"])[::-1]
    assert sum(latents["covariance_eigenvalues"]) == pytest.approx(
        sum(each**2 for each in latents["std"]), rel=1e-4
    )
    posterior = (logvar.double().exp().mean((0, 2, 3)).sqrt() / std).tolist()
    assert latents["posterior_std"] == pytest.approx(posterior, rel=1e-4)
    assert 0 < latents["variance_above_half_nyquist"] < 1
    assert latents["picture_variance_above_half_nyquist"] == pytest.approx(0.8, abs=0.1)  # noise


def test_factors_of_channels_are_reported_as_exported():
    torch.manual_seed(0)
    factors = {"scale_factor": (1.0, 2.0, 3.0, 0.5), "shift_factor": (0.5, 0.0, -1.0, 2.0)}
    autoencoder = AutoencoderKL(AutoencoderKLConfig(**SHAPE, **factors)).eval()
    latents = make_report(measure(autoencoder, [IMAGES], None), autoencoder.config)["latents"]
    with torch.no_grad():
        expected = autoencoder.encode(IMAGES).double()
    rows = expected.movedim(1, 0).flatten(1)
    assert latents["mean"] == pytest.approx(rows.mean(1).tolist(), abs=1e-4)
    assert latents["std"] == pytest.approx(rows.std(1, correction=0).tolist(), rel=1e-4)
    eigenvalues = torch.linalg.eigvalsh(rows.cov(correction=0)).flip(0)
    assert latents["covariance_eigenvalues"] == pytest.approx(eigenvalues.tolist(), abs=1e-4)


def test_quality_is_that_of_the_held_out_images_alone():
    torch.manual_seed(0)
    autoencoder = AutoencoderKL(AutoencoderKLConfig(**SHAPE)).eval()
    with_more = measure(autoencoder, [IMAGES[:4]], None, [IMAGES[4:]])
    alone = measure(autoencoder, [IMAGES[:2], IMAGES[2:4]], None)
    assert with_more.quality == pytest.approx(alone.quality)
    assert set(alone.quality) == {"absolute", "psnr", "ssim"}


def test_codes_are_counted():
    autoencoder = AutoencoderVQ(AutoencoderVQConfig(**SHAPE, embed_dim=2, n_embed=4)).eval()
    codes = torch.tensor([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0], [8.0, 8.0]])
    autoencoder.quantize.embedding.weight.data.copy_(codes)
    with torch.no_grad():
        autoencoder.quant_conv.weight.zero_()
        autoencoder.quant_conv.bias.fill_(0.9)
    found = measure(autoencoder, [IMAGES], None)
    assert found.code_counts is not None
    assert found.code_counts.tolist() == [0, 6 * 8 * 8, 0, 0]
    report = make_report(found, autoencoder.config)
    assert report["codebook"] == {"codes": 4, "used": 0.25, "perplexity": pytest.approx(1)}


def test_a_report_is_written_as_json_and_shown_as_a_table(tmp_path, capsys):
    autoencoder = AutoencoderKL(AutoencoderKLConfig(**SHAPE)).eval()
    report = make_report(measure(autoencoder, [IMAGES], None), autoencoder.config)
    report["quality"]["psnr"] = 31.25
    write_report(tmp_path / "report.json", report)
    assert json.loads((tmp_path / "report.json").read_text()) == report
    shown = capsys.readouterr().err
    assert "quality psnr" in shown
    assert "31.25" in shown
    assert "latents covariance eigenvalues" in shown
