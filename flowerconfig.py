"""Flower's settings for the order system, which it reads from the directory that it is started in.

Flower answers its buttons and its API with 401 where nobody has to log in. With FLOWER_UNAUTHENTICATED_API it obeys any page that a
browser on this machine shows, without a look at where the request comes from. So there is a login, always.
"""

import os
import secrets
import sys

_given = ("FLOWER_BASIC_AUTH", "FLOWER_AUTH")
_options = ("--basic_auth", "--basic-auth", "--auth=")
if not any(map(os.environ.get, _given)) and not any(word.startswith(_options) for word in sys.argv):
    _password = secrets.token_urlsafe(12)
    basic_auth = [f"amends:{_password}"]
    sys.stderr.write(
        f"Flower: log in as amends with the password {_password} (new at each start; FLOWER_BASIC_AUTH=user:password sets one)\n"
    )
