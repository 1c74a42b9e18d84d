# SPDX-License-Identifier: Apache-2.0
"""Each shipped rules file, as 'cardveil explain' shows what would go out: a customer's payment and a merchant's, with the card and
with a network token. What is expected is written from the processors' documents, whole bodies byte for byte."""

import shutil
import subprocess

import pytest

from cardveil import ROOT, SANITIZERS, binary

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
CARD, TOKEN = "411111******1111", "489537******0000"
CRYPTOGRAM, REQUESTOR, TRANSACTION = "*" * 28, "*" * 11, "*" * 15
SLOT = "{{ TOKEN1 : detokenize }}"
CVC_SLOT = "{{ TEMPORAL1 : transaction | extract:cvv }}"

ROUTES = {"adyen": "upstream: https://checkout-test.adyen.com", "braintree": "upstream: https://payments.example.com", "checkout": "",
          "cielo": "", "credibanco": "", "rede": "", "stripe": "",
          "cybersource": "sign: { key_id: key, merchant_id: demo, secret: file:shared }"}


@pytest.fixture(scope="module", name="folder")
def folder_fixture(tmp_path_factory):
    """The rules beside a configuration with a route for each of them."""
    folder = tmp_path_factory.mktemp("rules")
    shutil.copytree(ROOT / "rules", folder / "rules")
    (folder / "shared").write_text("c2hhcmVkLXNlY3JldA==\n")
    routes = "".join(f"  - {{ name: {name}, rules: {name}, prefix: /{name}, {more} }}\n" for name, more in ROUTES.items())
    (folder / "cardveil.yaml").write_text("listen: [ at: 127.0.0.1:1 ]\nroutes:\n" + routes.replace(",  }", " }"))
    return folder


