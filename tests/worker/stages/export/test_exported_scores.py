"""Data sets of uploaded scores have no images, and can be exported all the same."""

import json
import zipfile

import pandas as pd
import pytest

from app.core.db import Database
from app.core.settings import Settings
from tests.support.exports import Reviewed, write_export
from tests.support.factories import make_sample, publish_findings
from tests.support.rows import make_dataset, make_job, make_tenant

NUM_ROWS = 4


@pytest.fixture
def scores(database: Database) -> Reviewed:
    with database.unit_of_work() as session:
        tenant = make_tenant(session, "scores")
        dataset = make_dataset(session, tenant.id, image_size=None, num_samples=NUM_ROWS)
        nothing = dict.fromkeys(("sha256", "media_type", "width", "height"))
        rows = [
            make_sample(session, dataset, row, path=str(row), **nothing) for row in range(NUM_ROWS)
        ]
        publish_findings(session, make_job(session, dataset), rows)
    return Reviewed(tenant.id, dataset.id, [])


def test_tables_hold_labels_alone(database: Database, settings: Settings, scores: Reviewed) -> None:
    table = pd.read_parquet(write_export(database, settings, scores, format="parquet"))
    assert "image" not in table
    assert table["path"].tolist() == ["0", "1", "2", "3"]
    with zipfile.ZipFile(write_export(database, settings, scores, format="croissant")) as archive:
        card = json.loads(archive.read("croissant.json"))
    names = [field["name"] for field in card["recordSet"][0]["field"]]
    assert names[0] == "label"
    lines = write_export(database, settings, scores, format="jsonl").read_text().splitlines()
    assert [json.loads(line)["width"] for line in lines] == [None] * NUM_ROWS
