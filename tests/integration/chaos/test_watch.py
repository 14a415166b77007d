"""What a sample tells of a log on several servers."""

import pytest

from tests.support.eventually import eventually
from tests.support.redis_clusters import own_cluster
from tests.support.redis_sentinels import watched

pytestmark = pytest.mark.servers


def test_a_cluster_answers_once_its_replicas_are_there_again(tmp_path):
    with own_cluster(tmp_path, replicas=1) as cluster:
        assert cluster.answers(replicas=1)
        lost = cluster.replica_of(cluster.owners()[0])
        lost.kill()
        eventually(lambda: not cluster.answers(replicas=1))
        assert cluster.answers()
        lost.start(wait=True)
        eventually(lambda: cluster.answers(replicas=1))


def test_a_primary_under_sentinels_answers_once_its_replicas_are_there_again(tmp_path):
    with watched(tmp_path) as servers:
        assert servers.answers(replicas=2)
        servers.servers[1].kill()
        eventually(lambda: not servers.answers(replicas=2))
        assert servers.answers(replicas=1)
        servers.servers[1].start(wait=True)
        eventually(lambda: servers.answers(replicas=2))
