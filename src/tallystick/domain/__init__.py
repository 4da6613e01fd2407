"""The rules of metering and billing as immutable values and pure functions.

Nothing here reads a clock, an environment, a file or a socket; nothing draws a random number.
One noun a module. Whatever decides about money is decided here, and only carried out elsewhere.
"""
