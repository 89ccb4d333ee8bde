"""Listing databases of reference pictures, and naming their entries."""

import json


def test_the_list_has_the_number_of_pictures(cli):
    done = cli("databases", "list")
    assert done.status == 0
    assert "emoji     1167      latelier" in done.out
    [row] = json.loads(cli("databases", "list", "--json").out)
    assert (row["id"], row["pictures"]) == ("latelier/emoji", 1167)


def test_show_lists_names_and_as_json_their_words(cli):
    done = cli("databases", "show", "emoji")
    assert "1167 names, numbered from 0" in done.out
    assert " cat, lion," in done.out
    entries = json.loads(cli("databases", "show", "latelier/emoji", "--json").out)
    assert [each["number"] for each in entries] == list(range(1167))
    assert "kitten" in next(each for each in entries if each["name"] == "cat")["synonyms"]


def test_an_unknown_database_is_one_line(cli):
    done = cli("databases", "show", "emojis")
    assert (done.status, done.out) == (2, "")
    assert "there is no database 'emojis'. Did you mean 'emoji'?" in done.err


def test_a_model_without_references_takes_none(cli, tiny_model):
    for option, value in (("--reference", "cat"), ("--database", "emoji")):
        done = cli("generate", "a cat", "-m", tiny_model, option, value)
        assert done.status == 2
        assert f"{option}: " in done.err
        assert "takes no reference pictures" in done.err
