"""Verifying: whether the ledger is as it was written, by its chains and by the checkpoints."""

from collections.abc import Callable, Iterable, Iterator

from tallystick.domain.checkpoint import Chain, Checkpoint, Taken, Verdict
from tallystick.domain.discrepancy import Discrepancy, Kind
from tallystick.domain.quantity import ZERO
from tallystick.domain.tampering import Evidence, evidence_of, first_broken, joined
from tallystick.ports import Store
from tallystick.stages.checkpointing import kept
from tallystick.stages.recounting import entries_of, pages


def evidence_for(
    store: Store,
    copy: Iterable[Taken] = (),
    verdict_of: Callable[[Checkpoint], Verdict] | None = None,
) -> Evidence:
    """What the store's own checkpoints say, joined with a copy that was kept elsewhere."""
    own = evidence_of(kept(store), verdict_of)
    elsewhere = evidence_of(copy, verdict_of)
    return joined(own, elsewhere) if elsewhere.hashes or elsewhere.faults else own


def verify(store: Store, now: int, evidence: Evidence | None = None) -> Iterator[Discrepancy]:
    """What is wrong with the checkpoints, and the first broken line of each (tenant, meter).

    The evidence is the store's own where none is given. Reads every Entry; memory holds the
    marks of the checkpoints, 48 bytes each, and one page of Entries.
    """
    known = evidence_for(store) if evidence is None else evidence
    for fault in known.faults:
        yield _fault(fault, now)
    for chain in _chains(store, known):
        head = store.ledger.head(*chain)
        fault_found = first_broken(entries_of(store, *chain), head, known.marks(chain))
        if fault_found:
            yield _fault(fault_found, now, chain)


def _chains(store: Store, evidence: Evidence) -> Iterator[Chain]:
    """Every (tenant, meter) that has a chain, and those that had one."""
    there = set[Chain]()
    for end, _ in pages(lambda cursor: store.checkpoints.ends(cursor=cursor)):
        there.add(end.chain)
        yield end.chain
    yield from sorted(evidence.trails.keys() - there)


def _fault(detail: str, now: int, chain: Chain = ("", "")) -> Discrepancy:
    tenant, meter = chain
    return Discrepancy(
        kind=Kind.CHAIN,
        tenant=tenant,
        meter=meter,
        subject=f"{tenant}/{meter}" if tenant else "checkpoints",
        ours=ZERO,
        theirs=ZERO,
        detail=detail,
        found_at=now,
    )
