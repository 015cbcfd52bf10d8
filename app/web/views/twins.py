"""Which other samples show the very same picture."""

from collections.abc import Iterable, Mapping, Sequence

from app.claims.schemas import ClaimRead
from app.findings.query import Verdict
from app.findings.schemas import FindingRead, Twin
from app.findings.service import FindingService


def twins_of_conflicts(
    findings: FindingService, job_id: str, shown: Iterable[FindingRead | ClaimRead]
) -> Mapping[str, Sequence[Twin]]:
    """Return them by sample; nothing is asked where no certain conflict is shown."""
    torn = [each.sample_id for each in shown if each.verdict == Verdict.CONFLICT]
    return findings.twins(job_id, torn) if torn else {}
