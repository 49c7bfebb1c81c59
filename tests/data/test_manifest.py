"""Manifests: plain tables of one's own clips."""

from pathlib import Path

import pytest

from panns.data.importers import SourceError
from panns.data.labels import LabelError
from panns.data.manifest import ManifestSource
from panns.data.report import ImportReport
from panns.data.tables import label_separator, split_labels

SPEECH, DOG = "/m/09x0r", "/m/0bt9lr"  # classes 0 and 74


def kinds(report: ImportReport) -> dict[str, int]:
    return {what: count for what, count in report.counts.items() if count}


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def manifest(tmp_path: Path, text: str, **options) -> ManifestSource:
    (tmp_path / "own.csv").write_bytes(text.encode())
    return ManifestSource(tmp_path / "own.csv", **options)


def test_manifest_with_quotes_folds_cuts_and_windows_line_ends(tmp_path):
    touch(tmp_path, "a.wav", "sub/b.v2.wav")
    rows = ["path,labels,start,end,fold", '"a.wav","dog,cat",1.5,3,1']
    rows += ['a.wav,"cat,cow",4,,2', "sub/b.v2.wav,dog,,,2", ""]
    source, report = manifest(tmp_path, "\r\n".join(rows)), ImportReport()
    assert [label.name for label in source.classes] == ["cat", "cow", "dog"]
    assert source.splits == ["fold1", "fold2"]
    assert [clip._replace(path=Path(clip.path).name)[:6] for clip in source.clips(report)] == [
        ("a_1500", "a.wav", 0, (0, 2), 1500, (1.5, 3.0)),
        ("a_4000", "a.wav", 1, (0, 1), 4000, (4.0, None)),
        ("sub/b.v2", "b.v2.wav", 1, (2,), 0, None),
    ]
    assert kinds(report) == {"split_label": 1}
    assert report.findings[0].detail == "2 cells, such as 'cat,cow'; where that is one label, give --classes"


@pytest.mark.parametrize(
    ("cell", "split"), [("1", "fold1"), ("1.0", "fold1"), ("fold1", "fold1"), ("10", "fold10"), ("a", "folda")]
)
def test_a_fold_has_one_name_however_it_is_written(tmp_path, cell, split):
    touch(tmp_path, "a.wav")
    assert manifest(tmp_path, f"path,labels,fold\na.wav,dog,{cell}\n").splits == [split]


def test_manifest_without_folds_is_one_training_split(tmp_path):
    touch(tmp_path / "audio", "a.wav")
    source = manifest(
        tmp_path, "labels,path,note\ndog,a.wav,x\ndog,a.wav,y\ncat,b.wav,z\n", audio_folder=tmp_path / "audio"
    )
    report = ImportReport()
    assert [clip.id for clip in source.clips(report)] == ["a"]
    assert source.splits == ["train"]
    assert kinds(report) == {"duplicate": 1, "missing": 1, "ignored_column": 1, "one_label": 1}


@pytest.mark.parametrize(
    ("labels", "options", "noted"),
    [
        (("dog", "cat"), {}, ["2 classes, one to each clip"]),
        (("dog", "cat"), {"single_label": True}, []),
        (("dog", "cat;dog"), {}, []),
        (("dog", "dog"), {}, []),
        (("Dog", "Cat"), {"class_list": "audioset"}, []),
    ],
)
def test_clips_of_one_label_each_are_noted_as_they_are_trained_as_of_several(tmp_path, labels, options, noted):
    touch(tmp_path, "a.wav", "b.wav")
    report = ImportReport()
    manifest(tmp_path, "path,labels\na.wav,{}\nb.wav,{}\n".format(*labels), **options).clips(report)
    assert [finding.detail for finding in report.findings if finding.what == "one_label"] == noted


