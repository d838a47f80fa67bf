"""Story 5. A marketplace with roles: admins and sellers on private channels, and statistics that only the right ones may see.

`private-role-admin` and `private-role-seller` belong to a role, `private-seller-<id>` to one seller (and to every admin, who may
look over a seller's shoulder). The statistics service publishes each figure to exactly the channels it is meant for.
"""

import pytest

from auth_endpoint import AuthEndpoint
from clients import AsyncPusherClient, PysherClient, SockudoClient, publisher
from harness import channel_auth

ADMIN, SELLER, STATISTICS, LAST = "private-role-admin", "private-role-seller", "stats:updated", "stats:last"


def own(seller: int) -> str:
    return f"private-seller-{seller}"


@pytest.fixture(scope="module")
def endpoint(broker):
    """The marketplace: people are `admin/1`, `seller/17`."""

    def decide(who: str, channel: str) -> dict | None:
        role, _, number = who.partition("/")
        mine = {"admin": channel == ADMIN or channel.startswith("private-seller-"),
                "seller": channel in (SELLER, f"private-seller-{number}")}
        return {} if mine.get(role) else None

    with AuthEndpoint(publisher(broker), decide) as running:
        yield running


@pytest.fixture
def people(broker, endpoint):
    """An admin, seller 17 at the fixture and on the phone, and seller 18: four clients by three libraries."""
    with SockudoClient(broker, who="admin/1", endpoint=endpoint) as admin, \
            AsyncPusherClient(broker, who="seller/17", endpoint=endpoint) as fixture, \
            PysherClient(broker, who="seller/17", endpoint=endpoint) as phone, \
            AsyncPusherClient(broker, who="seller/18", endpoint=endpoint) as other:
        wanted = {admin: (ADMIN, own(17)), fixture: (SELLER, own(17)), phone: (SELLER, own(17)), other: (SELLER, own(18))}
        for person, channels in wanted.items():
            for channel in channels:
                person.subscribe(channel, STATISTICS, LAST)
        yield admin, fixture, phone, other


def publish_last(broker) -> None:
    """One closing event for every role, so that each client can tell when nothing more will come."""
    publisher(broker).trigger([ADMIN, SELLER], LAST, {})


def figures(person) -> list[str]:
    person.inbox.wait(LAST)
    return [data["figure"] for data in person.inbox.data(STATISTICS)]


def test_statistics_reach_only_the_role_and_the_seller_they_are_meant_for(broker, people):
    admin, fixture, phone, other = people
    service = publisher(broker)
    service.trigger(ADMIN, STATISTICS, {"figure": "revenue of the house"})
    service.trigger(SELLER, STATISTICS, {"figure": "sellers online"})
    service.trigger(own(17), STATISTICS, {"figure": "revenue of 17"})
    service.trigger(own(18), STATISTICS, {"figure": "revenue of 18"})
    service.trigger([ADMIN, own(18)], STATISTICS, {"figure": "returns of 18"})
    service.trigger_batch([{"channel": channel, "name": STATISTICS, "data": {"figure": figure}} for channel, figure in (
        (own(17), "stock of 17"), (own(18), "stock of 18"), (ADMIN, "stock of the house"))])
    publish_last(broker)
    assert figures(admin) == ["revenue of the house", "revenue of 17", "returns of 18", "stock of 17", "stock of the house"]
    assert figures(fixture) == figures(phone) == ["sellers online", "revenue of 17", "stock of 17"]
    assert figures(other) == ["sellers online", "revenue of 18", "returns of 18", "stock of 18"]


def test_a_seller_gets_neither_the_admins_channel_nor_another_sellers_from_the_endpoint(broker, endpoint):
    with SockudoClient(broker, who="seller/18", endpoint=endpoint) as curious:
        for channel in (ADMIN, own(17)):
            curious.begin_subscribe(channel, STATISTICS)
            assert curious.inbox.wait("pusher:subscription_error", channel).data["type"] == "AuthError"
            assert ("seller/18", channel) in endpoint.refused
        curious.subscribe(own(18))


def test_a_sellers_signature_opens_no_other_door_and_what_follows_is_not_leaked(broker, people):
    with broker.client() as curious:
        stolen = channel_auth(people[1].socket_id, own(17))
        for channel, auth in ((ADMIN, channel_auth(curious.socket_id, SELLER)), (own(17), stolen),
                              (own(17), channel_auth(curious.socket_id, own(1)) + "7")):
            curious.send("pusher:subscribe", {"channel": channel, "auth": auth})
            assert curious.expect("pusher:subscription_error", channel)["data"]["status"] == 401
            curious.expect("pusher:error")
        publisher(broker).trigger([ADMIN, own(17)], STATISTICS, {"figure": "secret"})
        publish_last(broker)
        assert figures(people[1]) == ["secret"]
        curious.nothing_until_pong()


def test_a_seller_who_lost_the_role_hears_nothing_more_while_the_others_go_on(broker, people):
    admin, fixture, phone, other = people
    fixture.unsubscribe(own(17))
    fixture.subscribe("public-door")  # answered after the unsubscribe was carried out, in order
    publisher(broker).trigger(own(17), STATISTICS, {"figure": "after"})
    publish_last(broker)
    assert figures(phone) == ["after"] and figures(fixture) == [] and figures(admin) == ["after"] and figures(other) == []
