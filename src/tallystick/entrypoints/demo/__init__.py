"""The demo: a month of real flights, billed end to end on one machine, and held together.

Three programs: the driver (`driving`) plays everybody else, `service` is Tallystick on one SQLite
file, `stand_in` is Stripe. The driver kills the service, resends what was not acknowledged, orders
faults from the stand-in, and compares every number at the end.
"""
