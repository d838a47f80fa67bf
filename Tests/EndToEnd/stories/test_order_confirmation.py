"""Story 1. A shop's order service says `sale:confirmed` or `sale:rejected` on the buyer's own channel, `<prefix><userId>`.

The buyer has the web page open (asyncpusher) and the app on the phone (Pysher, the old protocol 6). Both hear it once. A
server whose clock is wrong is told so, with both times, because nothing else in the reply would lead anyone to the clock.
"""

import re
import time
from datetime import datetime, timezone

import pusher.errors
import pusher.http
import pytest

from clients import AsyncPusherClient, PysherClient, publisher, second_publisher

PREFIX = "orders-user-"
CONFIRMED, REJECTED, LAST = "sale:confirmed", "sale:rejected", "sale:archived"


def order(number: int, status: str) -> dict:
    return {"orderId": number, "status": status, "total": "1 249,00 €", "lines": [{"sku": "A-1", "qty": 2}]}


@pytest.fixture
def devices(broker):
    """The web page and the phone of buyer 42, and the web page of buyer 43."""
    with AsyncPusherClient(broker, who="web 42") as web, PysherClient(broker, who="phone 42") as phone, \
            AsyncPusherClient(broker, who="web 43") as other:
        for device, user in ((web, 42), (phone, 42), (other, 43)):
            device.subscribe(f"{PREFIX}{user}", CONFIRMED, REJECTED, LAST)
        yield web, phone, other


def test_both_devices_of_the_buyer_hear_each_decision_once_and_in_order_and_the_neighbour_hears_nothing(broker, devices):
    web, phone, other = devices
    service = publisher(broker)
    decisions = [(CONFIRMED, order(1001, "paid")), (REJECTED, order(1002, "card refused")), (CONFIRMED, order(1003, "paid"))]
    for event, data in decisions:
        assert service.trigger(f"{PREFIX}42", event, data) == {}
    service.trigger([f"{PREFIX}42", f"{PREFIX}43"], LAST, {"orderId": 0})
    for device in devices:
        device.inbox.wait(LAST)
    for device in (web, phone):
        assert [(item.event, item.data) for item in device.inbox.all()] == [*decisions, (LAST, {"orderId": 0})]
    assert other.inbox.data() == [{"orderId": 0}]


def test_a_publish_to_the_buyer_and_the_seller_reaches_each_device_once(broker, devices):
    web, phone, other = devices
    publisher(broker).trigger([f"{PREFIX}42", f"{PREFIX}43", f"{PREFIX}42"], CONFIRMED, order(7, "paid"))
    publisher(broker).trigger([f"{PREFIX}42", f"{PREFIX}43"], LAST, {"orderId": 0})
    for device in devices:
        device.inbox.wait(LAST)
        assert device.inbox.data() == [order(7, "paid"), {"orderId": 0}]


def test_two_publishing_services_with_different_libraries_and_app_ids_serve_the_same_buyer(broker, devices):
    web, phone, _ = devices
    assert publisher(broker, app_id="1").trigger(f"{PREFIX}42", CONFIRMED, order(1, "paid")) == {}
    with second_publisher(broker, app_id="app-id") as other_service:
        result = other_service.trigger(f"{PREFIX}42", REJECTED, order(2, "stock"))
        assert result.ok and result.json() == {}, result
    for device in (web, phone):
        device.inbox.wait(REJECTED)
        assert device.inbox.data() == [order(1, "paid"), order(2, "stock")]


class WrongClock:
    """Stands in for the `time` module that the publisher's library asks: the machine's clock, minutes off."""

    def __init__(self, minutes: float):
        self.offset = minutes * 60

    def time(self) -> float:
        return time.time() + self.offset


def times_in(text: str) -> set[int]:
    """Every moment that a message names, in Unix seconds, however it is written."""
    moments = {int(digits) for digits in re.findall(r"(?<!\d)1\d{9}(?!\d)", text)}
    for stamp in re.findall(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", text):
        moments.add(int(datetime.fromisoformat(stamp).replace(tzinfo=timezone.utc).timestamp()))
    return moments


@pytest.mark.parametrize("minutes", [11, -11])
def test_a_publisher_whose_clock_is_eleven_minutes_off_is_refused_and_told_both_times(broker, devices, monkeypatch, minutes):
    web, phone, _ = devices
    service = publisher(broker)
    with monkeypatch.context() as patch:
        patch.setattr(pusher.http, "time", WrongClock(minutes))
        now = time.time()
        with pytest.raises(pusher.errors.PusherBadAuth) as refusal:
            service.trigger(f"{PREFIX}42", CONFIRMED, order(1, "paid"))
    named = times_in(str(refusal.value))
    assert any(abs(moment - now) <= 5 for moment in named), f"no server time in {refusal.value}"
    assert any(abs(moment - now - minutes * 60) <= 5 for moment in named), f"no given time in {refusal.value}"
    service.trigger(f"{PREFIX}42", LAST, {"orderId": 0})
    for device in (web, phone):
        device.inbox.wait(LAST)
        assert device.inbox.data() == [{"orderId": 0}], "the refused publish was delivered"


def test_a_publisher_whose_clock_is_nine_minutes_off_is_served(broker, devices, monkeypatch):
    monkeypatch.setattr(pusher.http, "time", WrongClock(-9))
    assert publisher(broker).trigger(f"{PREFIX}42", CONFIRMED, order(1, "paid")) == {}
    devices[0].inbox.wait(CONFIRMED)
