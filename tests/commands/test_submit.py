"""An import as jobs of a cluster: SLURM's commands are played by scripts that write down, and run, what they get."""

import re
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from panns.cli import main
from panns.data import ClipStore

pytest.importorskip("submitit", reason="submitit is not installed: pip install '.[slurm]'")


@pytest.fixture
def import_command(tmp_path) -> list[str]:
    """`pack` of ten short clips into `store`."""
    rng, folder = np.random.default_rng(0), tmp_path / "audio"
    folder.mkdir()
    for number in range(10):
        soundfile.write(folder / f"{number}.wav", rng.uniform(-0.5, 0.5, 800), 8000)
    (folder / "own.csv").write_text("path,labels\n" + "".join(f"{n}.wav,dog\n" for n in range(10)))
    options = ["--sample-rate", "8000", "--clip-seconds", "0.1", "--jobs", "1", "--out", str(tmp_path / "store")]
    return ["pack", "csv", "--manifest", str(folder / "own.csv"), *options]


def test_parts_run_as_local_jobs_and_are_merged(import_command, tmp_path, capsys):
    assert main(["submit", "--cluster", "local", "--parts", "3", *import_command]) == 0
    store = ClipStore.open(tmp_path / "store")
    assert [len(store), len(store.files)] == [10, 3]
    assert store.id.tolist() == [str(number).encode() for number in range(10)]
    assert "3 parts: job" in capsys.readouterr().out


def test_a_job_that_fails_is_named(import_command, tmp_path, capsys):
    for path in (tmp_path / "audio").glob("*.wav"):
        path.write_text("no audio")
    (tmp_path / "store" / "parts" / "2-of-2").mkdir(parents=True)
    (tmp_path / "store" / "parts" / "2-of-2" / "something").touch()
    assert main(["submit", "--cluster", "local", "--parts", "2", "--", *import_command]) == 2
    error = capsys.readouterr().err
    assert re.search(r"job \d+ failed \(.*2-of-2: holds other files and no store.*\); see .*store-logs/.*err", error)
    log = Path(error.rsplit("see ", 1)[1].strip())
    assert "2-of-2: holds other files" in log.read_text()


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> Path:
    """A folder with `sbatch` and `srun` that is first on the path; each job's script is kept there."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    sbatch = (
        f"#!{sys.executable}\nimport pathlib, sys\nfolder = pathlib.Path({str(folder)!r})\n"
        "number = 100 + len(list(folder.glob('*.job')))\n"
        "(folder / f'{number}.job').write_text(pathlib.Path(sys.argv[1]).read_text())\n"
        "print('Submitted batch job', number)\n"
    )
    for name, text in (("sbatch", sbatch), ("srun", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod((folder / name).stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


def test_slurm_gets_an_array_and_a_merge_that_waits_for_it(import_command, slurm, capsys):
    settings = ["--set", "slurm_partition=cpu", "--set", "cpus_per_task=16", "--set", "timeout_min=90"]
    assert main(["submit", "--parts", "4", *settings, *import_command]) == 0
    array, last = ((slurm / f"{number}.job").read_text() for number in (100, 101))
    for line in ("--array=0-3%", "--partition=cpu", "--cpus-per-task=16", "--time=90", "--job-name=panns-pack"):
        assert f"#SBATCH {line}" in array
    assert "#SBATCH --dependency=afterok:100" in last
    assert "--array" not in last
    said = capsys.readouterr().out
    assert "4 parts: job 100, logs in" in said
    assert "merge: job 101" in said


def test_mistakes_show_before_anything_is_submitted(import_command, slurm, capsys):
    for arguments, message in (
        (["--parts", "4", "info", "x"], "say how many parts, then the import"),
        (["--parts", "4", *import_command, "--part", "1/4"], "--part is filled in for each job"),
        (["--parts", "4", "--set", "partition", *import_command], "write KEY=VALUE"),
        (["--parts", "4", "--set", "slurm_partitoin=cpu", *import_command], "partitoin"),
    ):
        assert main(["submit", *arguments]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["submit", "--parts", "4", *import_command, "--code", "mp5"])
    assert "--codec" in capsys.readouterr().err
    assert not list(slurm.glob("*.job"))
