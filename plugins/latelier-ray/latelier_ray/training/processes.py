"""The processes of a training: Ray Train starts them, and latelier's own loop runs in each.

Ray Train sets the variables of the process group that torchrun sets too, so the loop finds what it
finds there. Checkpoints are those of the loop, in the folder of the run.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from latelier.cli.commands.train import TRAININGS
from latelier.contracts.errors import LatelierError, UnknownNameError
from latelier.contracts.messages import suggestion
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.configs.training import read_training
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan

from latelier_ray.errors import ClusterError
from latelier_ray.machine import Home
from latelier_ray.workers import WorkerSize


@dataclass(frozen=True)
class Order:
    """What each process does.

    Attributes:
        kind: of the training, the name of a command of `latelier train`.
        path: of its configuration.
        home: where the command was started.
    """

    kind: str
    path: Path
    home: Home

    def plan(self, atelier: Atelier) -> TrainingPlan:
        """Return the plan of the training, as each process makes it.

        Raises:
            UnknownNameError: there is no such training.
            LatelierError: the configuration, its model or its data are invalid.
        """
        if self.kind not in TRAININGS:
            message = f"there is no training '{self.kind}'. {suggestion(self.kind, TRAININGS)}"
            raise UnknownNameError(message)
        model, make_plan = TRAININGS[self.kind]()
        return make_plan(read_training(self.path, model), atelier)

    def carry_out(self) -> None:
        """Train in this process, one of several that are started with the same order.

        Raises:
            LatelierError: see `run_training`.
        """
        self.home.enter(self.home.folder)
        atelier = default_atelier()
        run_training(self.plan(atelier), "auto", atelier)


def train_with(size: WorkerSize, order: Order, out: Path, failures: int) -> None:
    """Train with processes on the cluster that this process is connected to.

    Args:
        size: how many there are.
        order: what each does.
        out: folder of the run.
        failures: how often they may fail and start again.

    Raises:
        LatelierError: what the processes raise.
        ClusterError: they fail for another reason, too often.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError

    resources = {"CPU": size.cpus, **({"GPU": size.gpus} if size.gpus else {})}
    notes = (out.parent / f".{out.name}-{uuid4().hex}").absolute()  # of Ray Train, while it runs
    trainer = TorchTrainer(
        _take_part,
        train_loop_config={"order": order},
        scaling_config=ScalingConfig(
            num_workers=size.count, use_gpu=size.gpus > 0, resources_per_worker=resources
        ),
        run_config=RunConfig(
            name="training",
            storage_path=str(notes),
            failure_config=FailureConfig(max_failures=failures),
        ),
    )
    notes.mkdir(parents=True)
    try:
        trainer.fit()
    except TrainingFailedError as error:
        raise _explain(error) from error
    finally:
        shutil.rmtree(notes, ignore_errors=True)


def _take_part(arguments: dict[str, Any]) -> None:
    """Carry out an order in a process of Ray Train, as if torchrun had started it."""
    count, local = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if count % local:
        raise ClusterError(
            f"--workers: {count} processes cannot be divided equally, and one machine has {local}; "
            f"give a multiple of it, or fewer than {local}"
        )
    os.environ["TORCHELASTIC_RUN_ID"] = "ray-train"  # says that the other variables are set
    os.environ["GROUP_RANK"] = os.environ["NODE_RANK"]
    order: Order = arguments["order"]
    order.carry_out()


def _explain(error: Any) -> LatelierError:
    """Return the error of a process for that of Ray Train, the first that says what is wrong."""
    failures = list(getattr(error, "worker_failures", {}).values())
    causes = [getattr(each, "cause", each) for each in failures]
    for cause in causes:
        if isinstance(cause, LatelierError):
            return cause
    reasons = [str(each).strip().rpartition("\n")[2] for each in causes] or [str(error)]
    return ClusterError(
        f"the training fails again and again: {reasons[0]} The same command goes on from its last "
        "checkpoint"
    )
