"""What an event costs in DynamoDB: units by AWS's rules (`units` counts them), and CPU time.

Against any DynamoDB that needs no account, such as AWS's own emulator (`make test-aws` fetches it
into build/dynamodb-local):

    java -Djava.library.path=DynamoDBLocal_lib -jar DynamoDBLocal.jar -inMemory -sharedDb
    python -m bench.dynamodb_cost http://127.0.0.1:8000

It prints the tables of docs/cost.md. The units are the same on every machine; the CPU time is not.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from bench.emulator import connected
from bench.units import Index, Metered, Units
from tallystick.domain.instant import EARLIEST, HOUR, MINUTE, format_instant, parse_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.publication import Limits
from tallystick.domain.tenant import Tenant
from tallystick.domain.window import Window
from tallystick.entrypoints.aws.ingest import handler
from tallystick.entrypoints.aws.runtime import cold_start
from tallystick.entrypoints.demo.catalog import AIRLINES, METERS
from tallystick.entrypoints.demo.flights import Flight, read_flights
from tallystick.ports import Catalog, Override
from tallystick.stages.ingesting import Report, ingest, intake_of
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import Publishing
from tallystick.stages.reconciling import Reconciling
from tallystick.stages.recounting import recount
from tallystick.stages.targeting import SealLimits
from tallystick.stages.verifying import verify
from tallystick.stores.dynamodb import DynamoStore
from tallystick.stores.dynamodb.layout import DUE_AT, DUE_IN, DUE_INDEX, PARTITION, SORT
from tallystick.testing.fakes import HOUR_METER, FakeClock, FakeProvider, FakePublisher

MORNING: Final = parse_instant("2013-01-03T05:00:00Z")
DAY: Final = Window(MORNING, MORNING + 24 * HOUR)
"""A Thursday of flights, from midnight in New York."""

NOW: Final = DAY.end + HOUR
OURS: Final = Index(DUE_INDEX, (DUE_IN, DUE_AT))
THEIRS: Final = Index("inverted", (SORT, PARTITION), holds_all=True)
SIZES: Final = (1, 10, 50, 100)
DELETES: Final = 24
"""A transaction held 25 items when the reference implementation was written."""

CALLS: Final = 40


@dataclass(frozen=True, slots=True)
class Row:
    """What so many events (or other things) cost."""

    name: str
    number: int
    units: Units


@dataclass(slots=True)
class Bench:
    """A store in a table of its own, and the meter on its client."""

    store: DynamoStore
    meter: Metered

    @classmethod
    def opened(cls, endpoint: str) -> "Bench":
        client, name = connected(endpoint), f"cost-{uuid4().hex}"
        DynamoStore.create_table(client, name)
        meter = Metered(client, name, (PARTITION, SORT), OURS)
        writer = f"{0:032x}"
        store = DynamoStore.open(
            meter, name, incarnation="bench", writer=writer, chance=lambda: 0.5
        )
        return cls(store, meter)

    def ingest(self, batches: Iterable[Sequence[Report]]) -> Units:
        """What it costs to count these."""
        intake = intake_of(self.store)
        intake.rules.refresh()
        self.meter.taken()
        for batch in batches:
            ingest(batch, intake, NOW)
        return self.meter.taken()


def audit(subject: str) -> Override:
    return Override(at=EARLIEST, who="bench", why="a figure", action="add", subject=subject)


# ── Events of one Aggregate ───────────────────────────────────────────────────────────────────────


def envelope(number: int) -> Report:
    """Native usage as EventBridge puts it into a queue."""
    body = {
        "version": "0",
        "id": str(UUID(int=number)),
        "detail-type": "BILLING",
        "source": "my-service",
        "account": "123456789012",
        "time": format_instant(MORNING),
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "TenantID": "sub|1234",
            "ProductCode": "example-billing-event",
            "Quantity": 5,
            "Timestamp": MORNING // 1_000,
        },
    }
    return Report(origin="eventbridge", body=json.dumps(body))


def fill_with_one(catalog: Catalog) -> None:
    catalog.save(Tenant(id="sub|1234"), audit("sub|1234"))
    code = "example-billing-event"
    catalog.save(Meter(id=code, code=code), audit(code))


def of_one_aggregate(endpoint: str, number: int, *, is_first: bool = False) -> Row:
    """A batch of events of one tenant, meter and hour; the first of that hour, or a later one."""
    bench = Bench.opened(endpoint)
    fill_with_one(bench.store.catalog)
    if not is_first:
        bench.ingest([[envelope(0)]])
    name = f"{number} in a batch" + (", the first of their hour" if is_first else "")
    return Row(name, number, bench.ingest([[envelope(n) for n in range(1, number + 1)]]))


# ── The demo's mix ────────────────────────────────────────────────────────────────────────────────


def fill_with_airlines(catalog: Catalog) -> None:
    for meter in METERS:
        catalog.save(meter, audit(meter.id))
    for name, _ in AIRLINES:
        catalog.save(Tenant(id=name), audit(name))
        for meter in METERS:
            catalog.save(
                Mapping(
                    tenant=name,
                    meter=meter.id,
                    route=HOUR_METER.name,
                    destination=f"cus_{name}",
                    counter=meter.id,
                    publish_from=EARLIEST,
                ),
                audit(name),
            )


def report_of(flight: Flight) -> Report:
    return Report(origin="eventbridge", body=flight.report())


def in_order(flights: Sequence[Flight], size: int) -> list[list[Report]]:
    """As they departed, cut into batches."""
    told = sorted(flights, key=lambda flight: flight.occurred_at)
    return [[report_of(f) for f in told[i : i + size]] for i in range(0, len(told), size)]


def by_tenant_and_hour(flights: Sequence[Flight]) -> list[list[Report]]:
    """A batch for each airline and hour."""
    batches: dict[tuple[str, int], list[Report]] = {}
    for flight in flights:
        key = (flight.carrier, flight.occurred_at // HOUR)
        batches.setdefault(key, []).append(report_of(flight))
    return list(batches.values())


def of_the_mix(endpoint: str, name: str, batches: list[list[Report]]) -> Row:
    bench = Bench.opened(endpoint)
    fill_with_airlines(bench.store.catalog)
    return Row(name, sum(map(len, batches)), bench.ingest(batches))


def mixes(endpoint: str, flights: Sequence[Flight]) -> list[Row]:
    rows = [
        of_the_mix(endpoint, f"in order of time, {size} in a batch", in_order(flights, size))
        for size in (1, 10, 100, 1_000)
    ]
    whole = of_the_mix(endpoint, "a batch for each tenant and hour", by_tenant_and_hour(flights))
    return [*rows, whole]


def of_the_hourly_run(endpoint: str, flights: Sequence[Flight]) -> list[Row]:
    """Sealing and publishing that day hour by hour, and confirming it the next morning; and then
    comparing all of it."""
    bench = Bench.opened(endpoint)
    fill_with_airlines(bench.store.catalog)
    clock = FakeClock(DAY.start)
    publisher = FakePublisher(FakeProvider(clock), clock)
    publishing = Publishing(store=bench.store, publisher=publisher, clock=clock, limits=Limits())
    waiting = sorted(flights, key=lambda flight: flight.occurred_at)
    intake = intake_of(bench.store)
    runs = Units()
    for hour in range(24 + 24):
        end = DAY.start + (hour + 1) * HOUR
        now = [f for f in waiting if end - HOUR <= f.occurred_at < end]
        clock.at = end
        if now:
            ingest([report_of(flight) for flight in now], intake, clock.at)
        clock.at = end + 6 * MINUTE
        bench.meter.taken()
        one_pass(publishing, SealLimits())
        runs = runs.plus(bench.meter.taken())
    reconciling = Reconciling(store=bench.store, publisher=publisher, now=clock.at, limits=Limits())
    ours = [*recount(bench.store, clock.at), *verify(bench.store, clock.at)]
    if differences := [*ours, *reconciling.provider()]:
        raise RuntimeError(f"the day does not reconcile: {differences}")
    comparing = bench.meter.taken()
    publications = len(bench.store.outbox.publications(limit=100_000).elements)
    entries = len(bench.store.ledger.entries(limit=100_000).elements)
    return [
        Row("for each line of the ledger", entries, runs),
        Row("for each publication", publications, runs),
        Row("for each event", len(flights), runs),
        Row("comparing everything then, for each line", entries, comparing),
    ]


# ── The reference implementation's sequence ───────────────────────────────────────────────────────


def of_the_reference(endpoint: str, number: int) -> Row:
    """Events of one tenant and hour, by the requests of the reference implementation: each is put
    into a table whose index holds all attributes; after the hour they are read, added to a total
    and deleted, in transactions. Nothing tells an event that comes twice."""
    client, table = connected(endpoint), f"reference-{uuid4().hex}"
    keys = {PARTITION: "HASH", SORT: "RANGE"}
    inverted = {SORT: "HASH", PARTITION: "RANGE"}
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        GlobalSecondaryIndexes=[
            {
                "IndexName": THEIRS.name,
                "KeySchema": [
                    {"AttributeName": key, "KeyType": kind} for key, kind in inverted.items()
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    meter = Metered(client, table, (PARTITION, SORT), THEIRS)
    _refer(meter, table, number)
    return Row(f"{number} of a tenant and hour", number, meter.taken())


def _refer(meter: Metered, table: str, number: int) -> None:
    tenant = {PARTITION: {"S": "TENANT#sub|1234"}}
    total = tenant | {SORT: {"S": f"AGGREGATE#HOUR#{MORNING // 1_000}"}}
    events = [
        tenant | {SORT: {"S": f"EVENT#{MORNING // 1_000 + n}#{UUID(int=n).hex[:12]}"}}
        for n in range(number)
    ]
    for event in events:
        meter.query(
            TableName=table,
            IndexName=THEIRS.name,
            KeyConditionExpression="#s = :s",
            ExpressionAttributeNames={"#s": SORT},
            ExpressionAttributeValues={":s": {"S": "CONFIG"}},
        )
        meter.put_item(TableName=table, Item=event | {"quantity": {"N": "5"}})
    meter.query(
        TableName=table,
        KeyConditionExpression="#p = :p AND begins_with(#s, :s)",
        ExpressionAttributeNames={"#p": PARTITION, "#s": SORT},
        ExpressionAttributeValues={":p": tenant[PARTITION], ":s": {"S": "EVENT"}},
    )
    meter.put_item(TableName=table, Item=total | {"submitted": {"BOOL": False}})
    for start in range(0, number, DELETES):
        gone = events[start : start + DELETES]
        added = {
            "TableName": table,
            "Key": total,
            "UpdateExpression": "ADD #q :q",
            "ExpressionAttributeNames": {"#q": "quantity"},
            "ExpressionAttributeValues": {":q": {"N": str(5 * len(gone))}},
        }
        deleted = [{"Delete": {"TableName": table, "Key": event}} for event in gone]
        meter.transact_write_items(TransactItems=[{"Update": added}, *deleted])


# ── CPU ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Context:
    """What Lambda would say of a call."""

    aws_request_id: str = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def cpu_milliseconds(endpoint: str, number: int) -> tuple[float, float]:
    """(CPU, wall) milliseconds of one call of the function with so many messages, warm: the median.

    The emulator's own time is in the second alone."""
    client, name = connected(endpoint), f"cost-{uuid4().hex}"
    DynamoStore.create_table(client, name)
    os.environ["TALLYSTICK_STORE"] = f"dynamodb://{name}?region=us-east-1"
    cold_start.cache_clear()
    store = cold_start().store
    fill_with_one(store.catalog)
    spent: list[tuple[float, float]] = []
    for call in range(CALLS):
        first = call * number + 1
        records = [
            {"messageId": str(n), "body": envelope(n).body} for n in range(first, first + number)
        ]
        began, cpu = time.perf_counter(), time.process_time()
        handler({"Records": records}, Context())
        spent.append((time.process_time() - cpu, time.perf_counter() - began))
    warm = spent[CALLS // 4 :]
    cpu, wall = (statistics.median(each[n] for each in warm) * 1_000 for n in (0, 1))
    return cpu, wall


# ── What is printed ───────────────────────────────────────────────────────────────────────────────

HEAD: Final = (
    "| {} | number | write units each | of them for the index | read units each | requests |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def line_of(row: Row) -> str:
    units, number = row.units, row.number
    cells = (
        row.name,
        f"{number:,}",
        f"{units.writes / number:.2f}",
        f"{units.index / number:.2f}",
        f"{units.reads / number:.2f}",
        f"{units.requests.total():,}",
    )
    return f"| {' | '.join(cells)} |"


def table_of(head: str, rows: Iterable[Row]) -> str:
    return "\n".join([HEAD.format(head), *map(line_of, rows)])


def tables(endpoint: str) -> dict[str, str]:
    """The tables of docs/cost.md that are the same on every machine."""
    flights = read_flights(DAY)
    single = [of_one_aggregate(endpoint, number) for number in SIZES]
    first = of_one_aggregate(endpoint, SIZES[-1], is_first=True)
    return {
        "one": table_of("events of one Aggregate", [*single, first]),
        "reference": table_of(
            "the reference implementation's requests",
            [of_the_reference(endpoint, number) for number in SIZES],
        ),
        "mix": table_of("a day of the demo's events", mixes(endpoint, flights)),
        "hourly": table_of("the hourly runs of that day", of_the_hourly_run(endpoint, flights)),
    }


def main(endpoint: str) -> None:
    os.environ |= {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "TALLYSTICK_LOG_LEVEL": "error",
    }
    for table in tables(endpoint).values():
        print(table, end="\n\n")
    print("| messages in a call | CPU ms a call | CPU ms an event | wall ms a call |")
    print("| --- | --- | --- | --- |")
    for number in (1, 10, 100):
        cpu, wall = cpu_milliseconds(endpoint, number)
        print(f"| {number} | {cpu:.1f} | {cpu / number:.2f} | {wall:.1f} |")


if __name__ == "__main__":
    main(sys.argv[1])
