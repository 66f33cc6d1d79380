"""Layers on the kernel keep PEP 3333 round every shape: one, two and three deep."""

from __future__ import annotations

import pytest
from wsgi_layers import Amends, AmendsAndWatches, Ends, Passes, Takes, Watches

from middleware.testing import check_layer

LAYERS = {
    "passes": Passes,
    "amends": Amends,
    "watches": Watches,
    "ends": Ends,
    "amends and watches": AmendsAndWatches,
    "takes": Takes,
    "two deep": lambda app: Watches(Watches(app)),
    "three deep": lambda app: AmendsAndWatches(Passes(AmendsAndWatches(app))),
    "takes between": lambda app: AmendsAndWatches(Takes(AmendsAndWatches(app))),
    "takes what was taken": lambda app: Takes(Takes(app)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_on_the_kernel_is_right_in_all(name):
    check_layer(LAYERS[name], adds=["X-Amended"], reads_ahead="takes" in name)
