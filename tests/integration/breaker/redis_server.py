"""A Redis of a test's own, which may be killed, frozen and started again."""

import subprocess

from demo.ports import free_port
from demo.servers import redis_answers, redis_command
from tests.support.eventually import eventually


class Server:
    """A Redis that is killed, frozen and started again."""

    def __init__(self, directory):
        self._directory = directory
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}"

    def start(self):
        command = redis_command(self._port, self._directory)
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(lambda: redis_answers(self.url))

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        self._process.kill()
        self._process.wait(60)
