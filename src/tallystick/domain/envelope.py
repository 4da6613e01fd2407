"""EventBridge's envelope, and what an onboarding in it says. What usage in it means stands in
`report`.
"""

from dataclasses import dataclass
from typing import Final

from tallystick.domain.errors import FieldError, InvalidReport
from tallystick.domain.fields import Fields

DETAIL_TYPE: Final = "detail-type"
BILLING: Final = "BILLING"
"""The detail is a native body: usage."""

ONBOARD: Final = "ONBOARD"
"""The detail says that a tenant is to be billed."""

USAGE_ORIGIN: Final = "eventbridge"
ONBOARDING_ORIGIN: Final = "eventbridge onboarding"
"""Where a dead letter came from; so a replay knows, whatever its body says, what it was meant as.
"""

_DETAIL: Final = frozenset({"TenantID", "ExternalSubscriptionIdentifier", "ProductCode"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarding:
    """That a tenant is to be billed, and through what at the provider.

    destination   a subscription item (`si_…`) or a customer (`cus_…`)
    code          for what; '' for the only thing that the tenant uses
    id, sent_at   the envelope's: what came twice, and what was overtaken, is known by them
    """

    tenant: str
    destination: str
    code: str
    id: str
    sent_at: int


def is_onboarding(body: object) -> bool:
    """Whether it is meant as one; what it says may still be wrong."""
    return isinstance(body, dict) and body.get(DETAIL_TYPE) == ONBOARD


def parse_onboarding(body: object, received_at: int) -> Onboarding:
    """The Onboarding that an envelope means. Raises InvalidReport with all that is wrong."""
    if not isinstance(body, dict):
        raise InvalidReport(
            FieldError(pointer="", code="not_an_object", detail="an envelope is a JSON object")
        )
    fields = Fields(body)
    if not is_onboarding(body):
        fields.wrong(DETAIL_TYPE, "unsupported", f"must be {ONBOARD!r} to make a tenant known")
        raise InvalidReport(*fields.errors)
    own_id, sent_at = fields.key("id"), fields.time("time")
    detail = fields.object("detail")
    detail.refuse_others(_DETAIL)
    names_code = detail.body.get("ProductCode") is not None
    found = Onboarding(
        tenant=detail.name("TenantID"),
        destination=detail.name("ExternalSubscriptionIdentifier"),
        code=detail.name("ProductCode") if names_code else "",
        id=own_id,
        sent_at=received_at if sent_at is None else sent_at,
    )
    if fields.errors:
        raise InvalidReport(*fields.errors)
    return found
