"""The rows of all published models, counted once."""

import pytest

from panns.model_table.published import published
from panns.model_table.rows import model_row


@pytest.fixture(scope="session")
def rows():
    return {name: model_row(name, speed=False) for name in published()}
