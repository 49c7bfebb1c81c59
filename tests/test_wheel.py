"""The wheel by itself, outside the repository: what a user of `pip install` has."""

import os
import subprocess
import sys
import zipfile

import pytest

from runs import ROOT, checkpoint

PROGRAM = """
import sys

import torch

import panns
from panns.cli import main

print(panns.__file__)
print(*panns.list_models())
print(sum(p.numel() for p in panns.create_model("cnn14").parameters()))
print(panns.load("our.ckpt")(torch.zeros(1, 32000)).clip_logits.shape)
sys.exit(main(["models", "cnn6", "--no-speed"]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel's files, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("panns-*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_presets_checkpoints_and_commands_work_elsewhere(wheel, tmp_path):
    checkpoint(tmp_path / "our.ckpt")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(wheel), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, names, parameters, shape, *table = done.stdout.splitlines()
    assert where == str(wheel / "panns" / "__init__.py")
    assert names.split() == sorted(path.stem for path in (ROOT / "conf" / "model").glob("*.yaml"))
    assert parameters == "80753615"
    assert shape == "torch.Size([1, 3])"
    assert table[1].startswith("cnn6   0.343  Table XI")


def test_everything_of_the_source_is_in_it(wheel):
    def files(folder, *patterns):
        return {str(p.relative_to(folder)) for pattern in patterns for p in folder.rglob(pattern) if p.is_file()}

    source = files(ROOT / "src" / "panns", "*.py", "assets/*")
    assert source <= files(wheel / "panns", "*")
    assert files(ROOT / "conf", "*") == files(wheel / "panns" / "conf", "*")
    assert "panns = panns.cli:main" in next(wheel.glob("*.dist-info/entry_points.txt")).read_text()
