"""The reference app in a real browser: headless Chromium signs in, writes a note, signs out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import program
from reference_server import served

pytestmark = pytest.mark.slow

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", "test-artifacts"))


@pytest.fixture(scope="module")
def chromium():
    path = program("chromium", "chromium-browser", "google-chrome")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url():
    with served() as server:
        yield server.url


@pytest.fixture
def page(chromium):
    context = chromium.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def shoot(page, name):
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def sign_in(page, url, user="ann", password="seven-green-apples"):
    page.goto(f"{url}/notes")
    page.get_by_label("Name").fill(user)
    page.get_by_label("Password").fill(password)
    press(page, "Sign in")


def press(page, name, role="button"):
    """Press it, and come back when the page that it leads to is there."""
    with page.expect_navigation():
        page.get_by_role(role, name=name).click()


def test_a_person_signs_in_writes_a_note_and_signs_out(page, url):
    page.goto(url)
    shoot(page, "home")
    sign_in(page, url)
    assert page.url == f"{url}/notes"  # where she wanted to go
    page.get_by_label("A note").fill("Water the <plants> & rest")
    press(page, "Keep it")
    assert page.locator("ul.notes li").all_inner_texts() == ["Water the <plants> & rest"]
    shoot(page, "notes")
    press(page, "Sign out")
    page.goto(f"{url}/notes")
    assert page.get_by_label("Password").is_visible()
    shoot(page, "sign-in")


def test_a_person_sees_both_browsers_and_signs_the_other_one_out(page, chromium, url):
    sign_in(page, url)
    other = chromium.new_context(user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    sign_in(other_page := other.new_page(), url)
    page.goto(f"{url}/signed-in")
    assert "Firefox" in page.locator("ul.sessions").inner_text()
    shoot(page, "signed-in")
    press(page, "Sign out everywhere else")
    assert page.get_by_role("status").inner_text() == "You are signed in here only."
    other_page.goto(f"{url}/notes")
    assert other_page.get_by_label("Password").is_visible()
    other.close()


def test_a_page_for_one_role_refuses_another_user(page, url):
    sign_in(page, url, "bob", "three-blue-boats")
    assert page.goto(f"{url}/admin").status == 403
    shoot(page, "refused")


def test_the_clock_stands_still_and_says_that_it_was_a_hit(page, url):
    page.goto(f"{url}/clock")
    made = page.locator("time").inner_text()
    press(page, "Ask again", "link")
    assert page.locator("time").inner_text() == made
    assert "hit" in page.locator("code.said").inner_text()
    shoot(page, "clock")


def test_a_purge_by_the_button_makes_the_clock_anew(page, url):
    sign_in(page, url)
    page.goto(f"{url}/clock")
    page.goto(f"{url}/admin")
    shoot(page, "admin")
    press(page, "Purge the clock")
    assert page.get_by_role("status").inner_text() == "The page /clock is purged."
    shoot(page, "purged")
    page.locator("main").get_by_role("link", name="clock").click()
    page.wait_for_url(f"{url}/clock")
    assert page.locator("code.said").inner_text() == "wsgi-middleware; fwd=uri-miss; stored"
    shoot(page, "clock-after-a-purge")


def test_the_theme_is_kept_in_a_cookie_and_changes_the_page(page, url):
    page.goto(url)
    press(page, "Dark")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    shoot(page, "dark")


def test_every_control_is_reached_by_the_keyboard(page, url):
    page.goto(url)
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.locator(":focus").first.inner_text() if page.locator(":focus").count() else "")
    assert reached[0] == "Skip to the content"
    assert {"Home", "Clock", "Notes", "Admin", "Report", "Sign in", "Light", "Dark"} <= set(reached)


def test_a_phone_needs_no_sideways_scrolling(page, url):
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, url)
    for path in ("/", "/notes", "/signed-in", "/report", "/admin", "/clock"):
        page.goto(url + path)
        box = page.locator("body").bounding_box()
        assert box is not None
        assert box["width"] <= 360
        for element in page.locator("main, header, main *").all():
            edge = element.bounding_box()
            assert edge is None or edge["x"] + edge["width"] <= 361, element
    shoot(page, "phone")
