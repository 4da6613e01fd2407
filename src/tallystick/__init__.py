"""Usage metering and billing that counts once and proves it.

Tallystick counts each reported event exactly once, totals per tenant, meter and hour,
and publishes the totals to a billing provider so that the provider's books equal ours.
The words and the layers are explained in README.md and CONTRIBUTING.md. Nothing but the
version lives here: import from the module that has the noun or the verb you need.
"""

__version__ = "0.1.0"
