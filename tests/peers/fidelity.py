"""Measures of torch-fidelity, of features (N, D) and logits (N, K) that are given."""


def frechet_distance(first, second):
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    statistics = (fid_features_to_statistics(each.double()) for each in (first, second))
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def kernel_distance(first, second, **options):
    """Return the mean and the standard deviation of the subsets'."""
    from torch_fidelity.metric_kid import kid_features_to_metric

    measured = kid_features_to_metric(first.double(), second.double(), verbose=False, **options)
    return tuple(measured[f"kernel_inception_distance_{each}"] for each in ("mean", "std"))


def inception_score(logits, splits, shuffle, seed):
    """Return the mean and the standard deviation of the splits'."""
    from torch_fidelity.metric_isc import isc_features_to_metric

    measured = isc_features_to_metric(logits, splits, shuffle, seed)
    return tuple(measured[f"inception_score_{each}"] for each in ("mean", "std"))


def precision_recall(generated, real, neighbors):
    from torch_fidelity.metric_prc import prc_features_to_metric

    measured = prc_features_to_metric(
        generated.double(), real.double(), prc_neighborhood=neighbors, verbose=False
    )
    return measured["precision"], measured["recall"]


def frechet_distance_by_torchmetrics(first, second):
    import torch
    from torchmetrics.image import FrechetInceptionDistance

    class Given(torch.nn.Module):
        """Stands for a network: its pictures are features already."""

        num_features = first.shape[1]

        def forward(self, images):
            return images

    metric = FrechetInceptionDistance(feature=Given(), input_img_size=(1, 1))
    metric.set_dtype(torch.float64)
    metric.update(first.double(), real=True)
    metric.update(second.double(), real=False)
    return float(metric.compute())
