"""What `panns report` writes, read as its readers do."""

import base64
import csv
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from sklearn.metrics import average_precision_score

from panns.studies.gathering import gather
from panns.studies.jobs import sweep_words
from panns.studies.outcome import conclude
from panns.studies.report.content import Cell, Section, table
from panns.studies.report.rendering import html, markdown
from panns.studies.report.run_sections import Source, command
from panns.studies.report.writing import write_report
from panns.studies.runs import find_runs
from panns.studies.study import Row, Study, quoted
from panns.zoo import config_dir
from studies.made import FINGERPRINT, made_run

PICTURES = ("scores", "score_by_x", "learning_curves", "cost")


class Page(HTMLParser):
    """Collects tags with their attributes, and the text of each cell."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self._open = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag in ("td", "th") or (self._open and tag in ("a", "code"))
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        self._open = self._open and tag not in ("td", "th")

    def handle_data(self, data):
        if self._open:
            self.cells[-1] += data


def rows_of(markdown_text, title):
    """The rows of the table in a section, as lists of cells, the header first."""
    section = markdown_text.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_opening_says_how_far_the_study_is_and_on_what_it_was_scored(written):
    text = (written / "report.md").read_text()
    assert text.startswith("# mel_bins_demo: How fine must the spectrogram be in frequency?\n\n")
    assert "7 of 9 runs are finished, 1 unfinished, 1 missing.\n" in text
    assert "Scored on 300 clips (eval).\n" in text
    assert "The data are not those of the paper" in text


def test_scores_stand_beside_the_paper_and_differences_beside_their_intervals(written, made):
    text = (written / "report.md").read_text()
    head, *rows = rows_of(text, "Scores")
    assert head[:4] == ["row", "mel bins", "seeds", "mAP"]
    assert [row[:3] for row in rows] == [["32 bins", "32", "3"], ["64 bins", "64", "3"], ["128 bins", "128", "1"]]
    expected = np.mean([average_precision_score(made.targets, made.scores["32 bins", seed]) for seed in range(3)])
    assert rows[0][3].startswith(f"{expected:.4f} ± ")
    assert rows[0][head.index("paper, other data")] == "0.413 (Table X)"
    assert rows[0][-2:] == ["0.35 M", "32.00 G"]
    head, *rows = rows_of(text, "Against 64 bins")
    assert [row[0] for row in rows] == ["32 bins", "128 bins"]
    assert rows[0][-1] == "worse"
    assert rows[1][-1].endswith(("one seed does not tell of others", "not told apart"))


def test_what_is_missing_has_the_command_that_makes_it(written):
    head, missing, began = rows_of((written / "report.md").read_text(), "What is missing")
    assert head == ["row", "seed", "state", "at step", "run", "command"]
    assert began[:4] == ["128 bins", "1", "unfinished", "160"]
    assert missing[:3] == ["128 bins", "2", "missing"]
    assert missing[-1] == "`python train.py -m experiment=mel_bins_demo \"row='128 bins'\" seed=2`"


@pytest.mark.parametrize(
    "label", ["small, uniform, no mixup", "CNN 14 (6 blocks)", 'it\'s - "a" $HOME `ls` \\\\ = [1] {a: b}', "64"]
)
def test_the_command_of_one_run_chooses_its_row_through_the_shell_and_hydra(label):
    row = Row(label, ("model=cnn6",))
    study = Study("depth", "How deep?", None, None, (0, 1), {"other": Row("other", ()), label: row}, ("data=demo",))
    line = command(study, row, 7).removeprefix("python train.py -m ")
    given = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True).stdout.splitlines()
    with initialize_config_dir(str(config_dir().absolute()), version_base="1.3"):
        ((words, chosen),) = sweep_words(study, given, GlobalHydra.instance().config_loader())
    assert chosen == label
    assert words == ["experiment=depth", "data=demo", "model=cnn6", f"row={quoted(label)}", "seed=7"]


def test_runs_and_pictures_are_linked_and_are_there(written):
    text = (written / "report.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) == 8 + len(PICTURES)
    for link in links:
        assert (written / link).exists(), link
        assert not link.startswith("/")


def test_the_page_needs_nothing_beside_it(written):
    text = (written / "report.html").read_text()
    page = Page(text)
    assert not re.search(r"<script|@import|url\(", text)
    sources = [attrs["src"] for tag, attrs in page.tags if "src" in attrs]
    assert len(sources) == len(PICTURES)
    for source, name in zip(sources, PICTURES, strict=True):
        kind, content = source.split(",")
        assert kind == "data:image/svg+xml;base64"
        assert base64.b64decode(content) == (written / f"{name}.svg").read_bytes()
    assert not [attrs for tag, attrs in page.tags if tag == "link"]
    cells = [cell for row in rows_of((written / "report.md").read_text(), "Scores") for cell in row]
    assert "\n".join(cells) in "\n".join(page.cells)


def test_csv_has_a_line_for_each_run_and_for_each_class(written, made):
    with (written / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["seed"], row["state"]) for row in rows[-3:]] == [
        ("128 bins", "0", "finished"),
        ("128 bins", "1", "unfinished"),
        ("128 bins", "2", "missing"),
    ]
    assert len(rows) == 9
    for row in rows[:7]:
        expected = average_precision_score(made.targets, made.scores[row["row"], int(row["seed"])])
        assert float(row["mAP"]) == pytest.approx(expected)
        assert (row["clips"], row["seconds"], row["device"], row["validation_data"]) == (
            "300",
            "90.0",
            "cpu",
            "0123456789ab",
        )
    with (written / "class_gains.csv").open() as file:
        gains = list(csv.DictReader(file))
    assert [(row["row"], row["class"]) for row in gains][5:7] == [("32 bins", "class5"), ("128 bins", "class0")]
    assert all(float(row["p"]) <= float(row["adjusted_p"]) for row in gains)


def test_written_again_everything_has_the_same_bytes(written, outcome):
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    write_report(outcome, Source("panns report mel_bins_demo", written, 400))
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before


def test_without_a_finished_run_pictures_of_an_earlier_report_go(written, made, tmp_path):
    for name in ("scores.png", "scores.svg", "class_gains.csv"):
        (tmp_path / name).write_text("old")
    nothing = conclude(made.study, gather(made.study, []))
    assert write_report(nothing, Source("panns report", tmp_path, 1)) == ["report.md", "report.html", "results.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md", "results.csv"]
    assert "0 of 9 runs are finished, 9 missing.\n" in (tmp_path / "report.md").read_text()


def test_runs_of_different_data_are_named_and_not_averaged(made, tmp_path):
    for job in made.study.jobs()[::3][:2]:  # "32 bins", seeds 0 and 1
        scores, data = made.scores["32 bins", job.seed], FINGERPRINT | {"id_hash": f"data {job.seed}"}
        of_run = {"train": data, "validation": data, "start": {"weights": "one start"}}
        folder = made_run(tmp_path / "runs", job.cfg, scores, made.targets, fingerprint=of_run)
        (folder / "error.txt").write_text("train.py: of an earlier start")
    found = gather(made.study, find_runs(tmp_path / "runs")[0])
    write_report(conclude(made.study, found), Source("panns report", tmp_path, 2, ["x/config.yaml is none"]))
    text = (tmp_path / "report.md").read_text()
    assert "The runs of 32 bins differ in the fingerprint of data or first weights; they are not averaged." in text
    assert "32 bins: train.id_hash: data 0 (seed 0); data 1 (seed 1)" in text
    assert "## Scores" not in text
    assert "| trained on | started from | time |" in text
    assert "| data 0 | one start |" in text
    assert "an earlier start" not in (tmp_path / "results.csv").read_text()
    assert "- x/config.yaml is none\n" in text

    other = made.study.jobs()[1]  # "64 bins", seed 0
    made_run(tmp_path / "runs", other.cfg, made.scores["64 bins", 0], made.targets)
    found = gather(made.study, find_runs(tmp_path / "runs")[0])
    write_report(conclude(made.study, found), Source("panns report", tmp_path, 2))
    _, *rows = rows_of((tmp_path / "report.md").read_text(), "Scores")
    assert [row[2] for row in rows] == ["2, not averaged", "1", "0"]


def test_why_clips_were_not_resampled_is_one_sentence(made, tmp_path):
    for job in made.study.jobs()[:2]:
        scores = made.scores[job.row.label, job.seed]
        folder = made_run(tmp_path / "runs", job.cfg, scores, made.targets)
        (folder / "val_scores.npz").write_bytes(b"cut off")
    write_report(conclude(made.study, gather(made.study, find_runs(tmp_path / "runs")[0])), Source("", tmp_path, 2))
    (line,) = (line for line in (tmp_path / "report.md").read_text().splitlines() if "Not resampled: " in line)
    assert line.endswith(": remove it, and the report does without.")


def test_on_audioset_the_number_of_clips_and_the_difference_to_the_paper_are_said(made, outcome, tmp_path):
    results = {"val/num_classes_scored": 527, "val/num_clips": 18887, "val/mAP": 0.4141}
    rows = tuple(
        replace(
            row,
            row_runs=replace(
                row.row_runs,
                runs=tuple(replace(run, results=run.results | results) for run in row.row_runs.finished),
            ),
            scores=row.scores | {"mAP": replace(row.scores["mAP"], value=0.4141)},
            comparable=True,
        )
        for row in outcome.rows
    )
    write_report(replace(outcome, rows=rows), Source("panns report", tmp_path, 1))
    text = (tmp_path / "report.md").read_text()
    assert "Scored on 18,887 of the 20,371 clips of AudioSet's evaluation set (as many as the paper had).\n" in text
    head, first, *_ = rows_of(text, "Scores")
    assert first[head.index("paper") : head.index("paper") + 2] == ["0.413 (Table X)", "+0.0011 †"]
    assert "- † Below 0.005, which is how far apart three runs" in text


def test_names_are_text_whatever_is_in_them(tmp_path):
    section = Section("A & B", ["`<b>`"], table(["a|b", "none"], [[Cell("<i>|", "x y/<"), ""]], ["a|b"]))
    page, text = html("<t>", [section], tmp_path), markdown("<t>", [section])
    assert "<i>" not in page
    assert '<a href="x%20y/%3C">&lt;i&gt;|</a>' in page
    assert "<code>&lt;b&gt;</code>" in page
    assert "<h2>A &amp; B</h2>" in page
    assert "none" not in page  # a column with nothing in it
    assert r"| [<i>\|](x%20y/%3C) |" in text
