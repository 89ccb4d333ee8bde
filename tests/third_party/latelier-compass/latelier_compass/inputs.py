from pydantic import Field

from latelier import ConditionerConfig, Frozen, OutputSpec


class CompassConfig(ConditionerConfig):
    width: int = Field(32, ge=1, description="width of the token")

    def outputs(self):
        return OutputSpec(stream=self.width)


class Direction(Frozen):
    degrees: float = Field(ge=0, lt=360, description="clockwise from north")
