"""What the tests of weights share."""

import pytest


@pytest.fixture(scope="module")
def leenet(reference):
    """A small released state dict."""
    return reference.checkpoint("LeeNet11")["model"]
