"""`latelier plugins new`."""


def test_it_writes_a_distribution_and_its_path(cli, tmp_path):
    made = cli("plugins", "new", "palette", "--kind", "sampler", "--author", "Ada")
    assert (made.status, made.out) == (0, "latelier-palette\n")
    assert (tmp_path / "latelier-palette" / "pyproject.toml").is_file()
    again = cli("plugins", "new", "palette", "--kind", "sampler")
    assert (again.status, again.out) == (2, "")
    assert again.err == "error: latelier-palette: exists already; nothing was written\n"