def explain(folder, route, path, kind, body, credential, fields=()):
    """What would go out: the body, and what is said about it."""
    head = "".join(f"{name}: {value}\r\n" for name, value in [("content-type", kind), *fields])
    done = subprocess.run([binary(), "explain", "--route", route, "--credential", credential], cwd=folder, env=SANITIZERS, check=False,
                          input=f"POST {path} HTTP/1.1\r\n{head}\r\n{body}".encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done
    text = done.stdout.decode()
    shown, slots = text.rsplit("\n\n# ", 1)
    assert slots.split("\n")[0].endswith("in the body"), text
    return shown.split("\r\n\r\n", 1)[1], slots


# Each row: route, path, content type, the caller's body, the initiator's field of a customer and of a merchant, and what goes out
# with the card, with the card for a merchant, with a token, with a token for a merchant. In all of them <WHO> is the initiator's field.
REDE = '{"capture":true,"kind":"credit","amount":2099,"cardHolderName":"<NAME>","cardNumber":"<NUM>","expirationMonth":"<MM>",' \
       '"expirationYear":"<YYYY>"<CVC>,"storageCard":"2","transactionCredentials":{"credentialId":"<WHO>"}<ADD>}'
CYBERSOURCE = '{"clientReferenceInformation":{"code":"ord-1"},"processingInformation":{"commerceIndicator":"internet","authorizationOptions":' \
              '{"initiator":{"type":"<WHO>","credentialStoredOnFile":true<MIT>}}<SOLUTION>},"paymentInformation":{<PAY>}}'
CYBERSOURCE_CARD = '"card":{"number":"<NUM>","expirationMonth":"<MM>","expirationYear":"<YYYY>","securityCode":"<CVC>","type":"001"}'
CYBERSOURCE_MIT = f',"merchantInitiatedTransaction":{{"previousTransactionId":"{TRANSACTION}"}}'
ADYEN = '{"amount":{"value":2099,"currency":"BRL"},"shopperInteraction":"<WHO>","paymentMethod":{"type":"<TYPE>","number":"<NUM>",' \
        '"expiryMonth":"<MM>","expiryYear":"<YYYY>"<CVC>,"holderName":"<NAME>"<BRAND>}<MPI>}'
CHECKOUT = '{"source":{"type":"<TYPE>"<NUM>,"expiry_month":<MM>,"expiry_year":<YYYY>,"name":"<NAME>"<TOKEN>},"amount":2099,"merchant_initiated":<WHO><MIT>}'
CIELO = '{"MerchantOrderId":"ped-6","Payment":{"Type":"CreditCard","Amount":2099,"CreditCard":{"CardNumber":"<NUM>","Holder":"<NAME>",' \
        '"ExpirationDate":"<DATE>"<CVC>,"Brand":"Visa"<TOKEN>},"InitiatedTransactionIndicator":{"Category":"<WHO>"}<MIT>}}'
BRAINTREE = '{"transaction":{"type":"sale","amount":"20.99","transaction_source":"<WHO>","credit_card":{"number":"<NUM>",' \
            '"expiration_date":"<DATE>"<CVC><TOKEN>}<MIT>}}'
STRIPE = "amount=2000&off_session=<WHO>&payment_method_data[type]=card<NUM>&payment_method_data[card][exp_month]=<MM>" \
         "&payment_method_data[card][exp_year]=<YYYY><CVC>"
STRIPE_NUMBER, STRIPE_CVC = "&payment_method_data[card][number]=", "&payment_method_data[card][cvc]="
STRIPE_MIT = "&payment_method_options%5Bcard%5D%5Bmit_exemption%5D%5Bnetwork_transaction_id%5D=" + TRANSACTION
STRIPE_TOKEN = "&payment_method_data%5Bcard%5D%5Blast4%5D=1111" \
               f"&payment_method_data%5Bcard%5D%5Bnetwork_token%5D%5Bnumber%5D={TOKEN}" \
               "&payment_method_data%5Bcard%5D%5Bnetwork_token%5D%5Bexp_month%5D=12" \
               "&payment_method_data%5Bcard%5D%5Bnetwork_token%5D%5Bexp_year%5D=2030"
STRIPE_CRYPTOGRAM = f"&payment_method_options%5Bcard%5D%5Bnetwork_token%5D%5Bcryptogram%5D={CRYPTOGRAM}" \
                    "&payment_method_options%5Bcard%5D%5Bnetwork_token%5D%5Belectronic_commerce_indicator%5D=05"


def fill(template, **values):
    for name, value in {"NAME": "CARD HOLDER", "MM": "12", "YYYY": "2030", "DATE": "12/2030", "CVC": "", "ADD": "", "MIT": "", "MPI": "",
                        "TOKEN": "", "BRAND": "", "SOLUTION": "", **values}.items():
        template = template.replace(f"<{name}>", value)
    return template


def sent(template, **values):
    """The caller's body: a placeholder wherever card data stands."""
    return fill(template, **{name: SLOT for name in ("NAME", "MM", "YYYY", "DATE")}, **values)


def rede_row():
    cvc = ',"securityCode":"{}"'.format
    token = f',"tokenCryptogram":"{CRYPTOGRAM}","securityAuthentication":{{"sai":"05"}}'
    mit = f',"brandTid":"{TRANSACTION}"'
    return ("rede", "/erede/v1/transactions", JSON, sent(REDE, NUM=SLOT, CVC=cvc(CVC_SLOT)), "01", "07",
            fill(REDE, NUM=CARD, CVC=cvc("***")), fill(REDE, NUM=CARD, CVC=cvc("***"), ADD=mit),
            fill(REDE, NUM=TOKEN, ADD=token), fill(REDE, NUM=TOKEN, ADD=mit))


def cybersource_row():
    def body(**values):
        return fill(CYBERSOURCE, **values)

    def token(cryptogram):
        return f'"tokenizedCard":{{"number":"{TOKEN}","expirationMonth":"12","expirationYear":"2030",{cryptogram}' \
               f'"requestorId":"{REQUESTOR}","transactionType":"3","type":"001"}}'
    card = CYBERSOURCE_CARD.replace("<NUM>", CARD).replace("<CVC>", "***")
    theirs = CYBERSOURCE_CARD.replace("<NUM>", SLOT).replace("<CVC>", CVC_SLOT).replace("<MM>", SLOT).replace("<YYYY>", SLOT)
    solution = ',"paymentSolution":"015"'
    return ("cybersource", "/pts/v2/payments", JSON, body(PAY=theirs), "customer", "merchant",
            fill(body(PAY=card)), fill(body(PAY=card, MIT=CYBERSOURCE_MIT)),
            body(PAY=token(f'"cryptogram":"{CRYPTOGRAM}",'), SOLUTION=solution),
            body(PAY=token(""), SOLUTION=solution, MIT=CYBERSOURCE_MIT))


def adyen_row():
    cvc = ',"cvc":"{}"'.format
    mpi = f',"mpiData":{{"directoryResponse":"Y","authenticationResponse":"Y","tokenAuthenticationVerificationValue":"{CRYPTOGRAM}","eci":"05"}}'
    mit = f',"networkPaymentReference":"{TRANSACTION}"'
    return ("adyen", "/v72/payments", JSON, sent(ADYEN, TYPE="scheme", NUM=SLOT, CVC=cvc(CVC_SLOT)), "Ecommerce", "ContAuth",
            fill(ADYEN, TYPE="scheme", NUM=CARD, CVC=cvc("***")), fill(ADYEN, TYPE="scheme", NUM=CARD, CVC=cvc("***"), BRAND=mit),
            fill(ADYEN, TYPE="networkToken", NUM=TOKEN, BRAND=',"brand":"visa"', MPI=mpi),
            fill(ADYEN, TYPE="networkToken", NUM=TOKEN, BRAND=',"brand":"visa"' + mit))


def checkout_row():
    number, token = ',"number":"{}"'.format, f',"token":"{TOKEN}","token_type":"vts"'
    mit, quoted = f',"previous_payment_id":"{TRANSACTION}"', f'"{SLOT}"'
    theirs = fill(CHECKOUT, TYPE="card", NUM=number(SLOT), MM=quoted, YYYY=quoted, NAME=SLOT)
    return ("checkout", "/payments", JSON, theirs, "false", "true",
            fill(CHECKOUT, TYPE="card", NUM=number(CARD)), fill(CHECKOUT, TYPE="card", NUM=number(CARD), MIT=mit),
            fill(CHECKOUT, TYPE="network_token", NUM="", TOKEN=token + f',"cryptogram":"{CRYPTOGRAM}","eci":"05"'),
            fill(CHECKOUT, TYPE="network_token", NUM="", TOKEN=token, MIT=mit))


def cielo_row():
    cvc, mit = ',"SecurityCode":"{}"'.format, f',"IssuerTransactionId":"{TRANSACTION}"'
    return ("cielo", "/1/sales", JSON, sent(CIELO, NUM=SLOT, CVC=cvc(CVC_SLOT)), "C1", "M1",
            fill(CIELO, NUM=CARD, CVC=cvc("***")), fill(CIELO, NUM=CARD, CVC=cvc("***"), MIT=mit),
            fill(CIELO, NUM=TOKEN, TOKEN=f',"Cryptogram":"{CRYPTOGRAM}"'), fill(CIELO, NUM=TOKEN, MIT=mit))


def braintree_row():
    """A cryptogram goes with a merchant's payment too: the documents list it as always required."""
    cvc, mit = ',"cvv":"{}"'.format, f',"external_vault":{{"previous_network_transaction_id":"{TRANSACTION}"}}'
    token = f',"network_tokenization_attributes":{{"cryptogram":"{CRYPTOGRAM}","ecommerce_indicator":"05","token_requestor_id":"{REQUESTOR}"}}'
    return ("braintree", "/transactions", JSON, sent(BRAINTREE, NUM=SLOT, CVC=cvc(CVC_SLOT)), "", "recurring",
            fill(BRAINTREE, NUM=CARD, CVC=cvc("***")), fill(BRAINTREE, NUM=CARD, CVC=cvc("***"), MIT=mit),
            fill(BRAINTREE, NUM=TOKEN, TOKEN=token), fill(BRAINTREE, NUM=TOKEN, TOKEN=token, MIT=mit))


def stripe_row():
    with_card = {"NUM": STRIPE_NUMBER + CARD, "CVC": STRIPE_CVC + "***"}
    return ("stripe", "/v1/payment_intents", FORM, sent(STRIPE, NUM=STRIPE_NUMBER + SLOT, CVC=STRIPE_CVC + CVC_SLOT), "false", "true",
            fill(STRIPE, **with_card), fill(STRIPE, **with_card) + STRIPE_MIT,
            fill(STRIPE, NUM="") + STRIPE_TOKEN + STRIPE_CRYPTOGRAM, fill(STRIPE, NUM="") + STRIPE_TOKEN + STRIPE_MIT)


ROWS = [rede_row(), cybersource_row(), adyen_row(), checkout_row(), cielo_row(), braintree_row(), stripe_row()]


@pytest.mark.parametrize("credential", ["CARD_PAN", "NETWORK_TOKEN"])
@pytest.mark.parametrize("who", ["customer", "merchant"])
@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_goes_out(folder, row, who, credential):
    route, path, kind, body, customer, merchant, card, card_mit, token, token_mit = row
    field = customer if who == "customer" else merchant
    want = {("customer", "CARD_PAN"): card, ("merchant", "CARD_PAN"): card_mit, ("customer", "NETWORK_TOKEN"): token,
            ("merchant", "NETWORK_TOKEN"): token_mit}[who, credential]
    got, slots = explain(folder, route, path, kind, body.replace("<WHO>", field), credential)
    assert got == want.replace("<WHO>", field)
    assert ("only with a network token" in slots) == (credential == "NETWORK_TOKEN")
    assert ("network_transaction_id.set" in slots) == (who == "merchant")


def test_the_caller_s_header_says_who_initiated(folder):
    route, path, kind, body, customer, merchant, card, card_mit, *_ = ROWS[0]
    for said, field, want in [("merchant", customer, card_mit), ("customer", merchant, card)]:
        got, _ = explain(folder, route, path, kind, body.replace("<WHO>", field), "CARD_PAN", [("x-cardveil-initiator", said)])
        assert got == want.replace("<WHO>", field)


def test_a_transaction_id_of_the_caller_s_own_stays(folder):
    body = '{"cardNumber":"%s","transactionCredentials":{"credentialId":"07"},"brandTid":"theirs"}' % SLOT
    got, _ = explain(folder, "rede", "/erede/v1/transactions", JSON, body, "CARD_PAN")
    assert got == body.replace(SLOT, CARD)


@pytest.mark.parametrize("credential", ["CARD_PAN", "NETWORK_TOKEN"])
def test_what_the_caller_wrote_stays_masked(folder, credential):
    """'explain' shows what the rules set under a name like 'token'; not what stands there without them."""
    body = '{"source":{"type":"token","token":"tok_4gzeau5o2uqubbk6","cvv":"123"},"tokens":"hidden"}'
    text = subprocess.run([binary(), "explain", "--route", "checkout", "--credential", credential], cwd=folder, env=SANITIZERS, check=True,
                          input=f"POST /payments HTTP/1.1\r\ncontent-type: {JSON}\r\n\r\n{body}".encode(), capture_output=True).stdout
    assert b'{"source":{"type":"token","token":"***","cvv":"***"},"tokens":"***"}' in text


def test_credibanco_takes_cards_only(folder):
    body = f"userName=demo&MDORDER=7&%24PAN={SLOT}&%24CVC={CVC_SLOT}&YYYY={SLOT}&MM={SLOT}&TEXT={SLOT}"
    got, slots = explain(folder, "credibanco", "/payment/rest/paymentorder.do", FORM, body, "CARD_PAN")
    assert got == f"userName=demo&MDORDER=7&%24PAN={CARD}&%24CVC=***&YYYY=2030&MM=12&TEXT=CARD+HOLDER"
    assert "network" not in slots
    assert "# network_token:\n" in (ROOT / "rules" / "credibanco.yaml").read_text()


def test_every_shipped_file_is_tested_and_installed():
    shipped = {path.stem for path in (ROOT / "rules").glob("*.yaml")}
    inbound = {"booking-webhook", "ota-reservation"}  # test_inbound_formats.py
    assert shipped == {*ROUTES, *inbound, "passthrough"}
    listed = (ROOT / "rules" / "meson.build").read_text()
    assert all(f"'{name}.yaml'" in listed for name in shipped)


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_each_head_says_what_is_verified(name):
    head = (ROOT / "rules" / f"{name}.yaml").read_text().split("processor:")[0]
    assert "Where these names come from" in head and ("not verified" in head or "not public" in head)
