"""The table in words."""

import dataclasses
import os
import re

import pytest
import torch

from panns.model_table.text import END, START, ModelTableError, heading, line, markdown, notes, write_between_markers
from runs import ROOT


def test_a_line_says_it_all(rows):
    names = ["cnn14", "wavegram_cnn14"]
    timed = dataclasses.replace(rows["wavegram_cnn14"], clips_per_second=1.234)
    cells = line(timed, names).replace(" G", "").replace("Table XI", "XI").split()
    assert cells == [*names[1:], "0.389", "XI", "80,953,935†", "44.234", "22.088", "10,236", "0.32", "32,000", "1.23"]
    assert (
        heading(names).index("source") == line(timed, names).index("Table XI") == line(rows["cnn14"], names).index("T")
    )
    assert line(rows["cnn14_16k"], names).split()[1:3] == ["0.438", "checkpoint"]
    assert line(dataclasses.replace(rows["cnn6"], published=None), names).split()[1:3] == ["-", "-"]


def test_macs_are_half_of_what_a_convolution_has(rows):
    """Cnn14 by hand: 1001 x 64 maps, two 3 x 3 convolutions per block, halved five times; mel filters; two layers."""
    frames, bins, channels, total = 1001, 64, 1, 1001 * 64 * 513
    for width in (64, 128, 256, 512, 1024, 2048):
        total += frames * bins * 9 * (channels * width + width * width)
        frames, bins, channels = frames // 2, bins // 2, width
    assert rows["cnn14"].macs == total + 2048 * 2048 + 2048 * 527
    assert line(rows["cnn14"], ["cnn14"]).split()[7] == f"{rows['cnn14'].macs / 1e9:.3f}"


def test_notes_name_what_is_counted_and_what_it_ran_on(rows):
    timed = dataclasses.replace(rows["cnn14"], clips_per_second=1.0)
    said = " ".join(notes([*rows.values(), timed]))
    assert "of 16 of these models: all are equal" in said
    assert "† dainet19: the released DaiNet19 has 4,224 parameters more" in said
    assert "conv_block1.bn_downsample 128" in said
    assert f"one of {os.cpu_count()} CPU cores" in said
    assert f"torch {torch.__version__}" in said
    assert "clips/s" not in " ".join(notes(list(rows.values())))
    changed = dataclasses.replace(rows["cnn6"], parameters=1)
    assert "2 of these models: cnn6 differ from it" in " ".join(notes([changed, rows["cnn10"]]))


def test_the_table_goes_between_the_markers_again_and_again(rows, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"before\n{START}\nold\n{END}\nafter\n")
    text = markdown([rows["cnn14"], rows["mobilenet_v1"]])
    for _ in range(2):
        write_between_markers(text, path)
        assert path.read_text() == f"before\n{START}\n{text}\n{END}\nafter\n"
    assert list(tmp_path.iterdir()) == [path]
    table = [row for row in text.splitlines() if row.startswith("|")]
    assert len({row.count("|") for row in table}) == 1
    assert len(table) == 4


@pytest.mark.parametrize("content", ["", START, f"{END}\n{START}", f"{START}{START}{END}", f"{START}{END}{END}"])
def test_a_file_without_a_place_is_left_alone(content, tmp_path):
    (tmp_path / "a.md").write_text(content)
    with pytest.raises(ModelTableError, match=r"a\.md has no place"):
        write_between_markers("text", tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text() == content


def test_the_readme_has_what_is_counted_now(rows):
    """All but the speed; `make model-table` writes it."""
    text = (ROOT / "README.md").read_text()
    there = text[text.index(START) : text.index(END)]
    written = [row.rsplit("|", 2)[0] for row in there.splitlines() if row.startswith("| ")]
    fresh = [row.rsplit("|", 2)[0] for row in markdown(list(rows.values())).splitlines() if row.startswith("| ")]
    assert [row for row in written if row in fresh] == fresh, "run `make model-table`"
    assert re.search(r"clips/s: .* on one of \d+ CPU cores .*, torch \d", there)
