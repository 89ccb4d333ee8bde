import numpy as np
import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import FeatureStatistics


@pytest.mark.parametrize("width", [1, 3])
def test_statistics_are_the_mean_and_the_unbiased_covariance(width):
    features = torch.randn(5, width, generator=torch.Generator().manual_seed(2))
    statistics = FeatureStatistics.from_features(features)
    values = features.double().numpy()
    expected = np.cov(values, rowvar=False).reshape(width, width)
    assert statistics.mean.dtype == statistics.covariance.dtype == torch.float64
    np.testing.assert_allclose(statistics.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(statistics.covariance, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(1, 3), (4,), (2, 3, 4)])
def test_one_picture_or_another_shape_is_an_error(shape):
    with pytest.raises(InvalidInputError, match="two pictures or more"):
        FeatureStatistics.from_features(torch.zeros(shape))