def test_files_of_one_name_and_several_extensions_are_several_clips(tmp_path):
    touch(tmp_path, "a.wav", "a.flac", "b.v1.wav", "b.v2.wav", "sub/a.wav")
    paths = ("a.wav", "a.flac", "./a.wav", "b.v1.wav", "b.v2.wav", "sub/a.wav")
    source, report = manifest(tmp_path, "\n".join(["path,labels", *(f"{path},x" for path in paths)])), ImportReport()
    assert [clip.id for clip in source.clips(report)] == ["a.wav", "a.flac", "b.v1", "b.v2", "sub/a"]
    assert kinds(report) == {"duplicate": 1}


def test_labels_that_a_second_row_of_a_clip_loses_are_named(tmp_path):
    touch(tmp_path, "a.wav")
    rows = [
        "path,labels,start,end",
        "a.wav,dog;cat,,",
        "a.wav,cat,,",
        "a.wav,cow;dog;pig,,",
        "a.wav,x,1,2",
        "a.wav,x,1,2.0",
    ]
    source, report = manifest(tmp_path, "\n".join(rows)), ImportReport()
    assert [clip.id for clip in source.clips(report)] == ["a", "a_1000"]
    path = tmp_path / "a.wav"
    assert [finding.detail for finding in report.findings] == [
        f"line 3: first seen as {path}, line 2",
        f"line 4: first seen as {path}, line 2; not stored is cow; pig: list all labels of a clip in one row, "
        "separated by `;`",
        f"line 6: first seen as {path}, line 5",
    ]


