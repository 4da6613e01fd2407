"""Say through which subscription item at Stripe a tenant's usage of a product is billed.

    python scripts/create_tenant_configuration.py --table TABLE --tenant-id "sub|1234" \
        --internal-product-code example-billing-event --stripe-subscription-item si_...

Makes what is not there yet: the tenant, a meter that adds up the product code's quantities, and
the mapping from the one to the other. Run it again and it changes nothing. It says what it changed.

It runs in a checkout, with Python and boto3 and nothing else. Keys, and the region where none is
given, come from where AWS's tools look for them.
"""

import argparse
import sys
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from tallystick.bootstrap import open_store
from tallystick.clock import SystemClock
from tallystick.config import read_settings
from tallystick.domain.envelope import Onboarding
from tallystick.domain.errors import InvalidSetting, StoreUnavailable
from tallystick.domain.instant import format_instant, parse_instant
from tallystick.domain.tenant import check_name
from tallystick.ports import Store
from tallystick.publishers import target_of
from tallystick.stages.enrolling import Enrolled, Onboarded, enrol

DONE, INPUT_ERROR, UNAVAILABLE = 0, 2, 3


def arguments() -> argparse.Namespace:
    first, *_, last = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(description=f"{first} {last}")
    parser.add_argument("--table", required=True, help="The DynamoDB table of the stack.")
    parser.add_argument("--region", default="", help="The table's region.")
    parser.add_argument("--tenant-id", required=True, help="What events call the tenant.")
    parser.add_argument("--internal-product-code", required=True, help="What events call it.")
    parser.add_argument(
        "--stripe-subscription-item",
        required=True,
        help="si_… for usage records; a customer's cus_… for the events of an hour meter.",
    )
    parser.add_argument(
        "--publish-from",
        help="Usage of earlier hours is counted and never sent (RFC 3339); this hour if not given.",
    )
    return parser.parse_args()


def main() -> int:
    given = arguments()
    try:
        return configure(given)
    except (InvalidSetting, ValueError) as error:
        print(error, file=sys.stderr)
        return INPUT_ERROR
    except StoreUnavailable as error:
        print(f"{error}\nRun it again: what it has done stays done.", file=sys.stderr)
        return UNAVAILABLE


def configure(given: argparse.Namespace) -> int:
    now = SystemClock().now()
    wanted = Onboarding(
        tenant=check_name("tenant", given.tenant_id),
        destination=given.stripe_subscription_item,
        code=check_name("product code", given.internal_product_code),
        id=f"create_tenant_configuration {uuid4()}",
        sent_at=now,
    )
    target_of(wanted.destination, wanted.code)
    publish_from = None if given.publish_from is None else parse_instant(given.publish_from)
    region = f"?region={given.region}" if given.region else ""
    store = open_store(f"dynamodb://{given.table}{region}")
    try:
        who = read_settings().user
        found = enrol(store.catalog, wanted, target_of, now, who=who, publish_from=publish_from)
        if not isinstance(found, Enrolled):
            raise InvalidSetting("; ".join(error.detail for error in found.errors))
        for line in changes(wanted, found, store):
            print(line)
    finally:
        store.close()
    return DONE


def changes(wanted: Onboarding, found: Enrolled, store: Store) -> list[str]:
    """What was changed, a line each."""
    told = []
    if found.is_new_tenant:
        told.append(f"tenant {wanted.tenant!r} is added: billed monthly, in UTC")
    if found.is_new_meter:
        told.append(f"meter {found.meter.id!r} is added: it sums {wanted.code!r}")
    if found.mapping is not None:
        since = format_instant(max(found.mapping.publish_from, found.mapping.effective_from))
        told.append(f"{wanted.code!r} is billed through {wanted.destination}, from {since}")
    if found.became is Onboarded.KNOWN:
        told.append("nothing is changed: it is so already")
    waiting = store.dead_letters.list(waits_for=f"tenant:{wanted.tenant}", limit=1).elements
    if waiting:
        told.append(
            "events wait for this tenant: count them with `tallystick dead-letters replay`, or "
            "put an ONBOARD event for it"
        )
    return told


if __name__ == "__main__":
    raise SystemExit(main())
