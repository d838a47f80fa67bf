"""Story 2. A store's product feed on `store_products_7`, its notices on `store-7`, and each kiosk's own channel `kiosk-12`.

Five hundred kiosks show the same catalogue, so they must all get the same 8 KB product payloads in the same order. A payload of
60 KB is refused with 413 under the protocol's default limit, and accepted by the app whose operator raised it.
"""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect

from clients import PysherClient, publisher, second_publisher
from harness import DEADLINE, Broker, app

KIOSKS = 500
PRODUCTS, STORE = "store_products_7", "store-7"
BIG_APP = {"id": "2", "key": "big-key", "secret": "big-secret", "limits": {"eventDataBytes": 65_536}}


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(), BIG_APP]}) as running:
        yield running


def product(number: int, size: int = 8_000) -> dict:
    """A product whose JSON text is exactly `size` bytes: prices, names and a description with escapes and two-byte letters."""
    body = {"id": number, "name": 'Crème brûlée "XL" \\ set', "price": 1999 + number, "description": ""}
    room = size - len(json.dumps(body, ensure_ascii=False).encode())
    body["description"] = ("0123456789abcdef" * (room // 16 + 1))[:room]
    assert len(json.dumps(body, ensure_ascii=False).encode()) == size
    return body


class Kiosk:
    """One kiosk's socket. `run` connects, subscribes and reads until the event `closing`."""

    def __init__(self, number: int):
        self.number, self.events = number, []

    async def run(self, url: str, gate: asyncio.Semaphore, ready: asyncio.Queue) -> None:
        await gate.acquire()  # as many handshakes at once as a real morning has, not five hundred
        async with connect(url, compression=None, ping_interval=None, proxy=None, open_timeout=DEADLINE * 3) as socket:
            gate.release()
            hello = json.loads(await socket.recv())
            assert hello["event"] == "pusher:connection_established", hello
            for channel in (PRODUCTS, STORE, f"kiosk-{self.number}"):
                await socket.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": channel}}))
                answer = json.loads(await socket.recv())
                assert answer["event"] == "pusher_internal:subscription_succeeded", answer
            ready.put_nowait(self.number)
            while not self.events or self.events[-1][1] != "closing":
                frame = json.loads(await socket.recv())
                self.events.append((frame["channel"], frame["event"], json.loads(frame["data"])))


async def with_kiosks(broker: Broker, numbers, publish) -> list[Kiosk]:
    """Opens the kiosks, publishes from a thread once all are subscribed, and returns when all have read to the end."""
    kiosks = [Kiosk(number) for number in numbers]
    gate, ready = asyncio.Semaphore(50), asyncio.Queue()
    async with asyncio.timeout(DEADLINE * 9), asyncio.TaskGroup() as group:
        for kiosk in kiosks:
            group.create_task(kiosk.run(broker.ws_url(), gate, ready))
        for _ in kiosks:
            await ready.get()
        await asyncio.to_thread(publish)
    return kiosks


def test_five_hundred_kiosks_receive_every_product_in_order_and_each_its_own_notices_only(broker):
    service = publisher(broker)
    catalogue = [product(number) for number in range(20)]

    def publish() -> None:
        for number, item in enumerate(catalogue):
            service.trigger(PRODUCTS, "product:updated", item)
            if number == 9:
                service.trigger("kiosk-12", "kiosk:restart", {"reason": "new layout"})
                service.trigger(STORE, "store:notice", {"text": "closing in ten minutes"})
        service.trigger(STORE, "closing", {})

    kiosks = asyncio.run(with_kiosks(broker, range(KIOSKS), publish))
    for kiosk in kiosks:
        products = [data for channel, _, data in kiosk.events if channel == PRODUCTS]
        assert products == catalogue, f"kiosk {kiosk.number} got {[p['id'] for p in products]}"
        rest = [(channel, event) for channel, event, _ in kiosk.events if channel != PRODUCTS]
        own = [("kiosk-12", "kiosk:restart")] if kiosk.number == 12 else []
        assert rest == [*own, (STORE, "store:notice"), (STORE, "closing")], kiosk.number


def test_sixty_kilobytes_are_refused_with_413_by_default_and_nothing_of_it_is_delivered(broker):
    big = json.dumps(product(1, 60_000), ensure_ascii=False)
    with PysherClient(broker) as kiosk, second_publisher(broker) as service:
        kiosk.subscribe(PRODUCTS, "product:updated")
        result = service.trigger(PRODUCTS, "product:updated", big)
        assert result.status_code == 413, result
        assert "10240" in result.message, f"the refusal does not say the limit: {result.message}"
        status, reply = broker.api("POST", "/events", {"name": "product:updated", "channels": [PRODUCTS], "data": big})
        assert status == 413 and reply["code"] == 413, (status, reply)
        publisher(broker).trigger(PRODUCTS, "product:updated", product(2))
        kiosk.inbox.wait("product:updated")
        assert kiosk.inbox.data() == [product(2)]


def test_the_same_sixty_kilobytes_are_delivered_unchanged_by_the_app_whose_limit_was_raised(broker):
    big = json.dumps(product(1, 60_000), ensure_ascii=False)
    with broker.client(key="big-key", secret="big-secret") as kiosk, \
            second_publisher(broker, app_id="2", key="big-key", secret="big-secret") as service:
        kiosk.subscribe(PRODUCTS)
        assert service.trigger(PRODUCTS, "product:updated", big).json() == {}
        assert kiosk.expect("product:updated", PRODUCTS)["data"] == big
        assert service.trigger(PRODUCTS, "product:updated", "x" * 65_536).ok
        assert kiosk.expect("product:updated", PRODUCTS)["data"] == "x" * 65_536
        assert service.trigger(PRODUCTS, "product:updated", "x" * 65_537).status_code == 413


def test_the_limit_counts_bytes_of_data_not_of_the_request(broker):
    with broker.client() as kiosk, second_publisher(broker) as service:
        kiosk.subscribe(PRODUCTS)
        exact = "é" * 5_120  # 10,240 bytes; twice as many in the request, where the library escapes them
        assert service.trigger(PRODUCTS, "product:updated", exact).json() == {}
        assert kiosk.expect("product:updated", PRODUCTS)["data"] == exact
        assert service.trigger(PRODUCTS, "product:updated", exact + "x").status_code == 413
