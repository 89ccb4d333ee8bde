from latelier.pipeline.planning.references.slots import Slots, slot_name, slots_in


def test_slots_are_written_from_1():
    assert slot_name(0) == "#1"
    assert slots_in("#2 and #1, #0, #1st, ##3 # 4") == [1, 0, 2]


def test_an_entry_gets_the_slot_that_shows_it():
    slots = Slots([5, 6])
    assert slots.bind([6, 5], set(), 3) == [1, 0]


def test_others_get_free_slots_in_order_and_then_new_ones():
    slots = Slots([5, 6])
    assert slots.bind([7, 6, 8, 9], set(), 3) == [0, 1, 2, None]
    assert list(slots) == [5, 6, 8]


def test_a_taken_slot_is_not_given_again():
    slots, taken = Slots([5]), {0}
    assert slots.bind([5, 5], taken, 3) == [1, 2]
    assert taken == {0, 1, 2}
    assert len(slots) == 3
