"""Stage one: an autoencoder, trained to reconstruct images (arXiv:2112.10752, section 3.1)."""

import torch

from latelier.checkpoints.component import new_component
from latelier.contracts.errors import CompatibilityError
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.first_stage.objective import ReconstructionObjective
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult
from latelier.training.randomness import seed_torch

_INITIAL_LOGVAR = -6.0
"""Log-variance of an untrained posterior. Torch's own initialisation gives about 0, ten times the
spread of the means, and the first hundreds of steps would see little but noise."""


def train_first_stage(
    config: FirstStageTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a first stage and write it as a component folder to `config.out`/result.

    Raises:
        UnknownNameError: the first stage is not registered.
        CompatibilityError: the first stage has no Gaussian posterior, which this training needs.
        InvalidConfigError: a part of the configuration is invalid, or `out` and `resume` disagree.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_first_stage(config, atelier), resume, atelier)


def plan_first_stage(config: FirstStageTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of a first stage's training.

    Raises:
        LatelierError: see `train_first_stage`.
    """
    choice = config.first_stage
    with seed_torch(config.seed, 0, torch.device("cpu")):
        component = new_component("first_stage", choice.id, choice.config, atelier)
    if not isinstance(component.module, AutoencoderKL):
        raise CompatibilityError(
            f"first stage '{component.id}' has no Gaussian posterior to train; "
            "use 'latelier/autoencoder_kl'"
        )
    with torch.no_grad():
        component.module.state_dict()["quant_conv.bias"].chunk(2)[1].fill_(_INITIAL_LOGVAR)
    dataset = make_training_samples(config)
    return TrainingPlan(config, ReconstructionObjective(component, config), dataset)
