"""The page of a report."""

from dataclasses import replace
from math import nan

from latelier.evaluation.report.markdown import tabulate_runs, to_markdown

SCENES = "scene detector of latelier (not Inception)"
INCEPTION = "Inception-v3 (FID, 2015-12-05)"


def rows_of(page: str) -> list[list[str]]:
    """Return the cells of all tables of a page."""
    lines = [line for line in page.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_figures_have_intervals_arrows_and_their_network_above_them(results):
    rows = rows_of(to_markdown(results))
    assert rows == [
        [f"Features of {SCENES}", "value", "95 % interval", "of"],
        ["---", "---:", "---:", "---:"],
        ["Fréchet distance ↓", "12.35", "12 to 12.75", "5,000"],
        ["Measure", "value", "95 % interval", "of"],
        ["---", "---:", "---:", "---:"],
        ["PSNR ↑", "24 dB", "-", "-"],
    ]


def test_the_page_says_what_was_compared_with_what_and_has_all_notes(results):
    page = to_markdown(results)
    assert page.startswith("# Super-resolution\n\n`emoji-scenes`, 5,000 pictures, against emoji")
    assert "- of 8 bits" in page


def test_a_figure_is_beside_the_published_rows_only_if_its_network_is_theirs(results, published):
    page = to_markdown(results, [published])
    rows = rows_of(page)
    assert rows[6] == ["model", f"FID ↓<br>{INCEPTION}", "PSNR (dB) ↑"]
    assert rows[8:] == [
        ["**emoji-scenes**", "-", "24"],
        ["LDM-4, 100 steps", "2.8", "-"],
        ["SR3", "-", "26.4"],
    ]
    assert f"another network ({SCENES}) is not comparable" in page
    assert "- SR3: by its authors.\n- The repository says something else." in page
    (distance, ratio) = results.figures
    same = replace(results, figures=[replace(distance, network=INCEPTION), ratio])
    page = to_markdown(same, [published])
    assert rows_of(page)[8] == ["**emoji-scenes**", "12.35", "24"]
    assert "another network" not in page


def test_pictures_of_another_size_are_in_no_published_table(results, published):
    page = to_markdown(replace(results, size=(64, 64)), [published])
    assert "This run: 5,000 pictures of 64 x 64 pixels, against emoji scenes" in page
    assert "another size than the published ones: the run is not in the table" in page
    assert "**emoji-scenes**" not in page
    assert "comparable only if data" in to_markdown(results, [published])
    assert "**emoji-scenes**" not in to_markdown(
        results, [published.model_copy(update={"size": None})]
    )


def test_the_page_has_the_settings(results):
    page = to_markdown(replace(results, settings={"steps": "20", "seeds": "0 to 9"}))
    assert rows_of(page.partition("## Settings")[2])[2:] == [["steps", "20"], ["seeds", "0 to 9"]]
    assert "## Settings" not in to_markdown(results)


def test_a_measure_without_a_value_has_no_arrow_and_no_published_column(results, published):
    distance, ratio = results.figures
    failed = replace(ratio, figure=replace(ratio.figure, value=nan, unit="", note="psnr: too few"))

    page = to_markdown(replace(results, figures=[distance, failed]), [published])

    assert rows_of(page)[5] == ["PSNR", "-", "-", "-"]
    assert "- psnr: too few" in page
    assert "**emoji-scenes**" not in page
    assert failed.to_json()["value"] is None


def test_a_run_with_nothing_to_compare_has_no_row(results, published):
    page = to_markdown(replace(results, figures=results.figures[:1]), [published])
    assert "**emoji-scenes**" not in page


def test_a_name_cannot_break_the_table(results, published):
    page = to_markdown(replace(results, model="a|b\nc"), [published])
    assert "| **a\\|b c** | - | 24 |" in page


def test_several_runs_have_a_column_each_also_if_a_figure_is_missing(results):
    distance, ratio = results.figures
    second = replace(results, model="another", figures=[distance])
    third = replace(results, model="a third", figures=[ratio])
    assert rows_of(tabulate_runs([results, second, third])) == [
        [f"Features of {SCENES}", "emoji-scenes", "another", "a third"],
        ["---", "---:", "---:", "---:"],
        ["Fréchet distance ↓", "12.35 (12 to 12.75)", "12.35 (12 to 12.75)", "-"],
        ["Measure", "emoji-scenes", "another", "a third"],
        ["---", "---:", "---:", "---:"],
        ["PSNR ↑", "24 dB", "-", "24 dB"],
    ]
