"""The published tables against the paper's, number for number."""

from collections import defaultdict

import pytest
from scipy.stats import norm

from panns.published.tables import NotPublishedError, entry, rows_of, tables
from paper_tables import table_rows

SCORES = ("mAP", "mAUC", "d_prime")
TRANSFER = {"XIII": "accuracy", "XIV": "accuracy", "XV": "mAP_at_3", "XVI": "accuracy", "XVII": "accuracy"}
TRANSFER |= {"XVIII": "accuracy"}
ROWS = {  # what the rows are called here, where it is not what the collection of facts calls them
    "IV": {"Google CNN [1] (embedding features)": "Google CNN", "TAL Net, Wang 2019 [19]": "TAL Net"},
    "VIII": {"50 %": "50%", "80 %": "80%", "100 %": "100%"},
    "IX": {"8 kHz": "8kHz", "16 kHz": "16kHz", "32 kHz": "32kHz"},
}


@pytest.fixture(scope="module")
def facts(shared):
    return (shared / "paper" / "PAPER.md").read_text()


def scores_of(one):
    return [getattr(one, name) for name in SCORES]


@pytest.mark.parametrize("table", ["V", "VI", "VII", "VIII", "IX", "X"])
def test_ablations(table, facts):
    found = []
    for first, *cells in list(table_rows(facts, f"**Table {table} "))[2:]:
        one = entry(f"{table}/{ROWS.get(table, {}).get(first, first)}")
        assert scores_of(one) == [float(cell.strip("*")) for cell in cells[-3:]], one
        found.append(one.key)
    assert found
    assert found == [key for key, one in tables().items() if one.table == table]


def test_previous_methods(facts):
    want = [[first, *map(float, (cell.strip("*") for cell in cells[:3]))] for first, *cells in
            list(table_rows(facts, "### Table IV"))[2:]]  # fmt: skip
    have = [one for one in tables().values() if one.table == "IV"]
    assert [row[1:] for row in want] == [scores_of(one) for one in have]
    for row, one in zip(want, have, strict=True):
        assert row[0].startswith(one.row)


def test_architectures(facts):
    found = []
    for first, *cells in list(table_rows(facts, "### 2.1 Tables XI + XII"))[2:]:
        one = entry(f"XI/{first.strip('*').split(' [')[0]}")
        d_prime = None if "typo" in cells[2] else float(cells[2])
        assert scores_of(one) == [float(cells[0].strip("*")), float(cells[1]), d_prime]
        assert f"{one.multi_adds:.3f}e9" == cells[3]
        assert f"{one.parameters:,}" == cells[4]
        assert one.iteration == 1000 * int(cells[5].strip("*").split("k")[0])
        found.append(one.key)
    assert found == [key for key, one in tables().items() if one.table == "XI"]
    assert len(found) == 15


def test_transfer(facts):
    found = []
    for first, *cells in list(table_rows(facts, "| Task (metric)"))[2:]:
        table = first.split()[0]
        rows = ("previous best", "Scratch", "Fine-tune", "Freeze_L1", "Freeze_L3")
        for row, cell in zip(rows, cells, strict=True):
            one = entry(f"{table}/{row}")
            assert getattr(one, TRANSFER[table]) == float(cell.strip("* ").split()[0].strip("*"))
            assert ("text" in cell) == ("the text says" in one.note)
            assert scores_of(one) == [None] * 3
            found.append(one.key)
    assert found == [key for key, one in tables().items() if one.table in TRANSFER]


def test_iterations_of_the_ablations(facts):
    """Beside the headings: Table VI `1000 -> 540k; 640 and 500 -> 440k; 320 -> 600k` and so on."""
    want = {"VI/1000": 540, "VI/640": 440, "VI/500": 440, "VI/320": 600, "VII/32": 560, "VII/128": 560}
    want |= {"VII/512": 440, "VII/2048": 600}
    for key, thousands in want.items():
        assert entry(key).iteration == 1000 * thousands
    rest = {one.iteration for one in tables().values() if one.table in ("V", "VIII", "IX", "X")}
    assert rest == {600_000}


def test_each_run_has_its_numbers_once():
    """A row that is the run of another has none of its own in the file, and those of the other when read."""
    shown = defaultdict(list)
    for row in rows_of("tables.csv"):
        key = f"{row['table']}/{row['row']}"
        if row["same_as"]:
            assert not any(row[name] for name in (*SCORES, "parameters", "multi_adds", "iteration"))
            assert scores_of(entry(key)) == scores_of(entry(row["same_as"]))
            assert entry(key).key == key
        shown[entry(key).run].append(key)
    assert shown["XI/CNN14"] == [
        "IV/CNN14", "V/bal, mixup on log-mel (1.9m)", "VI/320", "VII/2048", "VIII/100%", "IX/32kHz", "X/64", "XI/CNN14"
    ]  # fmt: skip
    assert all(len(keys) == 1 for run, keys in shown.items() if run != "XI/CNN14")


def test_d_prime_is_that_of_the_auc():
    """The paper's d' is sqrt(2) times the normal quantile of the mean AUC; both are rounded to three digits."""
    for key, one in tables().items():
        if one.d_prime is not None:
            low, high = (2**0.5 * norm.ppf(one.mAUC + half) for half in (-0.0005, 0.0005))
            assert low - 0.0005 <= one.d_prime <= high + 0.0005, key


@pytest.mark.parametrize(("key", "said"), [("XI/CNN15", "'XI/CNN14'"), ("XX/CNN14", "'XX' is none of IV, V, VI")])
def test_what_is_not_there_is_told_with_what_is(key, said):
    with pytest.raises(NotPublishedError, match=said):
        entry(key)


def test_the_file_has_columns_for_all_that_stands_in_it():
    assert all(None not in row and None not in row.values() for row in rows_of("tables.csv"))
    assert len(tables()) == len(list(rows_of("tables.csv"))) == 8 + 7 + 4 + 4 + 3 + 3 + 3 + 15 + 6 * 5
