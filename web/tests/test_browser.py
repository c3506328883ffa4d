"""The page in headless Chromium, used as visitors use it. Skipped without Chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from facial_keypoints.pictures import read_picture
from web.tests.test_app import served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDE, PHONE = (1280, 900), (390, 844)
TIMEOUT_MS = 120_000

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("served")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, examples: dict[str, Path]) -> Iterator[Browser]:
    """A browser whose camera sees the example with six faces."""
    frame = cv2.cvtColor(read_picture(examples["group"])[:, :1112], cv2.COLOR_RGB2BGR)
    clip = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    clip.write_bytes(b"".join([cv2.imencode(".jpg", frame)[1].tobytes()] * 20))
    camera = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", *camera, f"--use-file-for-fake-video-capture={clip}"],
        )


def opened(browser: Browser, url: str, size: tuple[int, int] = WIDE, scheme: str = "light") -> Page:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(url)
    page.get_by_text("Drawn examples").wait_for()
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_example_is_answered_and_fits_the_screen_in_light_and_dark_mode(
    browser: Browser, url: str, size: tuple[int, int], scheme: str
) -> None:
    page = opened(browser, url, size, scheme)
    page.locator(".gallery-item").nth(2).click()
    expect(page.get_by_text("6 faces.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]  # no horizontal scrolling
    last = page.locator("#choices label span").last.bounding_box()
    assert last is not None
    assert last["x"] + last["width"] <= size[0]  # not cut off
    background = page.evaluate("getComputedStyle(document.body).backgroundColor").strip("rgb()").split(",")
    assert (sum(map(int, background)) < 3 * 60) == (scheme == "dark")
    page.close()


def test_upload_is_answered_and_its_csv_can_be_downloaded(
    browser: Browser, url: str, examples: dict[str, Path]
) -> None:
    page = opened(browser, url)
    page.locator("input[type=file]").first.set_input_files(examples["one"])
    expect(page.get_by_text("One face.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_text("CSV", exact=True).click()
    assert download.value.path().read_text(encoding="utf-8").count("\n") == 2
    page.close()


def test_file_that_is_not_a_picture_is_rejected_with_a_message(browser: Browser, url: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    page = opened(browser, url)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "a.png")
    expect(page.get_by_text("The picture is not a readable picture")).to_be_visible()
    page.close()


def test_page_sends_no_request_to_another_host(browser: Browser, url: str) -> None:
    page = browser.new_page()
    requested: set[str] = set()
    page.on("request", lambda request: requested.add(request.url))
    page.goto(url)
    page.get_by_text("Drawn examples").wait_for()
    assert {address for address in requested if not address.startswith((url, "data:", "blob:"))} == set()
    page.close()


def test_camera_view_is_updated(browser: Browser, url: str) -> None:
    page = opened(browser, url, PHONE)
    page.get_by_role("tab", name="Camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.get_by_label("capture photo").click()  # Gradio's name for the button "Record"
    shown = page.locator("img[src^='data:image/jpeg']")
    expect(shown).to_be_visible()
    first = shown.get_attribute("src")
    page.wait_for_function("first => document.querySelector(\"img[src^='data:image/jpeg']\").src !== first", arg=first)
    page.close()
