"""The settings of an evaluation as text, whatever they come from: file, model or defaults."""

import json
from collections.abc import Mapping
from typing import Any

import torch

from latelier._version import __version__
from latelier.evaluation.records.reference import StoredReference
from latelier.evaluation.run.evaluation import Evaluation
from latelier.evaluation.sizes import format_size
from latelier.evaluation.tasks.model import EvaluatedModel
from latelier.evaluation.tasks.task import GenerationTask
from latelier.kernel.atelier import Atelier


def list_settings(
    evaluation: Evaluation, reference: StoredReference | None, atelier: Atelier
) -> dict[str, str]:
    """Return the settings that a reader needs to judge or to repeat the results, by name."""
    config, facts = evaluation.config, evaluation.facts
    settings = {
        "size": format_size(evaluation.samples.size),
        "data": f"{evaluation.samples.name} {_format(facts['data'])}",
    }
    if evaluation.model is not None:
        settings |= _list_model(evaluation.model, facts)
        if isinstance(config.task, GenerationTask):
            settings |= _list_generation(evaluation.model, evaluation.count, facts)
    if evaluation.network is not None:
        settings["network"] = evaluation.network.identity
    if reference is not None:
        settings["reference"] = f"{reference.count:,} pictures {_format(reference.facts['data'])}"
    for label, choice in zip(evaluation.measures, config.measures, strict=True):
        fields = atelier.measures.validate_config(choice.id, choice.config).model_dump(mode="json")
        if fields:
            settings[label] = _format(fields)
    settings |= {f"weights of {label}": text for label, text in facts["weights"].items()}
    return settings | {
        "device": f"{evaluation.device.type}, threads {_format(config.threads)}",
        "versions": f"latelier {__version__}, torch {torch.__version__}",
    }


def _list_model(model: EvaluatedModel, facts: Mapping[str, Any]) -> dict[str, str]:
    return {
        "model": f"SHA-256 of the manifest {facts['model']}",
        "adapters": _format(facts["adapters"]) if facts["adapters"] else "none",
        "precision": str(model.pipeline.dtype).removeprefix("torch."),
        "batch size": str(facts["batch_size"]),
    }


def _list_generation(model: EvaluatedModel, count: int, facts: Mapping[str, Any]) -> dict[str, str]:
    """Return how pictures are made, with what the model's defaults are where nothing is set."""
    options = {
        **model.pipeline.defaults.model_dump(mode="json", exclude={"size"}, exclude_none=True),
        **facts["generate"],
    }
    return {
        "inputs": _format(dict(model.inputs)),
        **{name: _format(value) for name, value in options.items()},
        "seeds": f"{model.seed} to {model.seed + count - 1}",
    }


def _format(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
