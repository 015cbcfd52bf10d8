"""From a file on somebody's disk to a trained model, by the pages alone."""

import json
import zipfile
from pathlib import Path

from playwright.sync_api import Route

from tests.browser.conftest import OpenPage
from tests.support.archives import write_tiny_zip
from tests.support.service import Service

PATIENCE_MS = 240_000


def test_upload_watch_read_export_download(
    open_page: OpenPage, service: Service, tmp_path: Path
) -> None:
    archive = tmp_path / "colours.zip"
    write_tiny_zip(archive, num_test=30)
    page = open_page("/datasets")
    page.route("**/v1/datasets", _train_briefly)
    page.get_by_role("button", name="Upload a data set").click()
    page.get_by_label("Name").fill("my <b>colours</b>")
    page.get_by_label("Archive to upload").set_input_files(archive)
    page.wait_for_url("**/jobs/*")
    assert page.locator("h1").inner_text() == "my <b>colours</b>"
    page.get_by_role("heading", name="What was found").wait_for(timeout=PATIENCE_MS)
    assert page.locator("loss-chart canvas").is_visible()
    assert page.locator(".headline").inner_text().endswith("of the labels are wrong")

    page.get_by_role("button", name="Export").click()
    page.get_by_label("Class folders").check()
    page.get_by_role("button", name="Write the file").click()
    link = page.get_by_role("link", name="Download")
    link.wait_for(timeout=PATIENCE_MS)
    with page.expect_download() as download:
        link.click()
    with zipfile.ZipFile(download.value.path()) as exported:
        assert sum(name.endswith(".png") for name in exported.namelist()) == 270
    page.keyboard.press("Escape")

    with page.expect_download() as download:
        page.get_by_role("link", name="Trained model", exact=True).click()
    assert download.value.suggested_filename == "model.safetensors"
    assert download.value.path().stat().st_size > 1000
    job_id = page.url.rsplit("/", 1)[-1]
    dataset_id = service.http.get(f"/v1/jobs/{job_id}").json()["dataset_id"]
    assert service.http.delete(f"/v1/datasets/{dataset_id}").status_code == 204


def _train_briefly(route: Route) -> None:
    body = json.loads(route.request.post_data or "{}")
    route.continue_(post_data=json.dumps(body | {"audit": {"epochs": 12, "seed": 1}}))
