"""The report as Chromium shows it."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.image import imread

HAS_CHROMIUM = importlib.util.find_spec("PyQt6") and importlib.util.find_spec("PyQt6.QtWebEngineCore")


@pytest.mark.skipif(not HAS_CHROMIUM, reason="no Chromium: pip install PyQt6-WebEngine")
@pytest.mark.parametrize("width", [1100, 400], ids=["desk", "telephone"])
def test_the_page_is_shown_whole_and_fetches_nothing(written, tmp_path, width):
    page, screenshot = tmp_path / "alone.html", tmp_path / "screenshot.png"
    page.write_bytes((written / "report.html").read_bytes())  # without the files beside it
    command = [sys.executable, str(Path(__file__).with_name("chromium.py")), str(page), str(screenshot), str(width)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert "Chrome/" in found["browser"]
    assert found["fetched"] == found["complaints"] == []
    assert found["headings"][:3] == [
        "mel_bins_demo: How fine must the spectrogram be in frequency?",
        "What is missing",
        "Scores",
    ]
    assert len(found["images"]) == 4
    for complete, natural, shown in found["images"]:
        assert complete
        assert 0 < shown <= natural
        assert shown <= width
    assert found["width"] <= found["window"]  # what is wider scrolls by itself
    assert imread(screenshot)[..., :3].std() > 0.1
