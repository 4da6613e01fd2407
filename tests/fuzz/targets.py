"""What is fuzzed: every parser of what somebody else wrote, as a function of bytes.

A target returns where the input was read or refused as documented, and raises where a promise is
broken: an error that nobody documented, a value that is not what was sent, a text that does not
read back. `test_fuzzing.py` feeds them from hypothesis and the kept corpus in every test run,
`python -m tests.fuzz` from atheris, led by coverage.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tests.fuzz import bodies, files, places, proofs, reports, texts

Target = Callable[[bytes], None]

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "report": reports.one_report,
        "request": reports.request_body,
        "binary_event": reports.binary_event,
        "lines": reports.lines_of_a_stream,
        "filters": reports.paths_and_filters,
        "gzip_body": bodies.zipped_body,
        "media_type": bodies.header_fields,
        "csv_file": files.csv_file,
        "column_mapping": files.column_mapping,
        "decimal": texts.decimal_text,
        "time": texts.time_text,
        "zone": texts.zone_and_period,
        "settings": texts.settings,
        "store_url": texts.store_url,
        "api_key": texts.api_key,
        "slot_key": texts.slot_key,
        "cursor": places.cursor,
        "webhook": proofs.webhook,
        "checkpoints": proofs.checkpoints,
        "private_key": proofs.private_key,
    }
)
