"""When a full queue should have room again, by the pace at which jobs end."""

import pytest

from latelier.engine.forecast import RECENT, RoomForecast


class Clock:
    """Seconds that a test moves."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


def run_jobs(forecast, clock, count, seconds):
    """Run jobs one after the other."""
    for _ in range(count):
        forecast.begin()
        clock.seconds += seconds
        forecast.end()


def test_room_is_there_when_the_next_job_ends(clock):
    forecast = RoomForecast(clock)
    run_jobs(forecast, clock, 3, seconds=4)
    assert forecast.seconds_until_room(waiting=10) == 4


def test_jobs_that_run_together_end_together(clock):
    forecast = RoomForecast(clock)
    for _ in range(4):
        forecast.begin()
    clock.seconds += 8
    for _ in range(4):
        forecast.end()
    assert forecast.seconds_until_room(waiting=10) == 2


def test_each_refused_job_has_a_place_of_its_own_and_none_waits_for_more_than_the_queue(clock):
    forecast = RoomForecast(clock)
    run_jobs(forecast, clock, 2, seconds=4)
    assert [forecast.seconds_until_room(waiting=3) for _ in range(5)] == [4, 8, 12, 12, 12]
    clock.seconds += 8
    assert forecast.seconds_until_room(waiting=3) == 8


def test_idle_time_does_not_count(clock):
    forecast = RoomForecast(clock)
    run_jobs(forecast, clock, 1, seconds=4)
    clock.seconds += 1000
    run_jobs(forecast, clock, 1, seconds=4)
    assert forecast.seconds_until_room(waiting=10) == 4


def test_the_pace_is_that_of_the_last_jobs(clock):
    forecast = RoomForecast(clock)
    run_jobs(forecast, clock, 5, seconds=50)
    run_jobs(forecast, clock, RECENT, seconds=2)
    assert forecast.seconds_until_room(waiting=10) == 2


def test_before_the_first_end_it_takes_at_least_as_long_as_so_far(clock):
    forecast = RoomForecast(clock)
    forecast.begin()
    clock.seconds += 7
    assert forecast.seconds_until_room(waiting=10) == 7
