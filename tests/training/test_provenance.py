"""What a run was computed on."""

import platform
from types import SimpleNamespace

import torch

from panns.training import provenance
from panns.training.provenance import cpu_name, device_name, versions


def on(device, world_size=1):
    return SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device(device)), world_size=world_size)


def test_devices_are_named_and_counted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU of {device}")
    assert device_name(on("cuda:1")) == "GPU of cuda:1"
    assert device_name(on("cuda:0", 8)) == "8 x GPU of cuda:0"
    assert device_name(on("cpu")) == cpu_name()


def test_a_processor_has_the_name_that_linux_gives_it_or_its_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "CPU_FACTS", tmp_path / "cpuinfo")
    assert cpu_name() == (platform.processor() or platform.machine())
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Fast One @ 2 GHz: new\n\nmodel name\t: Other\n")
    assert cpu_name() == "Fast One @ 2 GHz: new"


def test_versions_are_those_installed():
    assert versions()["torch"] == torch.__version__.partition("+")[0]
    assert versions()["python"] == platform.python_version()
