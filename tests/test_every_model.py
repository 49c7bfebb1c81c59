"""Every named model trains through train.py at its full size, on clips of the demo set."""

import pytest

from combining import Row, make_data, two_steps
from panns.zoo import list_models


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    make_data(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("model", list_models())
def test_at_full_size(model, data, tmp_path):
    two_steps(Row(model, "demo", "none", "cpu"), data, tmp_path, full_size=True)
