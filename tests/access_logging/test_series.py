"""There are never more series than there is room for, and each value is counted in one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from middleware.logging.prometheus_text import Family, escaped, text
from middleware.logging.series import OTHER, Histogram, place

LABELS = st.tuples(st.sampled_from(["GET", "POST", OTHER]), st.integers(0, 300).map(str))


@given(st.lists(LABELS, max_size=400), st.integers(2, 200))
def test_places_are_bounded_and_stay_where_they_are(given_labels, most):
    series = {}
    for labels in given_labels:
        placed = place(series, labels, most)
        series[placed] = series.get(placed, 0) + 1
        assert len(series) <= most
        if placed == labels:
            assert place(series, labels, most) == labels
        assert placed in (labels, (labels[0], OTHER), (OTHER, OTHER))
    assert sum(series.values()) == len(given_labels)


def test_without_labels_there_is_one_series():
    assert place({}, (), 2) == place({(): 1}, (), 2) == ()


@given(st.lists(st.floats(0, 1e6), max_size=50), st.lists(st.floats(0.001, 1e6), min_size=1, max_size=8, unique=True))
def test_each_value_is_in_the_first_bucket_that_has_room_for_it(values, bounds):
    bounds = sorted(bounds)
    histogram = Histogram(len(bounds))
    for value in values:
        histogram.add(value, bounds)
    family = Family("a", "histogram", "help")
    family.add_histogram(bounds, histogram.counts, histogram.total)
    found = [value for suffix, _, value in family.samples if suffix == "_bucket"]
    assert found == [*(sum(value <= bound for value in values) for bound in bounds), len(values)]


@given(st.text())
def test_a_label_is_read_back_as_it_was(label):
    family = Family("a", "counter", "help")
    family.add(1, [("b", label)])
    *_, line, end = text([family]).split("\n")
    assert (line, end) == (f'a{{b="{escaped(label)}"}} 1', "")
    inside = escaped(label)
    assert "\n" not in inside
    assert inside.replace("\\\\", "\0").replace('\\"', "").count('"') == 0
