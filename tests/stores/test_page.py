"""docs/stores.md shows a store: it keeps the contract that it is shown with."""

import inspect
import re
from pathlib import Path

import pytest

from middleware.testing.stores import StoreContract

PAGE = Path(__file__).parents[2] / "docs" / "stores.md"


@pytest.fixture(scope="module")
def dict_store():
    source = next(
        block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "DictStore" in block
    )
    namespace = {}
    exec(source, namespace)
    return namespace["DictStore"]


@pytest.mark.parametrize("name", [name for name, _ in inspect.getmembers(StoreContract) if name.startswith("test_")])
def test_the_store_on_the_page_keeps_the_contract(name, dict_store):
    class Suite(StoreContract):
        def make_store(self, clock):
            return dict_store(clock=clock)

    getattr(Suite(), name)()
