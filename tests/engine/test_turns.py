"""Turns: one run at a time, and nobody waits for a slow one for long."""

import threading
import time

from latelier.engine.turns import MAX_SECONDS, Turns


def test_a_run_waits_until_the_turn_before_it_ends(monkeypatch):
    monkeypatch.setattr("latelier.engine.turns.MAX_SECONDS", 60)
    turns, began = Turns(), threading.Event()
    turns.begin("one")

    def other():
        turns.begin("other")
        began.set()

    thread = threading.Thread(target=other)
    thread.start()
    assert not began.wait(0.02)
    turns.end("one")
    assert began.wait(20)
    thread.join()


def test_a_slow_run_holds_up_the_next_one_for_a_moment_only():
    turns = Turns()
    turns.begin("slow")
    start = time.perf_counter()
    turns.begin("next")
    assert MAX_SECONDS / 2 < time.perf_counter() - start < 1
    turns.end("slow")  # it lost its turn, so this does not end that of the next
    start = time.perf_counter()
    turns.begin("third")
    assert time.perf_counter() - start > MAX_SECONDS / 2
    turns.end("third")
    turns.end("third")