def test_cuts_that_start_together_are_several_clips(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    rows = ["path,labels,start,end", "a.wav,x,1.5,2", "a.wav,y,1.5,3", "a.wav,y,1.5,", "b.wav,x,1.5,3", "a.wav,x,2,3"]
    source, report = manifest(tmp_path, "\n".join(rows), single_label=True), ImportReport()
    assert [(clip.id, clip.cut, clip.start_ms) for clip in source.clips(report)] == [
        ("a_1500_2000", (1.5, 2.0), 1500),
        ("a_1500_3000", (1.5, 3.0), 1500),
        ("a_1500", (1.5, None), 1500),
        ("b_1500", (1.5, 3.0), 1500),
        ("a_2000", (2.0, 3.0), 2000),
    ]
    assert kinds(report) == {}


def test_cuts_and_files_of_like_names_are_several_clips(tmp_path):
    touch(tmp_path, "c.wav", "c_0.wav", "c_500.wav")
    rows = ["path,labels,start,end", "c.wav,a,0,0.5", "c_0.wav,b,,", "c.wav,b,0.5,1", "c_500.wav,a,,"]
    source, report = manifest(tmp_path, "\n".join(rows), single_label=True), ImportReport()
    assert [clip.id for clip in source.clips(report)] == ["c.wav_0", "c_0", "c.wav_500", "c_500"]
    assert kinds(report) == {}


def test_what_is_no_file_is_reported_row_by_row(tmp_path):
    touch(tmp_path, "a.wav", "sub/b.wav")
    long = "x" * 3000
    source, report = (
        manifest(tmp_path, f"path,labels\n.,a\n..,a\nsub,a\n{long},a\ngone.wav,a\na.wav,a\n"),
        ImportReport(),
    )
    assert [clip.id for clip in source.clips(report)] == ["a"]
    assert sorted(finding.detail for finding in report.findings) == [
        "File name too long",
        "No such file or directory",
        *["a folder"] * 3,
    ]


def test_ids_of_files_elsewhere_do_not_depend_on_where_one_stands(tmp_path, monkeypatch):
    touch(tmp_path, "wav/a.wav", "lists/x")
    ids = set()
    for folder, path in ((tmp_path, "lists"), (tmp_path / "lists", "."), (tmp_path / "wav", tmp_path / "lists")):
        monkeypatch.chdir(folder)
        (tmp_path / "lists" / "own.csv").write_text("path,labels\n../wav/a.wav,x\n")
        ids |= {clip.id for clip in ManifestSource(Path(path) / "own.csv").clips(ImportReport())}
    assert ids == {f"{tmp_path}/wav/a".lstrip("/")}


@pytest.mark.parametrize("cell", ["dog;cat", '"dog,cat"'])
def test_several_labels_where_one_was_promised_are_refused(tmp_path, cell):
    touch(tmp_path, "a.wav", "b.wav")
    source = manifest(tmp_path, f"path,labels\na.wav,dog\nb.wav,{cell}\n", single_label=True)
    with pytest.raises(SourceError, match=r"own\.csv, line 3: several labels, dog.cat, where each clip has one"):
        source.clips(ImportReport())


def test_empty_column_names_of_a_spreadsheet_are_no_columns_named_twice(tmp_path):
    touch(tmp_path, "a.wav")
    assert len(manifest(tmp_path, "path,labels,,\na.wav,dog,,\n").clips(ImportReport())) == 1


def test_manifest_with_split_column(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    source = manifest(tmp_path, "path,labels,split\na.wav,x,val\nb.wav,x,train\n")
    assert [(c.id, source.splits[c.split]) for c in source.clips(ImportReport())] == [("a", "val"), ("b", "train")]


def test_manifest_with_class_list(tmp_path):
    touch(tmp_path, "a.wav", "b.wav", "c.wav")
    (tmp_path / "classes.txt").write_text("zebra\nMale speech, man speaking\n")
    text = 'path,labels\na.wav,"Male speech, man speaking"\nb.wav,"Male speech, man speaking;zebra;yak"\nc.wav,yak\n'
    source, report = manifest(tmp_path, text, class_list=tmp_path / "classes.txt"), ImportReport()
    assert [clip.labels for clip in source.clips(report)] == [(1,), (0, 1)]
    assert kinds(report) == {"unknown_label": 1, "no_label": 1}
    source = manifest(tmp_path, f'path,labels\na.wav,"Speech,{DOG}"\n', class_list="audioset")
    assert source.clips(ImportReport())[0].labels == (0, 74)
    assert len(source.classes) == 527


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "an empty file; its first line names the columns, path, labels"),
        ("\n \n", "an empty file"),
        ("a.wav,dog\nb.wav,cat\n", "first line must name the columns, with path, labels.*found 'a.wav,dog'"),
        ("path,labels\n", "a header and no rows below it"),
        ('path,labels\na.wav,dog\nb.wav,"dog\nc.wav,cat\n', "lines 3 to 4: one field; close the double quote"),
        ("path,labels\na.wav,dog,cat\n", "line 2: 3 fields where the header has 2.*double quotes"),
        ("path,labels,start\na.wav,dog,soon\n", "line 2: start 'soon'"),
        ("path,labels,start,end\na.wav,dog,5,4\n", "line 2: start '5' and end '4'"),
        ("path,labels,start\na.wav,dog,nan\n", "line 2: start 'nan'"),
        ("path,labels,fold,split\na.wav,dog,1,eval\n", "columns `fold` and `split`"),
        ("path,labels\na.wav,\n", "no row has a label"),
        ("path,labels,split\na.wav,dog,train\na.wav,dog, \n", "line 3: no split given; fill it in, or remove the row"),
        ("path,labels,fold\na.wav,dog,\n", "line 2: no fold given"),
        ("path,labels\n\n,dog\n", "line 3: no path given"),
        ("path,labels,fold,labels\na.wav,dog,1,cat\n", "two columns are named 'labels' in the first line"),
    ],
)
def test_bad_manifest_is_named(text, says, tmp_path):
    touch(tmp_path, "a.wav")
    with pytest.raises(SourceError, match=rf"own\.csv.*{says}"):
        manifest(tmp_path, text).clips(ImportReport())


@pytest.mark.parametrize(
    ("labels", "joined"),
    [
        (["dog|cat"], ["dog|cat"]),
        (["dog/cat", "dog", "cat"], ["dog/cat"]),
        (["dog / cat", "dog", "cat + dog;cat"], ["cat + dog", "dog / cat"]),
        (["Speech/Music", "Speech"], []),
        (["dog, cat"], []),
        (["dog;cat", "dog, cat"], ["dog, cat"]),
        (["Chicken, rooster", "Chicken", "rooster"], ["Chicken, rooster"]),
        (["dog,cat;bird", "dog", "cat"], ["dog,cat"]),
    ],
)
def test_labels_joined_by_another_mark_are_pointed_at(labels, joined, tmp_path):
    """Only if the parts are labels too, but for a `|`, which no name has; a cell of commas alone is several labels."""
    rows = [f'{number}.wav,"{label}"' for number, label in enumerate(labels)]
    touch(tmp_path, *(f"{number}.wav" for number in range(len(labels))))
    report = ImportReport()
    manifest(tmp_path, "\n".join(["path,labels", *rows, ""])).clips(report)
    found = [finding.detail for finding in report.findings if finding.what == "joined_label"]
    assert found == [f"{label}: separate labels with `;`" for label in joined]


