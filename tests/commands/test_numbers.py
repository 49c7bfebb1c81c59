"""Numbers of the commands that are out of bounds."""

import pytest

from panns.cli import main

CSV = ["csv", "--manifest", "a.csv", "--out", "out"]


@pytest.mark.parametrize(
    ("command", "option", "says"),
    [
        (["pack", *CSV], "--jobs=0", "at least 1"),
        (["index", *CSV], "--jobs=-2", "at least 1"),
        (["index", *CSV], "--jobs=two", "at least 1"),
        (["pack", *CSV], "--sample-rate=0", "at least 1000"),
        (["pack", *CSV], "--shard-mb=0", "at least 1"),
        (["pack", *CSV], "--clip-seconds=0", "more than 0"),
        (["pack", *CSV], "--clip-seconds=nan", "more than 0"),
        (["pack", *CSV], "--clip-seconds=long", "more than 0"),
        (["demo"], "--num-train=0", "at least 1"),
        (["demo"], "--seed=-1", "at least 0"),
        (["verify", "store"], "--sample=-1", "at least 0"),
        (["verify", "store"], "--jobs=0", "at least 1"),
        (["tag", "cnn14", "a.wav"], "--top=0", "at least 1"),
        (["tag", "cnn14", "a.wav"], "--window=-1", "more than 0"),
        (["submit"], "--parts=0", "at least 1"),
    ],
)
def test_a_number_out_of_bounds_is_refused_with_its_option(command, option, says, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, option])
    name, _, value = option.partition("=")
    assert caught.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {name}: {value}: give " in error
    assert error.endswith(says)
