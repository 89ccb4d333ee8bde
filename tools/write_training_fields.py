"""Write the tables of fields in docs/training.md from the configuration models.

python tools/write_training_fields.py
"""

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from latelier.data.emoji_scenes import SceneConfig
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.configs.conditional_decoder import ConditionalDecoderTraining
from latelier.training.configs.data import DataConfig
from latelier.training.configs.denoiser import (
    ConditionerTraining,
    DenoiserTraining,
    PredictionTraining,
)
from latelier.training.configs.distillation import DistillationTraining
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.configs.lora import LoraTraining
from latelier.training.configs.training import Training

PAGE = Path(__file__).parents[1] / "docs" / "training.md"
START, END = "<!-- fields: written by tools/write_training_fields.py -->", "<!-- end of fields -->"
SECTIONS: tuple[tuple[str, type[BaseModel], type[BaseModel] | None], ...] = (
    ("Every training", Training, None),
    ("`data`", DataConfig, None),
    ("`data.config` of the built-in scenes", SceneConfig, None),
    ("`first-stage`", FirstStageTraining, Training),
    ("`denoiser`, `adapter`, `lora` and `distillation`", PredictionTraining, Training),
    ("`denoiser`", DenoiserTraining, PredictionTraining),
    ("`conditioners.NAME` of `denoiser`", ConditionerTraining, None),
    ("`adapter`", AdapterTraining, PredictionTraining),
    ("`lora` and `distillation`", LoraTraining, PredictionTraining),
    ("`distillation`", DistillationTraining, LoraTraining),
    ("`conditional-decoder`", ConditionalDecoderTraining, Training),
)
"""Title, model, and the model whose fields another section has."""
ELSEWHERE = {
    "data": "see `data` below",
    "noise": "see [Noise levels](#noise-levels)",
    "loss.weight": "see [Noise levels](#noise-levels)",
    "adversarial.optimizer": "see `optimizer` above",
}
"""Fields whose own fields stand elsewhere on the page."""


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(replace_tables(page), encoding="utf-8")


def replace_tables(page: str) -> str:
    """Return the page with new tables between its two marks."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{make_tables()}\n{END}{after}"


def make_tables() -> str:
    """Return the tables of all sections as Markdown."""
    sections = []
    for title, model, base in SECTIONS:
        known = set(base.model_fields) if base else set()
        rows = [row for row in list_rows(model) if row[0].split(".")[0] not in known]
        lines = [f"| `{name}` | {value} | {text} |" for name, value, text in rows]
        sections.append(
            "\n".join(
                [f"### {title}", "", "| field | default | meaning |", "|---|---|---|", *lines]
            )
        )
    return "\n\n".join(sections) + "\n"


def list_rows(
    model: type[BaseModel], prefix: str = "", kind: str | None = None
) -> Iterator[tuple[str, str, str]]:
    """Yield path, default and meaning of the fields of a model and of the models in it.

    A model that is one of several kinds has its `kind` in the meaning.
    """
    for name, field in model.model_fields.items():
        if kind is not None and name == "kind":
            continue
        path = prefix + name
        inner = [] if path in ELSEWHERE else list(models_in(field.annotation))
        meaning = describe(path, field, inner)
        yield path, describe_default(field), f"{kind}: {meaning}" if kind else meaning
        for each in inner:
            inner_kind = each.model_fields["kind"].default if len(inner) > 1 else None
            yield from list_rows(each, f"{path}.", inner_kind)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a field may hold itself, not in a list or mapping."""
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        for each in get_args(annotation):
            yield from models_in(each)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def describe(path: str, field: FieldInfo, inner: list[type[BaseModel]]) -> str:
    """Return a field's description, the values that it does not name, and where to read on."""
    text = field.description or "; or ".join(first_line(each) for each in inner)
    values = [value for value in choices_of(field.annotation) if str(value) not in text]
    choices = " or ".join(f"`{value}`" for value in values)
    parts = [text.replace("|", "\\|"), choices, ELSEWHERE.get(path, "")]
    return "; ".join(part for part in parts if part)


def first_line(model: type[BaseModel]) -> str:
    line = (model.__doc__ or "").partition("\n")[0].rstrip(".")
    return line[:1].lower() + line[1:]


def choices_of(annotation: Any) -> list[Any]:
    """Return the values of a field that has few."""
    nested = (annotation, *get_args(annotation))
    return [value for each in nested if get_origin(each) is Literal for value in get_args(each)]


def describe_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return f"`{value.kind}`" if hasattr(value, "kind") else ""
    if isinstance(value, str):
        return value and f"`{value}`"
    if isinstance(value, tuple) and any(isinstance(each, BaseModel) for each in value):
        return "see the recipe"
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("...\n").strip()


if __name__ == "__main__":
    main()
