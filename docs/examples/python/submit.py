#!/usr/bin/env python3
"""Buys a book from your own NATS client: submit.py ISBN MAX_TOTAL_IN_CENTS

Exit codes: 0 ordered, 7 ended without an order, 1 anything else (as the command line does).
NATS_URL, NATS_USER, NATS_PASSWORD and BROKER_CUSTOMER say where and as whom.
"""

import asyncio
import json
import os
import secrets
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import nats
from nats.aio.client import Client
from nats.errors import NoRespondersError, TimeoutError as NatsTimeout
from nats.js.client import JetStreamContext

CUSTOMER = os.environ.get("BROKER_CUSTOMER", "alice")
OPEN_FOR = timedelta(seconds=60)
PATIENCE_S = 30  # after the deadline: an order that was sent in time may be confirmed later
CLOSED = {"ordered", "expired", "failed", "canceled"}
RESTING = CLOSED | {"quoted", "out_of_stock"}  # with mode `watch` the search goes on after these

Json = dict[str, Any]


def uuid7() -> str:
    """The request's id and idempotency key. Make it once, before the first attempt to send."""
    raw = bytearray(int(time.time() * 1000).to_bytes(6, "big") + secrets.token_bytes(10))
    raw[6], raw[8] = raw[6] & 0x0F | 0x70, raw[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def wish(isbn: str, cents: int, **more: Any) -> Json:
    return {
        "request_id": uuid7(),
        "item": {"scheme": "isbn", "value": isbn},
        "max_total": {"amount": cents, "currency": "USD"},  # delivered: everything included
        "expires_at": (datetime.now(timezone.utc) + OPEN_FOR).isoformat(),
        "destination": {"country": "US", "postal_code": "94107"},
        "payment_token": "tok_visa",  # from the payment provider; never a card number
        **more,
    }


async def ask(nc: Client, operation: str, body: Json) -> Json:
    """Silence does not tell whether it was done, and the same bytes are done only once: repeat."""
    subject, data = f"purchase.api.{operation}.{CUSTOMER}", json.dumps(body).encode()
    for pause_s in (0.5, 1.0, 2.0, 4.0, 8.0):
        try:
            reply: Json = json.loads((await nc.request(subject, data, timeout=5)).data)
        except (NatsTimeout, NoRespondersError):
            await asyncio.sleep(pause_s)
            continue
        if reply["result"] == "accepted" or not reply["retryable"]:
            return reply
        await asyncio.sleep(reply.get("retry_after_ms", pause_s * 1000) / 1000)
    sys.exit(f"{operation} of {body['request_id']}: no answer; send the same bytes again later")


async def outcome(
    mail: JetStreamContext.PullSubscription, request_id: str, endings: set[str]
) -> Json:
    """What the customer is told. Copies are possible: `notification_id` recognises them."""
    give_up = time.monotonic() + OPEN_FOR.total_seconds() + PATIENCE_S
    while time.monotonic() < give_up:
        try:
            [message] = await mail.fetch(1, timeout=5)
        except NatsTimeout:
            continue  # also after a reconnect: the consumer remembers what we have not seen
        told: Json = json.loads(message.data)
        await message.ack()  # a real program stores it first
        if told["request_id"] == request_id and told["outcome"] in endings:
            return told
    sys.exit(f"{request_id}: no outcome yet; it will be told, ask for it with `get`")


def money(total: Json) -> str:
    return f"{total['amount'] // 100}.{total['amount'] % 100:02} {total['currency']}"


def show(told: Json) -> None:
    request, receipt = told["request"], told.get("receipt") or {}
    best = (request.get("checkout") or {}).get("quote") or request.get("best_quote")
    price = f" {money(best['total'])} at {best['partner_id']}" if best else ""
    print(f"{told['outcome']} {told['request_id']}{price}")
    for beaten in receipt.get("beaten", [])[:3]:
        print(f"  beaten: {money(beaten['total'])} at {beaten['partner_id']}")
    for turn in (receipt.get("search") or {}).get("rounds", []):
        asked = (f"{a['partner_id']} {a['outcome']} {a['took_ms']} ms" for a in turn["asked"])
        print(f"  asked after {turn['after_ms']} ms, {turn['why']}: {', '.join(asked)}")


async def complain(error: Exception) -> None:
    print(f"nats: {error!r}", file=sys.stderr)


async def main(isbn: str, cents: int) -> int:
    connecting = nats.connect(
        os.environ.get("NATS_URL", "nats://127.0.0.1:4222"),
        user=os.environ.get("NATS_USER"),
        password=os.environ.get("NATS_PASSWORD"),
        inbox_prefix=f"_INBOX.{CUSTOMER}".encode(),  # nobody else may read our answers
        error_cb=complain,
    )
    try:
        nc = await asyncio.wait_for(connecting, timeout=10)
    except asyncio.TimeoutError:
        sys.exit("cannot connect")
    # Before the first request. Durable: what is told while we are away waits for us.
    mail = await nc.jetstream().pull_subscribe(
        f"notify.{CUSTOMER}.*", durable=f"customer_{CUSTOMER}", stream="NOTIFICATIONS"
    )
    order = wish(isbn, cents)
    for word in ("accepted", "repeated"):  # the second time as after a lost answer
        reply = await ask(nc, "create", order)
        if reply["result"] == "rejected":
            sys.exit(f"refused {reply['code']} ({reply['number']}): {reply['detail']}")
        print(f"{word} {order['request_id']} replayed={json.dumps(reply['replayed'])}")
    told = await outcome(mail, order["request_id"], RESTING)
    show(told)

    # One that stays open, as nobody sells at that price, until we change our mind.
    other = wish(isbn, 1, mode="watch")
    await ask(nc, "create", other)
    cancel = {"request_id": other["request_id"], "command_id": "cancel-1", "reason": "found one"}
    await ask(nc, "cancel", cancel)
    show(await outcome(mail, other["request_id"], CLOSED))

    no = await ask(nc, "create", wish("978-0-306-40615-8", cents))  # a digit is wrong
    print(f"refused {no['code']} ({no['number']}) in {no['field']}: {no['detail']}")
    await nc.drain()
    return 0 if told["outcome"] == "ordered" else 7


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(sys.argv[1], int(sys.argv[2]))))
