"""uWebSockets under Python (PyPI socketify) as a broadcaster that speaks just enough of the protocol to be measured.

The native library publishes; Python only reads the publish request. Usage: socketify_peer.py PORT
"""

import json
import sys

from socketify import App, OpCode
from socketify.native import lib

GREETING = json.dumps({"event": "pusher:connection_established",
                       "data": json.dumps({"socket_id": "1.1", "activity_timeout": 120})})
application = App()


class Deferred:
    """Publishes after the turn in which the calls came. Inside the handler of an HTTP request uWebSockets sends what waits
    for a socket before it takes the next event of another channel, so that nothing could leave together."""

    def __init__(self):
        self.waiting = []

    def publish(self, topic, frame):
        if not self.waiting:
            application.loop.loop.call_soon(self.flush)
        self.waiting.append((topic, frame))

    def flush(self):
        waiting, self.waiting = self.waiting, []
        for topic, frame in waiting:
            application.publish(topic, frame, OpCode.TEXT)


deferred = Deferred()


def opened(socket):
    socket.send(GREETING, OpCode.TEXT)


def message(socket, text, opcode):
    heard = json.loads(text)
    if heard["event"] == "pusher:subscribe":
        channel = heard["data"]["channel"]
        socket.subscribe(channel)
        socket.send(json.dumps({"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": "{}"}),
                    OpCode.TEXT)
    else:
        # socketify's own publish also sends to the sender; the native one leaves it out, as the protocol wants.
        topic, data = heard["channel"].encode(), text.encode()
        lib.uws_ws_publish_with_options(0, socket.ws, topic, len(topic), data, len(data), OpCode.TEXT.value, False)


def publish(response, request):
    def complete(response, body):
        event = json.loads(bytes(body))
        for channel in event["channels"]:
            frame = json.dumps({"event": event["name"], "channel": channel, "data": event["data"]}, separators=(",", ":"))
            deferred.publish(channel, frame)
        response.end("{}")

    chunks = bytearray()

    def data(response, chunk, is_last, *_):
        chunks.extend(chunk)
        if is_last:
            complete(response, chunks)

    response.on_data(data)


application.ws("/app/*", {"open": opened, "message": message, "compression": 0, "idle_timeout": 960,
                          "max_backpressure": 64 * 1024 * 1024})
application.post("/apps/:id/events", publish)
application.listen(int(sys.argv[1]), lambda _: print("ready", flush=True))
application.run()
