"""A process that examines the clinic: it reads settings, a line of JSON each, and writes findings, a line each."""

import dataclasses
import json
import sys

from amends.diagnosis.deployment import worker_inspection as workers
from amends.diagnosis.deployment.examination import examine
from tests.integration.diagnosis import clinic

# Workers that beat are waited for in any case.
workers.FIRST_CALL = float(sys.argv[1])

for line in sys.stdin:
    # An app of its own each time: one remembers queues, connections and annotated tasks.
    app = clinic.Celery("clinic", set_as_current=False)
    app.conf.update({**clinic.app.conf.changes, **json.loads(line)})
    findings = [dataclasses.asdict(finding) for finding in examine(app).findings]
    app.close()
    sys.stdout.write(json.dumps(findings) + "\n")
    sys.stdout.flush()
