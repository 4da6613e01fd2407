"""Fills the rival's table beforehand with the events that its caller writes: by COPY, its key built
afterwards, the rollup computed from it. Not measured; so it may be as fast as it can.

    RIVAL_URL=postgresql://… python bench/rival/fill.py < rows
"""

import asyncio
import os
import sys

import asyncpg

ROLL_UP = """
INSERT INTO rollup (tenant, code, hour, events, total)
SELECT tenant, code, date_trunc('hour', occurred_at), count(*), sum(quantity) FROM event
GROUP BY 1, 2, 3
"""


async def main() -> None:
    connection = await asyncpg.connect(os.environ["RIVAL_URL"], timeout=60)
    columns = ("tenant", "key", "code", "quantity", "occurred_at", "properties")
    await connection.execute("ALTER TABLE event DROP CONSTRAINT event_pkey")
    await connection.copy_to_table("event", source=sys.stdin.buffer, columns=columns)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    await connection.execute("ALTER TABLE event ADD PRIMARY KEY (tenant, key)")
    await connection.execute(ROLL_UP)
    for upkeep in ("VACUUM ANALYZE", "CHECKPOINT"):
        await connection.execute(upkeep)
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
