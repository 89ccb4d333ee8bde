"""How scikit-image and lpips compare pictures."""

import torch


def lpips_distance(images, references, state):
    """Return the LPIPS, (B,), of pictures in [-1, 1] with these weights of its layers."""
    from lpips import LPIPS

    network = LPIPS(net="vgg", pretrained=False, pnet_rand=True, verbose=False)
    network.load_state_dict({**network.state_dict(), **state})
    with torch.no_grad():
        return network(images, references).flatten()


def ssim(images, references):
    """Return the SSIM, (B,), of uint8 pictures (B, 3, H, W), by the window of the paper."""
    from skimage.metrics import structural_similarity

    return torch.tensor(
        [
            structural_similarity(
                x.numpy(),
                y.numpy(),
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=255,
            )
            for x, y in zip(images, references, strict=True)
        ]
    )


def psnr(images, references):
    """Return the PSNR, (B,) in dB, of uint8 pictures (B, 3, H, W)."""
    from skimage.metrics import peak_signal_noise_ratio

    return torch.tensor(
        [
            peak_signal_noise_ratio(y.numpy(), x.numpy(), data_range=255)
            for x, y in zip(images, references, strict=True)
        ]
    )
