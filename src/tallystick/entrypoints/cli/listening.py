"""Whether a server of ours answers at a port of this machine, and what it says of itself."""

import http.client
import json
from typing import Final

WAIT_SECONDS: Final = 5
LOOPBACK: Final = "127.0.0.1"


def server_trouble(port: int) -> tuple[str, str] | None:
    """What is wrong with it and what to do about it; None where it is ready."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=WAIT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        parts = json.loads(answer.read(65_536))["parts"]
    except ConnectionRefusedError:
        return "nobody listens there", "start `tallystick serve`"
    except (OSError, http.client.HTTPException):
        return "something listens there and does not answer", "see what it is, and start it again"
    except (ValueError, KeyError, TypeError):
        return "another program listens there", "end it, or give serve another --port"
    finally:
        connection.close()
    wrong = [f"{part} {state}" for part, state in sorted(parts.items()) if state != "ok"]
    if wrong:
        return f"the server is not ready: {', '.join(wrong)}", "read its log; start it again"
    return None
