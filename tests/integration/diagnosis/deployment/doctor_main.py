"""A process that examines the app: it reads settings, a line of JSON each, and writes findings, a line each."""

import dataclasses
import json
import sys

from amends.diagnosis.deployment.examination import examine
from amends.diagnosis.deployment.worker_inspection import Patience
from tests.integration.diagnosis.deployment import examined_app

patience = Patience(**json.loads(sys.argv[1]))

for line in sys.stdin:
    # An app of its own each time: one remembers queues, connections and annotated tasks.
    app = examined_app.Celery("examined", set_as_current=False)
    app.conf.update({**examined_app.app.conf.changes, **json.loads(line)})
    findings = [dataclasses.asdict(finding) for finding in examine(app, patience=patience).findings]
    app.close()
    sys.stdout.write(json.dumps(findings) + "\n")
    sys.stdout.flush()
