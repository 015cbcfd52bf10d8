from pathlib import Path

from playwright.sync_api import Page, Request

from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.pictures import Shots

PIECE = 16 * 2**20


def _write_large_file(target: Path, num_bytes: int) -> None:
    with target.open("wb") as file:
        file.truncate(num_bytes)


def _open_dialog(page: Page) -> None:
    page.get_by_role("button", name="Upload a data set").click()


def test_upload_pauses_goes_on_after_a_reload_and_says_what_is_wrong(
    open_page: OpenPage, tmp_path: Path, shots: Shots
) -> None:
    archive = tmp_path / '<b>"cats".zip'
    _write_large_file(archive, 2 * PIECE + 1000)
    page = open_page("/datasets")
    _open_dialog(page)
    shots.take(page, "upload-dialog")
    assert_accessible(page)

    held = []  # the second piece is on its way for good
    page.route(
        "**/v1/uploads/*",
        lambda route: (
            held.append(route)
            if route.request.headers.get("upload-offset") == str(PIECE)
            else route.continue_()
        ),
    )
    page.get_by_label("Archive to upload").set_input_files(archive)
    page.get_by_text("16.8 MB of").wait_for()
    assert page.get_by_role("dialog").get_by_text(archive.name).is_visible()
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused.").wait_for()
    assert_accessible(page)
    page.unroute_all()

    page.reload()
    page.get_by_text("is not finished").wait_for()
    sent: list[str] = []
    page.on("request", lambda request: _note_offset(request, sent))
    page.get_by_role("button", name="Choose it").click()
    page.get_by_label("Archive to upload").set_input_files(archive)
    page.get_by_role("alert").get_by_text("The file is no zip, tar").wait_for()
    assert sent[0] == str(PIECE)
    assert page.get_by_role("button", name="Try again").is_hidden()
    shots.take(page, "upload-refused")
    assert_accessible(page)

    page.reload()
    assert page.get_by_text("is not finished").is_hidden()  # it would be refused again


def _note_offset(request: Request, sent: list[str]) -> None:
    if request.method == "PATCH":
        sent.append(request.headers["upload-offset"])


def test_a_file_may_be_dropped_anywhere(open_page: OpenPage) -> None:
    page = open_page("/datasets")
    page.route("**/v1/uploads", lambda route: route.fulfill(
        status=413, content_type="application/problem+json",
        body='{"code": "payload_too_large", "detail": "Files of up to 5 GB are taken."}',
    ))  # fmt: skip
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["x"], "cats.zip"));
            for (const type of ["dragover", "drop"])
                document.body.dispatchEvent(
                    new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        }"""
    )
    page.get_by_role("alert").get_by_text("Files of up to 5 GB are taken.").wait_for()
    page.get_by_role("button", name="Choose another file").click()
    assert page.get_by_label("Archive to upload").is_visible()
