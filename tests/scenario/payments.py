# SPDX-License-Identifier: Apache-2.0
"""The payments that the scenarios make."""

import base64
from urllib.parse import urlencode

REDE = "/rede/erede/v1/transactions"
CREDIBANCO = "/credibanco/payment/rest"
BASIC = ("Authorization", "Basic " + base64.b64encode(b"10000167:token").decode())
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
TEXT = ("Content-Type", "text/plain; charset=utf-8")

HOLDER = "ANA SOUZA"
EXPIRY = "12/2031"


def card(number, expiry=EXPIRY, holder=HOLDER):
    return {"number": number, "expiration_date": expiry, "holder": holder}


def rede(number, month, year, holder=HOLDER, amount=2099, reference="ped-0001"):
    """Odd spelling on purpose: whatever stands outside the slots must come through byte for byte."""
    return (f'{{"capture":true, "kind":"credit","reference":"{reference}","amount":{amount},\n\t"installments":1 ,'
            f'"cardHolderName":"{holder}","cardNumber":"{number}","expirationMonth":"{month}","expirationYear" : "{year}",'
            f'"storageCard":"0","softDescriptor":"LOJA\\u0020A"}}').encode()


def rede_template(token, **more):
    slot = f"{{{{ {token} : detokenize }}}}"
    return rede(slot, slot, slot, holder=slot, **more)


def rede_plain(number, **more):
    return rede(number, "12", "2031", **more)


def credibanco(order, number, month, year, holder):
    return urlencode({"userName": "demo-api", "password": "x y&z", "MDORDER": order, "$PAN": number, "YYYY": year, "MM": month,
                      "TEXT": holder, "language": "es"}).encode()


def credibanco_template(order, token):
    slot = f"{{{{ {token} : detokenize }}}}"
    return credibanco(order, slot, slot, slot, slot)


def credibanco_plain(order, number):
    return credibanco(order, number, "12", "2031", HOLDER)
