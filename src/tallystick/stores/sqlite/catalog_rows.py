"""Rows of tenants, meters and mappings to values of the domain, and back."""

import json

from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Aggregation, Closed, Filter, Meter, Operator, Span
from tallystick.domain.period import Interval, Unit
from tallystick.domain.tenant import Tenant, Terms
from tallystick.stores.sqlite.pages import Row


def tenant_row(tenant: Tenant) -> Row:
    versions = [
        [t.zone, t.anchor, t.interval.unit, t.interval.count, t.effective_from]
        for t in tenant.versions
    ]
    return (tenant.id, tenant.name, json.dumps(versions))


def tenant_of(row: Row) -> Tenant:
    tenant, name, versions = row
    return Tenant(
        id=tenant,
        name=name,
        versions=tuple(
            Terms(
                zone=zone,
                anchor=anchor,
                interval=Interval(Unit(unit), count),
                effective_from=effective_from,
            )
            for zone, anchor, unit, count, effective_from in json.loads(versions)
        ),
    )


def meter_row(meter: Meter) -> Row:
    definition = {
        "code": meter.code,
        "aggregation": meter.aggregation,
        "span": meter.span,
        "value_path": meter.value_path,
        "filters": [[f.path, f.operator, list(f.operands)] for f in meter.filters],
        "dimensions": list(meter.dimensions),
        "negatives": meter.negatives,
        "closed": meter.closed,
        "archived": meter.archived,
        "version": meter.version,
    }
    return (meter.id, meter.effective_from, json.dumps(definition))


def meter_of(row: Row) -> Meter:
    meter, effective_from, text = row
    definition = json.loads(text)
    filters = definition["filters"]
    return Meter(
        id=meter,
        code=definition["code"],
        aggregation=Aggregation(definition["aggregation"]),
        span=Span(definition["span"]),
        value_path=definition["value_path"],
        filters=tuple(Filter(path, Operator(op), tuple(of)) for path, op, of in filters),
        dimensions=tuple(definition["dimensions"]),
        negatives=definition["negatives"],
        closed=Closed(definition["closed"]),
        archived=definition.get("archived", False),  # stores of before have none
        version=definition["version"],
        effective_from=effective_from,
    )


def mapping_row(mapping: Mapping) -> Row:
    return (
        mapping.tenant,
        mapping.effective_from,
        mapping.meter,
        mapping.group,
        mapping.route,
        mapping.account,
        mapping.destination,
        mapping.counter,
        mapping.publish_from,
        mapping.boundary_hour,
    )


def mapping_of(row: Row) -> Mapping:
    tenant, effective_from, meter, group, route, account, destination, counter = row[:8]
    publish_from, boundary_hour = row[8:]
    return Mapping(
        tenant=tenant,
        meter=meter,
        group=group,
        route=route,
        account=account,
        destination=destination,
        counter=counter,
        publish_from=publish_from,
        boundary_hour=boundary_hour,
        effective_from=effective_from,
    )
