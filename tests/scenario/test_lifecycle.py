# SPDX-License-Identifier: Apache-2.0
"""What happens to a network token after it was made: suspended, deleted, renewed, its card replaced. The merchant does nothing and
hears of it; payments go on."""

import pytest

from leaks import MASTERCARD, VISA
from shop import is_pan, told


def test_provisioned(shop, network, receiver):
    token = shop.active()
    event = receiver.wait(token, "ACTIVE")[0]
    assert event.told["id"] and event.told["created_at"] and event.told["merchant"] == "shop"
    assert event.told["data"]["expiration_date"] == "07/2033"
    answer, sent = shop.paid(token)
    assert sent.token is shop.made[token] and told(answer) == ("NETWORK_TOKEN", None)


def test_provisioned_is_told_by_the_network(shop, network, receiver):
    network.provisioning = None
    token = shop.new_card()
    made = shop.enrol(token)
    network.provision(made)
    assert network.notify(shop.veil.keyed, made, "provisioned").status == 200
    receiver.wait(token, "ACTIVE")
    shop.wait_for_state(token, "ACTIVE")


@pytest.mark.parametrize("state, reason", [("SUSPENDED", "suspended"), ("DELETED", "deleted")])
def test_lost(shop, network, receiver, state, reason):
    token = shop.active()
    shop.changed(token, state)
    shop.wait_for_state(token, state)
    receiver.wait(token, state)
    answer, sent = shop.paid(token)
    assert is_pan(sent) and told(answer) == ("CARD_PAN", reason)
    assert not network.asked("credentials")


def test_suspended_and_back(shop, network, receiver):
    token = shop.active()
    shop.changed(token, "SUSPENDED")
    shop.wait_for_state(token, "SUSPENDED")
    shop.changed(token, "ACTIVE")
    shop.wait_for_state(token, "ACTIVE")
    receiver.wait(token, "ACTIVE", 2)
    assert [event.status for event in receiver.of(token, taken=True)] == ["ACTIVE", "SUSPENDED", "ACTIVE"]
    answer, sent = shop.paid(token)
    assert sent.kind == "NETWORK_TOKEN" and shop.is_right(sent)


def test_deleted_may_be_enrolled_anew(shop, network):
    token = shop.active()
    shop.changed(token, "DELETED")
    shop.wait_for_state(token, "DELETED")
    network.by_reference.clear()  # the network knows nothing of it any more
    assert shop.ask_enrol(token)[0] == 200
    shop.wait_for_state(token, "ACTIVE")
    assert len(network.asked("enrol")) == 2


def test_renewed(shop, network, receiver):
    token = shop.active()
    network.renew(shop.made[token])
    assert network.notify(shop.veil.keyed, shop.made[token]).status == 200
    shop.wait_for(token, lambda shown: shown.get("expiration_date") == "07/2036", "renewed")
    event = receiver.wait(token, "ACTIVE", 2)[-1]
    assert event.told["data"]["expiration_date"] == "07/2036"
    _, sent = shop.paid(token)
    assert (sent.month, sent.year) == ("07", "2036") and shop.is_right(sent)
    _, later = shop.paid(token, headers=[("x-cardveil-initiator", "merchant")])
    assert (later.number, later.month, later.year, later.cryptogram) == (sent.number, "07", "2036", None)


@pytest.mark.parametrize("initiator", ["customer", "merchant"])
def test_lapsed_before_its_renewal_was_told(shop, network, receiver, initiator):
    """ACTIVE for us, past its own expiry for everybody: the card number goes out, nobody is asked for a cryptogram, and the payment
    itself is what has the renewal found."""
    network.provisioning = None
    token = shop.new_card()
    made = shop.enrol(token)
    made.month, made.year = "12", "2025"
    network.provision(made)
    assert network.notify(shop.veil.keyed, made, "provisioned").status == 200
    shop.wait_for(token, lambda shown: shown.get("expiration_date") == "12/2025", "ACTIVE with an expiry that is past")
    headers = [("x-cardveil-initiator", initiator)]
    made.year = "2033"
    answer, sent = shop.paid(token, headers=headers)
    assert is_pan(sent) and told(answer) == ("CARD_PAN", "not_provisioned")
    assert not network.asked("credentials")
    assert receiver.wait(token, "ACTIVE", 2)[-1].told["data"]["expiration_date"] == "12/2033"
    answer, sent = shop.paid(token, headers=headers)
    assert told(answer) == ("NETWORK_TOKEN", None) and (sent.number, sent.month, sent.year) == (made.number, "12", "2033")
    assert network.wrong_payments == []


def test_card_replaced(shop, network):
    token = shop.active()
    before = shop.made[token].number
    network.replace_pan(shop.made[token], "4012888888881881")
    assert network.notify(shop.veil.keyed, shop.made[token]).status == 200
    answer, sent = shop.paid(token)
    assert sent.number == before and shop.is_right(sent) and told(answer) == ("NETWORK_TOKEN", None)


def test_notification_that_changes_nothing_tells_nothing(shop, network, receiver):
    token, other = shop.active(), shop.active(MASTERCARD)
    read = len(network.asked("state")) + len(network.asked("instrument"))
    assert network.notify(shop.veil.keyed, shop.made[token]).status == 200
    shop.changed(other, "SUSPENDED")
    receiver.wait(other, "SUSPENDED")
    assert len(network.asked("state")) + len(network.asked("instrument")) >= read + 2  # the state was read back for both
    assert [event.status for event in receiver.of(token)] == ["ACTIVE"]


def test_a_payment_learns_that_the_token_is_gone(shop, network):
    """No notification came: the network says so when it is asked for a cryptogram. The payment goes out with the PAN."""
    token = shop.active()
    network.provision(shop.made[token], "SUSPENDED")
    answer, sent = shop.paid(token)
    assert is_pan(sent) and told(answer)[0] == "CARD_PAN" and told(answer)[1] in ("suspended", "cryptogram_failed")
    shop.wait_for_state(token, "SUSPENDED")


def test_pan_may_be_removed(shop, network):
    """The network token carries on alone; what would need the PAN is refused."""
    token = shop.active()
    status, shown = shop.ask("PATCH", f"/v1/tokens/{token}", {"removePlain": True})
    assert status == 200, shown
    answer, sent = shop.paid(token)
    assert sent.kind == "NETWORK_TOKEN" and shop.is_right(sent)
    answer, sent = shop.paid(token, "none")  # volume: 0%; a rollout does not leave out what has nothing else
    assert sent.kind == "NETWORK_TOKEN" and shop.is_right(sent)
    answer = shop.pay(token, "tried", [("x-cardveil-card-token-type", "CARD_PAN")])
    assert answer.status == 422 and b"TOKEN_NO_PAN" in answer.body, answer
    network.no_cryptogram.add(VISA)
    assert shop.pay(token).status == 422
    assert len(shop.processor.requests) == 2
