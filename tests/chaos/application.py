"""The order system's app, with the settings that a run's broker needs: ``celery -A tests.chaos.application worker``."""

import json
import os

from tasks import app
from tests.chaos import SETTINGS

app.conf.update(json.loads(os.environ.get(SETTINGS, "{}")))
