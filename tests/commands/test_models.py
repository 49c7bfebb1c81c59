import re

from panns.cli import main
from panns.model_table.text import END, START


def test_rows_notes_file_and_picture(tmp_path, capsys):
    (tmp_path / "a.md").write_text(f"{START}{END}")
    outputs = ["--markdown", str(tmp_path / "a.md"), "--picture", str(tmp_path / "a.png")]
    assert main(["models", "mobilenet_v2", "leenet11", *outputs]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[:3]] == ["model", "mobilenet_v2", "leenet11"]
    assert all(float(line.split()[-1]) > 0 for line in said[1:3])
    written = (tmp_path / "a.md").read_text()
    assert re.search(r"\| leenet11 \| 0\.266 \| Table XI \| 748,367 \|.* \d+\.\d\d \|", written)
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_counting_alone(capsys):
    assert main(["models", "leenet11", "--no-speed"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("32,000        -")


def test_mistakes_are_told_before_anything_is_measured(tmp_path, capsys):
    (tmp_path / "a.md").write_text("no markers")
    for wrong, says in (
        (["cnn14", "cnn15"], "No model 'cnn15'"),
        (["--markdown", str(tmp_path / "a.md")], "a.md has no place for the table"),
        (["--markdown", str(tmp_path / "b.md")], "b.md: there is no such file; make it with <!-- model-table -->"),
        (["--picture", str(tmp_path / "a.doc")], "a.doc: a picture ends in one of "),
        (["--picture", str(tmp_path / "none" / "a.png")], f"there is no folder {tmp_path / 'none'}"),
    ):
        assert main(["models", *wrong]) == 2
        output = capsys.readouterr()
        assert says in output.err
        assert not output.out
