"""The preview of the data."""

from PIL import Image


def test_a_sheet_is_drawn_and_is_the_same_for_the_same_seed(cli, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        options = ("-n", 4, "--seed", seed, "--background", "plain", "--size", 32)
        done = cli("data", "preview", "-o", f"{name}.png", *options)
        assert (done.status, done.out) == (0, f"{name}.png\n")
    a, b, c = (Image.open(tmp_path / f"{name}.png").tobytes() for name in "abc")
    assert a == b
    assert a != c
