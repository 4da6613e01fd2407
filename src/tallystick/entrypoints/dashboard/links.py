"""Where pages are. Names of tenants and meters may hold any character, so they go as parameters."""

from urllib.parse import urlencode


def tenant_link(tenant: str, **more: str) -> str:
    return linked("/dashboard/tenant", id=tenant, **more)


def linked(path: str, **parameters: str) -> str:
    """The path with the parameters that are not empty."""
    given = {name: text for name, text in parameters.items() if text}
    return f"{path}?{urlencode(given, errors='replace')}" if given else path
