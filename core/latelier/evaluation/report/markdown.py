"""Results as Markdown: the figures with their intervals, and the paper's rows beside them."""

from collections.abc import Iterable, Iterator, Sequence
from math import isnan, nan

from latelier.contracts.measures import Figure
from latelier.evaluation.published.table import PublishedColumn, PublishedRow, PublishedTable
from latelier.evaluation.report.numbers import (
    ARROWS,
    format_interval,
    format_number,
    format_value,
)
from latelier.evaluation.report.results import MeasuredFigure, Results, align_figures
from latelier.evaluation.sizes import format_size


def to_markdown(results: Results, published: Sequence[PublishedTable] = ()) -> str:
    """Return a page of tables.

    Args:
        results: of a run.
        published: tables of the paper with which the run is compared.
    """
    against = f", against {results.reference}" if results.reference else ""
    blocks = [
        f"# {results.title}",
        f"`{results.model}`, {results.pictures:,} pictures{against}.",
        tabulate_figures(results.figures),
        *_notes(each.figure.note for each in results.figures),
    ]
    blocks += _tabulate_settings(results)
    for table in published:
        blocks += _compare(results, table)
    return "\n\n".join(blocks) + "\n"


def describe_comparison(runs: Sequence[Results]) -> str:
    """Return a page of the tables of several runs with the same settings and measures."""
    blocks = [
        f"# {' and '.join(run.model for run in runs)}",
        f"{runs[0].pictures:,} pictures of each.",
        tabulate_runs(runs),
        *_tabulate_settings(runs[0]),
    ]
    return "\n\n".join(blocks) + "\n"


def tabulate_figures(figures: Sequence[MeasuredFigure]) -> str:
    """Return the table of the figures: a row each, under heads that name their network."""
    tables = []
    for network in dict.fromkeys(each.network for each in figures):
        rows = [
            (
                _name_figure(it),
                format_value(it),
                format_interval(it) or "-",
                "-" if it.count is None else f"{it.count:,}",
            )
            for it in (each.figure for each in figures if each.network == network)
        ]
        tables.append(to_table((_head_network(network), "value", "95 % interval", "of"), rows))
    return "\n\n".join(tables)


def tabulate_runs(runs: Sequence[Results]) -> str:
    """Return tables of several runs, a column for each, under heads that name the network."""
    tables = dict[str, list[Sequence[str]]]()
    for row in align_figures(runs):
        first = next(each for each in row if each is not None)
        cells = ["-" if each is None else _format_with_interval(each.figure) for each in row]
        tables.setdefault(first.network, []).append((_name_figure(first.figure), *cells))
    names = [run.model for run in runs]
    blocks = [to_table((_head_network(each), *names), rows) for each, rows in tables.items()]
    notes = _notes(each.figure.note for run in runs for each in run.figures)
    return "\n\n".join([*blocks, *notes])


def to_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is aligned left, the others right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(_escape, line))} |" for line in lines)


def _tabulate_settings(results: Results) -> list[str]:
    """Return the blocks of the settings of a run; none if they are not known."""
    if not results.settings:
        return []
    return ["## Settings", to_table(("setting", "value"), list(results.settings.items()))]


def _compare(results: Results, table: PublishedTable) -> Iterator[str]:
    """Yield the blocks of a table of the paper, with the run as its first row."""
    columns = table.columns
    comparable = results.figures if _has_size(results, table) else ()
    measured = [_find(comparable, name, column) for name, column in columns.items()]
    own = [(f"**{results.model}**", *(each or "-" for each in measured))]
    rows = [
        (_name_row(row), *(format_number(row.values.get(name, nan)) for name in columns))
        for row in table.rows
    ]
    yield f"## Beside the paper: {table.title}"
    explained = (_describe_run(results, table), _explain_gaps(comparable, table))
    yield " ".join(filter(None, (f"As published: {table.protocol}.", *explained)))
    heads = ("model", *(_head_column(each) for each in columns.values()))
    yield to_table(heads, [*(own if any(measured) else []), *rows])
    named = (f"{_name_row(row)}: {row.note}." for row in table.rows if row.note)
    yield from _notes([*named, *table.notes])


def _name_row(row: PublishedRow) -> str:
    return f"{row.model}, {row.setting}" if row.setting else row.model


def _head_column(column: PublishedColumn) -> str:
    title = f"{column.title} ({column.unit})" if column.unit else column.title
    return _with_arrow(title, column.better) + (f"<br>{column.network}" if column.network else "")


def _has_size(results: Results, table: PublishedTable) -> bool:
    return table.size is not None and results.size == (table.size, table.size)


def _describe_run(results: Results, table: PublishedTable) -> str:
    """Return sentences that say what the run's values are of, and whether they can be compared."""
    size = "" if results.size is None else f" of {format_size(results.size)} pixels"
    against = f", against {results.reference}" if results.reference else ""
    run = f"This run: {results.pictures:,} pictures{size}{against}."
    if not _has_size(results, table):
        return f"{run} They have another size than the published ones: the run is not in the table."
    return (
        f"{run} Values are comparable only if data, their crop and the numbers of pictures agree."
    )


def _find(figures: Sequence[MeasuredFigure], name: str, column: PublishedColumn) -> str:
    """Return the value of the figure that is comparable with a column, "" without one."""
    for each in figures:
        is_same = each.figure.name == name and each.network == column.network
        if is_same and not isnan(each.figure.value):
            return format_number(each.figure.value)
    return ""


def _explain_gaps(figures: Sequence[MeasuredFigure], table: PublishedTable) -> str:
    """Return a sentence on figures that are of another network than those of the paper."""
    foreign = {
        each.network
        for each in figures
        if each.figure.name in table.columns
        and each.network
        and each.network != table.columns[each.figure.name].network
    }
    if not foreign:
        return ""
    networks = ", ".join(sorted(foreign))
    return (
        f"What this run measured with the features of another network ({networks}) is not "
        "comparable with these values, and not in the table."
    )


def _notes(notes: Iterable[str]) -> list[str]:
    """Return a list of notes as one block; none if all are empty."""
    kept = list(dict.fromkeys(note for note in notes if note))
    return ["\n".join(f"- {note}" for note in kept)] if kept else []


def _head_network(network: str) -> str:
    return f"Features of {network}" if network else "Measure"


def _format_with_interval(figure: Figure) -> str:
    interval = format_interval(figure)
    return f"{format_value(figure)} ({interval})" if interval else format_value(figure)


def _name_figure(figure: Figure) -> str:
    """Return the title; of a measure that could not be computed nothing is better."""
    return figure.title if isnan(figure.value) else _with_arrow(figure.title, figure.better)


def _with_arrow(title: str, better: str) -> str:
    return f"{title} {ARROWS[better]}"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
