"""Lets some of the generated wishes come true: a known book, and an end that is still to come.

No contract can say what the shelves have and what time it is, so that without this every wish would
be refused, and no answer about a request that is there would ever be looked at.
"""

import os
from datetime import datetime, timedelta, timezone
from zlib import crc32

import schemathesis

BOOK = os.environ["BOOK"]
ENOUGH = 100_000
SOON = timedelta(seconds=20)
DESTINATION = {"country": "US", "postal_code": "10001"}


def luck(body):
    return crc32(repr(sorted(body.items())).encode()) % 4


@schemathesis.hook
def before_call(context, case, **kwargs):
    body = case.body
    if not case.meta or case.meta.generation.mode.is_negative or not isinstance(body, dict):
        return
    if case.operation.label == "POST /v1/purchase-requests" and luck(body) < 2:
        end = (datetime.now(timezone.utc) + SOON).strftime("%Y-%m-%dT%H:%M:%SZ")
        total = {**body["max_total"], "currency": "USD"}
        if luck(body) == 0:
            total["amount"] = ENOUGH
        item = {"scheme": "isbn", "value": BOOK}
        known = {"item": item, "max_total": total, "expires_at": end, "destination": DESTINATION}
        case.body = {**body, **known, "payment_token": "tok_ok"}
    if case.operation.label == "POST /purchase-request" and luck(body) < 2:
        customer = {"shipping_address": DESTINATION, "credit_card_info": "tok_ok"}
        case.body = {**body, "book_name": BOOK, "max_price": 25.5, "customer_info": customer}
