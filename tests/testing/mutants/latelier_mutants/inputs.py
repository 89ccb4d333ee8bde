"""Configs and inputs of the conditioners, faultless and faulty."""

from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.frozen import Frozen
from latelier.contracts.inputs import Box, Color


class BeadsConfig(ConditionerConfig):
    width: int = Field(8, ge=1, description="width of the tokens")

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.width)


class Beads(Frozen):
    colors: tuple[Color, ...] = Field(min_length=1, max_length=4, description="the colours")


class TileConfig(BeadsConfig):
    pass


class Tile(Frozen):
    color: Color = Field(description="its colour")
    box: Box = Field(description="where it is")


class PlaneConfig(ConditionerConfig):
    channels: int = Field(3, ge=1, description="red, green, blue")

    def outputs(self) -> OutputSpec:
        return OutputSpec(spatial=self.channels)

    @property
    def knows_pixels(self) -> bool:
        return True


class Plane(Frozen):
    color: Color = Field(description="of the whole picture")


# Faults of configs and inputs.


class LaxConfig(BeadsConfig):
    model_config = ConfigDict(extra="ignore")


class MuteConfig(BeadsConfig):
    width: int = 8


class ForgetfulConfig(BeadsConfig):
    order: int = Field(0, exclude=True, description="which comes first")


class PromisingConfig(BeadsConfig):
    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.width, vector=self.width)


class LaxBeads(Beads):
    model_config = ConfigDict(extra="ignore")


class MuteBeads(Frozen):
    colors: tuple[Color, ...] = Field(min_length=1, max_length=4)


class ForgetfulBeads(Beads):
    order: int = Field(0, exclude=True, description="which comes first")


class EndlessBeads(Frozen):
    colors: tuple[Color, ...] = Field(min_length=1, description="the colours")


class OtherBeads(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    colors: tuple[Color, ...] = Field(min_length=1, max_length=4, description="the colours")


class OpeningBeads(Beads):
    @field_validator("colors", mode="before")
    @classmethod
    def _open(cls, value):
        with suppress(TypeError, OSError):
            Path(value).read_bytes()
        return value


class TellingBeads(Beads):
    @field_validator("colors", mode="before")
    @classmethod
    def _check(cls, value):
        if isinstance(value, str) and not Path(value).is_file():
            raise ValueError(f"there is no file {value}")
        return value
