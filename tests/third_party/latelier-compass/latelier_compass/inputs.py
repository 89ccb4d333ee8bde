from pydantic import Field

from latelier import ConditionerConfig, Frozen, Gives


class CompassConfig(ConditionerConfig):
    width: int = Field(32, ge=1, description="width of the token")

    def gives(self):
        return Gives(stream=self.width)


class Direction(Frozen):
    degrees: float = Field(ge=0, lt=360, description="clockwise from north")
