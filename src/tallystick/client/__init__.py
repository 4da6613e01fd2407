"""What a service imports to report usage: `Client(url, key, spool=folder).record(…)`.

`record` returns at once and never raises; batching, retries, the spool on disk and the sending
happen in two threads. Of the rest of Tallystick it imports the exact numbers and the canonical
JSON of the domain, and nothing else.
"""

from tallystick.client.answers import Answer, Transport, Unanswered
from tallystick.client.client import Client
from tallystick.client.counts import Stats
from tallystick.client.limits import Limits

__all__ = ["Answer", "Client", "Limits", "Stats", "Transport", "Unanswered"]
