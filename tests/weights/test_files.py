"""Reading checkpoint files: nothing in them is run, and what cannot be read is named."""

import os
import pickle

import numpy as np
import pytest
import torch

from panns.weights.files import CheckpointError, load_checkpoint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\x1f\x8b\x08\x00 packed", "is packed with gzip: unpack it first"),
        (b"\x93NUMPY\x01\x00v", "is a NumPy array"),
        (b"not a checkpoint", "is a text file, not a checkpoint"),
        ("# Größe\n\tmAP\r\n".encode(), "is a text file"),
        (b"\x80\x02}q\x00.", "damaged or no checkpoint"),
        (b"PK\x03\x04 cut off", "damaged or cut short, or a zip file with no checkpoint in it"),
        (b"\n<!DOCTYPE html>\n<html lang=en>", "is a web page"),
        (b"RIFF\x24\x7d\x00\x00WAVEfmt ", "is an audio file"),
        (b"fLaC\x00\x80", "is an audio file"),
        (
            b'\x3b\0\0\0\0\0\0\0{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' + bytes(8),
            "is a safetensors file",
        ),
        (pickle.dumps(Ellipsis, protocol=4), "is damaged, or a pickle of more than weights, which is not run here"),
        (bytes(4096), r"is damaged, or a tar file, no checkpoint\.$"),
    ],
)
def test_damaged_files_are_named(tmp_path, content, says):
    path = tmp_path / "bad.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"bad\.ckpt.*{says}") as error:
        load_checkpoint(path)
    assert "weights_only" not in str(error.value)  # PyTorch's advice is to trust the file


@pytest.mark.parametrize("start", [b"\x89HDF\r\n", b"\x89PNG\r\n", b""])
def test_files_of_any_other_kind_are_named(tmp_path, start):
    path, rng = tmp_path / "other.ckpt", np.random.default_rng(len(start))
    for _ in range(50):
        path.write_bytes(start + rng.bytes(64))
        with pytest.raises(CheckpointError, match=r"other\.ckpt is damaged( or no checkpoint \(|, or a pickle of)"):
            load_checkpoint(path)


@pytest.mark.filterwarnings("ignore")  # that torch.jit is to go
def test_a_torchscript_program_is_not_run(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt is a TorchScript program, which is not run here"):
        load_checkpoint(tmp_path / "a.pt")


def test_a_truncated_checkpoint_is_named(tmp_path):
    path = tmp_path / "a.ckpt"
    torch.save({"w": torch.zeros(10000)}, path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path, zipped):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    path = tmp_path / "evil.ckpt"
    torch.save({"state_dict": Evil()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"Python code \(posix\.mkdir\)"):
        load_checkpoint(path)
    assert not (tmp_path / "owned").exists()


def test_a_pickled_model_is_told_from_its_weights(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"torch\.nn\.modules\.linear\.Linear.*save the weights alone"):
        load_checkpoint(tmp_path / "model.pth")


@pytest.mark.parametrize("core", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_the_sampler_that_some_released_files_hold(tmp_path, core):
    """Written by PyTorch 1.x and NumPy 1.x: no zip archive, arrays under NumPy's former name."""
    sampler = {
        "indexes_per_class": [np.arange(5), np.arange(3)],
        "queue": [1, np.int64(0)],
        "pointers_of_classes": [0, 0],
    }
    path = tmp_path / "Cnn14_16k_mAP=0.438.pth"
    content = {"iteration": 3, "model": {"w": torch.arange(3.0)}, "sampler": sampler}
    torch.save(content, path, _use_new_zipfile_serialization=False, pickle_protocol=2)
    written = path.read_bytes()
    assert b"cnumpy._core.multiarray\n" in written or b"cnumpy.core.multiarray\n" in written
    for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        written = written.replace(b"c" + name + b"\n", b"c" + core + b"\n")
    path.write_bytes(written)
    read = load_checkpoint(path)
    assert read["model"]["w"].tolist() == [0, 1, 2]
    assert [list(indexes) for indexes in read["sampler"]["indexes_per_class"]] == [[0, 1, 2, 3, 4], [0, 1, 2]]
    assert read["sampler"]["queue"] == [1, 0]


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder: name the checkpoint"):
        load_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match=r"no checkpoint .*none\.ckpt"):
        load_checkpoint(tmp_path / "none.ckpt")


def test_one_wrong_bit_is_found(tmp_path):
    path = tmp_path / "a.ckpt"
    torch.save({"w": torch.zeros(10000)}, path)
    content = bytearray(path.read_bytes())
    content[20000] ^= 1
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["w"].any()  # torch takes it
    with pytest.raises(CheckpointError, match=r"a\.ckpt is damaged or no checkpoint \(Bad CRC-32"):
        load_checkpoint(path)


@pytest.mark.parametrize("how", ["no_checksums", "no_zip"])
def test_files_without_checksums_are_read(tmp_path, how):
    torch.serialization.set_crc32_options(how != "no_checksums")
    try:
        torch.save({"w": torch.ones(10)}, tmp_path / "a.ckpt", _use_new_zipfile_serialization=how != "no_zip")
    finally:
        torch.serialization.set_crc32_options(True)
    assert load_checkpoint(tmp_path / "a.ckpt")["w"].all()
