"""A stateful stand-in for Stripe's metered billing, to test billing offline and with faults.

`StripeSandbox` is the whole of it in one object; `serve` puts it behind a URL that the official
Stripe SDKs accept as their API base. docs/sandbox.md says what is modelled and what is assumed.
"""

from .answers import Answer, Dropped, Request
from .faults import Fault
from .journal import open_sandbox
from .server import RunningSandbox, run, serve
from .settings import Settings
from .stripe_sandbox import StripeSandbox

__all__ = [
    "Answer",
    "Dropped",
    "Fault",
    "Request",
    "RunningSandbox",
    "Settings",
    "StripeSandbox",
    "open_sandbox",
    "run",
    "serve",
]
