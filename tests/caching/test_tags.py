"""Tags: what an application says its answers are made of, and what is purged by them."""

from __future__ import annotations

import pytest
from cached_site import Site
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching import CachePurger, get_cache
from middleware.caching.rules.tags import tags_of


@pytest.mark.parametrize(
    ("fields", "tags"),
    [
        ([], ()),
        ([("Cache-Tag", "a, b ,c")], ("a", "b", "c")),
        ([("cache-tag", "a"), ("CACHE-TAG", "b,,a,")], ("a", "b")),
        ([("Surrogate-Key", " a  b\tc,d ")], ("a", "b", "c,d")),
        ([("Surrogate-Key", "a"), ("Cache-Tag", "b")], ("a", "b")),
        ([("Cache-Tag", "")], ()),
        ([("X-Tag", "a")], ()),
        ([("Cache-Tag", "a b")], None),
        ([("Cache-Tag", "caf\xe9")], None),
        ([("Cache-Tag", "a\nb")], None),
        ([("Cache-Tag", "x" * 256)], ("x" * 256,)),
        ([("Cache-Tag", "x" * 257)], None),
        ([("Cache-Tag", ",".join(map(str, range(64))))], tuple(map(str, range(64)))),
        ([("Cache-Tag", ",".join(map(str, range(65))))], None),
        ([("Cache-Tag", "," * 100_000)], None),
    ],
)
def test_tags_are_read_from_the_fields_of_an_answer(fields, tags):
    assert tags_of(fields) == tags


@given(st.lists(st.tuples(st.sampled_from(["Cache-Tag", "Surrogate-Key", "X"]), st.text(max_size=300)), max_size=5))
def test_no_field_is_too_odd_to_be_read(fields):
    tags = tags_of(fields)
    assert tags is None or all(tag.isprintable() and " " not in tag and 0 < len(tag) <= 256 for tag in tags)


class Tagged(Site):
    """`/purge` does what `act` says; every other path has the tags that `tags` says, by field or by handle."""

    def __init__(self, **options):
        self.tags = {}
        self.act = None
        self.said = ()
        super().__init__(**options)

    def app(self, environ, start_response):
        if environ["PATH_INFO"] == "/purge":
            self.act(get_cache(environ))
            start_response("204 No Content", [])
            return []
        get_cache(environ).tag(*self.said)
        field = self.tags.get(environ["PATH_INFO"])
        status, fields, body = self.given
        self.given = (status, [*[pair for pair in fields if pair[0] != "Cache-Tag"], *field_of(field)], body)
        return super().app(environ, start_response)

    def purges(self, act, at=None):
        self.act = act
        assert self.ask("/purge", at=at).code == 204


def field_of(tags):
    return [("Cache-Tag", tags)] if tags else []


@pytest.fixture
def site():
    site = Tagged()
    site.answers("Cache-Control: max-age=600", 'ETag: "1"')
    site.tags = {"/a": "news, front", "/b": "news", "/c": "front"}
    for path in ("/a", "/b", "/c", "/d"):
        site.ask(path)
    return site


def hits(site, at):
    return [path for path in ("/a", "/b", "/c", "/d") if "; hit" in site.ask(path, at=at).header("Cache-Status")]


def test_what_has_a_tag_is_purged_by_it(site):
    assert hits(site, 1) == ["/a", "/b", "/c", "/d"]
    site.purges(lambda cache: cache.purge_tags("front"), at=2)
    assert hits(site, 3) == ["/b", "/d"]
    assert hits(site, 4) == ["/a", "/b", "/c", "/d"]


def test_several_tags_are_purged_at_once(site):
    site.purges(lambda cache: cache.purge_tags("front", "news", "never"), at=2)
    assert hits(site, 3) == ["/d"]


def test_everything_is_purged(site):
    site.purges(lambda cache: cache.purge_all(), at=2)
    assert hits(site, 3) == []
    assert hits(site, 4) == ["/a", "/b", "/c", "/d"]


@pytest.mark.parametrize(
    "act",
    [
        lambda cache: cache.purge("/a", soft=True),
        lambda cache: cache.purge_tags("front", soft=True),
        lambda cache: cache.purge_all(soft=True),
    ],
)
def test_what_is_softly_purged_is_validated_and_fresh_again_after_a_304(site, act):
    site.purges(act, at=2)
    site.answers("Cache-Control: max-age=600", 'ETag: "1"', status="304 Not Modified")
    calls = site.calls
    answer = site.ask("/a", at=3)
    assert (answer.code, answer.body) == (200, b"answer 1")
    assert site.seen[-1]["HTTP_IF_NONE_MATCH"] == '"1"'
    assert site.calls == calls + 1
    assert "; hit" in site.ask("/a", at=4).header("Cache-Status")


def test_what_is_softly_purged_is_not_sent_where_the_application_fails_and_it_must_not_be_stale():
    site = Tagged()
    for path, more, kept in (("/x", "", True), ("/y", ", must-revalidate", False)):
        site.answers(f"Cache-Control: max-age=600{more}")
        site.ask(path, at=0)
        site.purges(lambda cache, path=path: cache.purge(path, soft=True), at=1)
        site.answers(status="503 Service Unavailable")
        assert (site.ask(path, at=2).code == 200) is kept


def test_tags_given_by_the_handle_count_like_those_in_fields(site):
    site.said = ("by-hand",)
    site.tags = {"/e": "news"}
    site.ask("/e", at=1)
    assert "; hit" in site.ask("/e").header("Cache-Status")
    site.purges(lambda cache: cache.purge_tags("by-hand"), at=2)
    assert "; hit" not in site.ask("/e", at=3).header("Cache-Status")


@pytest.mark.parametrize("tag", ["", "a b", "caf\xe9", "a\nb", "x" * 257, None, 1])
def test_what_is_no_tag_is_an_error_of_the_caller(site, tag):
    def act(cache):
        with pytest.raises(ValueError, match="a tag is"):
            cache.tag(tag)
        with pytest.raises(ValueError, match="a tag is"):
            cache.purge_tags(tag)

    site.purges(act)


def test_an_answer_with_too_many_tags_is_not_stored():
    site = Tagged()
    site.answers("Cache-Control: max-age=600")
    site.said = tuple(map(str, range(65)))
    site.ask()
    assert not site.is_hit()


def test_a_request_gives_no_tags(site):
    site.ask("/e", headers={"Cache-Tag": "mine", "Surrogate-Key": "mine"})
    site.purges(lambda cache: cache.purge_tags("mine"), at=2)
    assert "; hit" in site.ask("/e", at=3).header("Cache-Status")


def test_the_tags_of_a_confirmation_take_the_place_of_those_before():
    site = Site()
    site.answers("Cache-Control: max-age=1", 'ETag: "1"', "Cache-Tag: v0")
    site.ask()
    for number in range(1, 100):
        site.answers("Cache-Control: max-age=1", 'ETag: "1"', f"Cache-Tag: v{number}", status="304 Not Modified")
        assert "; stored" in site.ask(at=2 * number).header("Cache-Status")
    CachePurger(site.store, clock=lambda: site.now).purge_tags("v1", "v98")
    assert site.is_hit()
    CachePurger(site.store, clock=lambda: site.now).purge_tags("v99")
    assert not site.is_hit()
