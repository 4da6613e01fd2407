"""The server stack with nothing behind it: reads the body, answers 204. What HTTP alone costs."""

import sys

from starlette.types import Receive, Scope, Send

from tallystick.entrypoints.http.server import listen, run_server
from tallystick.entrypoints.running import Running

ANSWER = {
    "type": "http.response.start",
    "status": 204,
    "headers": [(b"tallystick-counts", b"recorded=1, duplicate=0")],
}


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Any request, and the server's own start and end."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    await send(ANSWER)
    await send({"type": "http.response.body"})


if __name__ == "__main__":
    run_server(answer, listen("127.0.0.1", int(sys.argv[1])), Running())
