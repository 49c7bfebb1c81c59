"""Every preset."""

import pytest

from panns.zoo import list_models


@pytest.fixture(scope="session", params=list_models())
def preset(request) -> str:
    return request.param
