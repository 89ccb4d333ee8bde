"""Feature networks of other libraries, of pictures uint8 (B, 3, H, W)."""


def inception(weights, images):
    """Return features and logits without biases."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    features = ["2048", "logits_unbiased"]
    network = FeatureExtractorInceptionV3(
        "inception", features, feature_extractor_weights_path=weights
    )
    return network(images)


def resize_tf1_bilinear(images, height, width):
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x,
    )

    return interpolate_bilinear_2d_like_tensorflow1x(
        images.float(), size=(height, width), align_corners=False
    )
