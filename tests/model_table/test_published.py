"""The file of published figures against the paper's tables, and what the presets say of themselves against the file."""

import re

import pytest

from panns.model_table.published import published
from panns.weights.catalog import released_files
from panns.zoo import config_dir, list_models
from paper_tables import table_rows

PAPER_NAMES = {  # the paper's name, reduced to letters and digits, where it is not the preset's
    "dainet": "dainet19",
    "wavegramcnn": "wavegram_cnn14",
    "wavegramlogmelcnn": "wavegram_logmel",
}
ABLATIONS = {  # table: first cell of a row -> preset
    "V": {"bal, mixup on waveform (1.9m)": "cnn14_mixup_time_domain"},
    "VII": {str(dim): f"cnn14_emb{dim}" for dim in (32, 128, 512)},
    "X": {str(bins): f"cnn14_mel{bins}" for bins in (32, 128)},
}


def test_every_row_is_of_a_preset():
    assert len(published()) == 29
    assert set(published()) <= set(list_models())


def test_figures_are_those_of_tables_xi_and_xii(shared):
    text = (shared / "paper" / "PAPER.md").read_text()
    found = []
    for name, *cells in table_rows(text, "### 2.1 Tables XI + XII"):
        key = re.sub(r"\[\d+\]|[^a-z0-9]", "", name.lower())
        preset = PAPER_NAMES.get(key) or next((p for p in published() if p.replace("_", "") == key), None)
        if preset is None:
            continue
        known = published()[preset].paper
        d_prime = None if "typo" in cells[2] else float(cells[2])
        assert (known.table, known.mAP, known.mAUC, known.d_prime) == ("XI", float(cells[0]), float(cells[1]), d_prime)
        assert f"{known.multi_adds:.3f}e9" == cells[3]
        assert f"{known.parameters:,}" == cells[4]
        found.append(preset)
    assert sorted(found) == sorted(
        name for name, known in published().items() if known.paper and known.paper.parameters
    )
    assert len(found) == 15


@pytest.mark.parametrize("table", ABLATIONS)
def test_figures_of_the_variants_are_those_of_their_tables(table, shared):
    text = (shared / "paper" / "PAPER.md").read_text()
    presets = ABLATIONS[table]
    found = {presets[first]: cells for first, *cells in table_rows(text, f"**Table {table} ") if first in presets}
    assert sorted(found) == sorted(presets.values())
    for preset, cells in found.items():
        known = published()[preset].paper
        assert [known.table, known.mAP, known.mAUC, known.d_prime] == [table, *map(float, cells[-3:])]


def test_released_scores_are_those_in_the_file_names(shared):
    text = (shared / "paper" / "PAPER.md").read_text()
    names = dict(re.findall(r"\| (\w+)_mAP=(0\.\d+)\.pth", text))
    for known in published().values():
        score = next((value for name, value in names.items() if name.lower() == known.released_class.lower()), None)
        assert known.released_mAP == (None if score is None else float(score))


def test_a_released_score_stands_where_there_is_a_file_to_download():
    in_names = {preset: float(file.name[-9:-4]) for preset, file in released_files().items()}
    assert in_names == {name: known.released_mAP for name, known in published().items() if known.released_mAP}


@pytest.mark.parametrize("name", published())
def test_comments_in_the_presets_say_the_same(name):
    comment = (config_dir() / "model" / f"{name}.yaml").read_text().splitlines()[0]
    known = published()[name]
    assert comment.startswith("# ")
    said = re.search(r"(released )?mAP (0\.\d+)", comment)
    if known.score is None:
        assert said is None
    else:
        score, source = known.score
        assert said is not None
        assert float(said[2]) == score
        assert (said[1] is not None) == (source == "checkpoint")
    if parameters := re.search(r"([\d.]+) M parameters", comment):
        assert float(parameters[1]) == round(known.paper.parameters / 1e6, 1)
    if said and not said[1] and (table := re.search(r"\(?Table (\w+)", comment)):
        assert table[1] in (known.paper.table, "I", "II", "III")  # I to III have the architectures of Table XI
