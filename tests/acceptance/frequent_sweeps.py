"""The order system's app, with sweeps so frequent that a wrong judgement is not missed."""

from tasks import app

app.conf.amends_sweep_interval = 0.2
