"""Croissant 1.1: the samples and the log of decisions as Parquet, and what both mean.

Who a label is from stands at the label itself, as an annotation of its field (section "Provenance"
of the specification): it names the reviewer, or nobody where the label is as given.
"""

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from app.core.durable import write_json
from app.core.ids import format_sample_id
from worker.stages.export.job import ExportJob
from worker.stages.export.parquet import RowWriter, write_named
from worker.stages.export.zip_writer import ZipWriter

SAMPLES, DECISIONS, CARD = "samples.parquet", "decisions.parquet", "croissant.json"
_PARQUET = "application/x-parquet"
_UNKNOWN = "unknown"
_TYPES = {
    "excluded": "sc:Boolean",
    "tied": "sc:Boolean",
    "agreement": "sc:Float",
    "flagged": "sc:Boolean",
    "sure": "sc:Boolean",
    "p_mislabeled": "sc:Float",
    "suggested_confidence": "sc:Float",
    "label": ["sc:Text", "cr:Label"],
}
_PROVENANCE = {
    "decided_by": "prov:wasAttributedTo",
    "label_source": "prov:wasGeneratedBy",
    "decided_at": "prov:generatedAtTime",
    "annotations": "prov:qualifiedAttribution",
}
"""Columns that say where each label is from."""
_LOG_COLUMNS = (
    "id", "step_id", "kind", "sample_id", "path", "from_decision", "from_label", "from_reason",
    "to_decision", "to_label", "to_reason", "decided_by", "decided_at", "decided_under", "comment",
)  # fmt: skip
_LOG_SCHEMA = pa.schema(
    [(name, pa.int64() if name in {"id", "step_id"} else pa.string()) for name in _LOG_COLUMNS]
)
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The JSON-LD context that Croissant 1.1 asks for, and the terms of provenance."""


def write_croissant(job: ExportJob, target: Path) -> None:
    """Write the description and the two files that it describes."""
    samples, log, card = (job.out_dir / name for name in (SAMPLES, DECISIONS, CARD))
    columns = write_named(job, samples)
    _write_log(job, log)
    files = [_file_object(samples), _file_object(log)]
    write_json(card, _describe(job, files, columns))
    with ZipWriter(target) as archive:
        for path in (card, samples, log):
            archive.add_file(path.name, path)


def _write_log(job: ExportJob, target: Path) -> None:
    """Write texts as texts: readers of CSV take a class `NA` for nothing and `1e5` for a number."""
    with RowWriter(target, _LOG_SCHEMA) as writer:
        for entry in job.log():
            ids = {
                "sample_id": format_sample_id(entry["sample_id"]),
                "from_label": job.class_name(entry["from_label"]),
                "to_label": job.class_name(entry["to_label"]),
            }
            writer.write(entry | ids)


def _describe(job: ExportJob, files: list[dict[str, Any]], columns: list[str]) -> dict[str, Any]:
    dataset, about = job.dataset, job.options.about
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": dataset["name"],
        "description": about.description or f"{dataset['name']}, with labels as reviewed.",
        "license": about.license or _UNKNOWN,
        "url": about.url or f"urn:uuid:{dataset['id']}",
        "creator": {"@type": "sc:Organization", "name": about.creator or _UNKNOWN},
        "datePublished": dataset["created_at"],
        "version": "1.0.0",
        "prov:wasDerivedFrom": {"@id": f"urn:sha256:{dataset['content_hash']}"},
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "name": f"Label audit and review (labelaudit {version('labelaudit')})",
        },
        "rai:dataAnnotationPlatform": "Label Audit",
        "rai:dataAnnotationProtocol": _PROTOCOL,
        **_agreement(dataset["agreement"]),
        "rai:machineAnnotationTools": f"labelaudit {version('labelaudit')}",
        "distribution": files,
        "recordSet": [_sample_records(job, columns), _log_records()],
    }


_PROTOCOL = (
    "Labels are as given unless a reviewer decided otherwise: label_source is `given`, `decision` "
    "or, where suggestions of the audit were exported, `suggestion`. All decisions are in "
    f"{DECISIONS}. Where several annotators are known, `annotations` holds what each said, and the "
    "given label is what most of them said."
)


def _agreement(report: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return how far several annotators agree, where there are such."""
    if report is None:
        return {}
    alpha = report["krippendorff_alpha"]
    told = "not defined" if alpha is None else f"{alpha:.3f}"
    return {
        "rai:dataAnnotationAnalysis": f"Krippendorff's alpha (nominal) is {told} over "
        f"{report['num_compared']} samples that several of {report['num_annotators']} annotators "
        f"labelled; of these, {report['num_tied']} ties were drawn by lot."
    }


def _file_object(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": _PARQUET,
        "sha256": sha256,
    }


def _sample_records(job: ExportJob, columns: list[str]) -> dict[str, Any]:
    fields = [_field("samples", SAMPLES, name) for name in columns]
    label = next(field for field in fields if field["name"] == "label")
    label["annotation"] = [
        {
            **_field("samples/label", SAMPLES, name),
            "equivalentProperty": meaning,
        }
        for name, meaning in _PROVENANCE.items()
    ]
    if job.has_images:
        image = _field("samples", SAMPLES, "image") | {"dataType": "sc:ImageObject"}
        image["source"]["transform"] = {"jsonPath": "bytes"}
        fields.insert(0, image)
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "One image with the label that it should have, and the one it came with.",
        "key": {"@id": "samples/sample_id"},
        "field": fields,
    }


def _log_records() -> dict[str, Any]:
    fields = [_field("decisions", DECISIONS, name) for name in _LOG_COLUMNS]
    sample_id = next(field for field in fields if field["name"] == "sample_id")
    sample_id["references"] = {"field": {"@id": "samples/sample_id"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "decisions",
        "name": "decisions",
        "description": "Every change of every label, in the order in which they were made.",
        "field": fields,
    }


def _field(record_set: str, file: str, column: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column}",
        "name": column,
        "dataType": _TYPES.get(column, "sc:Text"),
        "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
    }
