"""What channels leave behind: nothing, whoever held them and whoever stays (goals L2 and B6)."""

import threading

import pytest

from harness import Broker, app, wait_until
from rawclient import RawClient, text

MEGABYTE = 1 << 20


def subscribe_many(client: RawClient, names: list[str]) -> None:
    """Subscribes to all of them at once and reads every answer."""
    data = b"".join(text({"event": "pusher:subscribe", "data": {"channel": name}}) for name in names)
    writer = threading.Thread(target=client.send_bytes, args=(data,))
    writer.start()
    for _ in names:
        assert client.receive()["event"] == "pusher_internal:subscription_succeeded"
    writer.join()


@pytest.mark.memory
@pytest.mark.parametrize("stays", [False, True], ids=["all leave", "one of the last stays"])
def test_names_that_few_connections_held_leave_no_memory_behind(stays):
    """Two connections with 10,000 channels each come and go; a survivor of each round holds the latest places"""
    with Broker({"apps": [app()]}) as broker:
        with RawClient(broker) as first:
            subscribe_many(first, [f"warm-{number}" for number in range(100)])
        wait_until(lambda: broker.api("GET", "/channels")[1] == {"channels": {}}, "the first have gone")
        start, survivors = broker.resident_bytes(), []
        for turn in range(3):
            clients = [RawClient(broker) for _ in range(2)]
            for half, client in enumerate(clients):
                subscribe_many(client, [f"round-{turn}-{half}-{number}" for number in range(10_000)])
            assert broker.resident_bytes() - start > 4 * MEGABYTE, "the names were held"
            if stays:
                survivors.append(RawClient(broker))
                subscribe_many(survivors[-1], [f"survivor-{turn}"])
            for client in clients:
                client.abort()
            wait_until(lambda: len(broker.api("GET", "/channels")[1]["channels"]) == len(survivors), "they have gone")
        wait_until(lambda: broker.resident_bytes() - start < 5 * MEGABYTE, "the memory is given back", 60)
        for turn, survivor in enumerate(survivors):
            broker.trigger(f"survivor-{turn}", "still-there", "x")
            survivor.expect("still-there")
            survivor.close()