def test_an_unknown_label_that_is_two_known_ones_is_pointed_at(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    report = ImportReport()
    manifest(tmp_path, "path,labels\na.wav,Speech|Dog\nb.wav,Speach\n", class_list="audioset").clips(report)
    details = [finding.detail for finding in report.findings]
    assert details == [
        "not in the class list: Speech|Dog (several labels are separated by `;`)",
        "not in the class list: Speach",
    ]


def test_missing_manifest_is_named(tmp_path):
    with pytest.raises(LabelError, match=r"gone\.csv: no such file"):
        _ = ManifestSource(tmp_path / "gone.csv").classes


def test_label_cells():
    assert label_separator(["a, b", "a;b, c"]) == ";"
    assert label_separator(["a, b", ""]) == ","
    assert split_labels("a;b, c", ";", ()) == ["a", "b, c"]
    assert split_labels("a, b", ",", ()) == ["a", "b"]
    assert split_labels("a, b", ",", ("a, b",)) == ["a, b"]
    assert split_labels("a, b;", ";", ()) == ["a, b"]
    assert split_labels("", ",", ()) == []


@pytest.mark.parametrize(
    ("cells", "classes", "found"),
    [
        (["Male speech, man speaking", "Music"], None, ["Male speech, man speaking", "Music"]),
        (["Male speech, man speaking", "Speech, Music"], None, ["Male speech, man speaking", "Music", "Speech"]),
        (["air, cold", "air, cold;rain"], None, ["air, cold", "rain"]),
        (["air, cold", "rain"], "air, cold\nrain\n", ["air, cold", "rain"]),
        (["air, cold", "rain,air, cold"], "air, cold\nrain\n", ["air, cold", "rain"]),
        (["Male speech, man speaking", "Speech,Music"], "audioset", ["Male speech, man speaking", "Music", "Speech"]),
    ],
)
def test_a_comma_separates_labels_in_the_whole_file_or_nowhere(cells, classes, found, tmp_path):
    touch(tmp_path, *(f"{number}.wav" for number in range(len(cells))))
    if classes not in (None, "audioset"):
        (tmp_path / "classes.txt").write_text(classes)
        classes = tmp_path / "classes.txt"
    report = ImportReport()
    rows = [f'{number}.wav,"{cell}"' for number, cell in enumerate(cells)]
    source = manifest(tmp_path, "\n".join(["path,labels", *rows, ""]), class_list=classes)
    heard = {source.classes[label].name for clip in source.clips(report) for label in clip.labels}
    assert sorted(heard) == found
    unknown = [finding.detail for finding in report.findings if finding.what == "unknown_label"]
    assert unknown == (["not in the class list: air; cold"] if "rain,air, cold" in cells else [])


@pytest.mark.parametrize(
    ("delimiter", "cell"),
    [(",", '"dog,cat"'), (",", "dog;cat"), ("\t", "dog,cat"), ("\t", "dog; cat"), (";", "dog,cat")],
)
def test_tables_of_any_delimiter(delimiter, cell, tmp_path):
    touch(tmp_path, "a.wav")
    rows = [["labels", "path", "start"], [cell, "a.wav", "1.5"]]
    source = manifest(tmp_path, "\n".join(delimiter.join(row) for row in rows) + "\n")
    (clip,) = source.clips(ImportReport())
    assert (clip.id, clip.labels) == ("a_1500", (0, 1))
    assert [label.name for label in source.classes] == ["cat", "dog"]
