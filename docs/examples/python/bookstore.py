#!/usr/bin/env python3
"""A bookstore that sells through the broker: bookstore.py STORE_ID DATABASE [ISBN=COPIES@CENTS ...]

NATS_URL, NATS_USER and NATS_PASSWORD say where and as whom. The broker's partner directory says
what may be assumed of this store:

    [[partner]]
    id = "STORE_ID"
    reservation = true          # reserve and release hold stock
    cancel = true               # an order can be canceled
    lookup = "read_your_writes" # what was ordered is found at once
    key_first = true            # a repeated key gets the first answer, whatever else changed
    fences_cancel = true        # an unknown key that is canceled can never become an order
    honours_not_after = true    # nothing is done after its `not_after`
    currencies = ["USD"]

Everything that counts is in one SQLite file: each command is one transaction, committed before it
is answered, and answered before it is acknowledged. A store that is killed at any point gets the
command again and gives the same answer.
"""

import asyncio
import hashlib
import json
import os
import sys

import nats
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from shelf import Store


async def complain(error: Exception) -> None:
    print(f"nats: {error!r}", file=sys.stderr, flush=True)


async def main(store_id: str, file: str, shelf: list[str]) -> None:
    store = Store(file)
    for line in shelf:
        isbn, _, stock = line.partition("=")
        copies, _, cents = stock.partition("@")
        store.stock(isbn, int(copies), int(cents))
    nc = await nats.connect(
        os.environ.get("NATS_URL", "nats://127.0.0.1:4222"),
        user=os.environ.get("NATS_USER"),
        password=os.environ.get("NATS_PASSWORD"),
        inbox_prefix=f"_INBOX.{store_id}".encode(),
        max_reconnect_attempts=-1,  # the shop stays open, whatever the line does
        error_cb=complain,
    )
    js = nc.jetstream()

    async def answer_quotes(message: Msg) -> None:
        """Questions are soft: asked and answered on core NATS, and lost without harm."""
        asked = json.loads(message.data)
        items = [{"call_id": q["call_id"], **store.quote(q)} for q in asked["items"]]
        await nc.publish(asked["reply_to"], json.dumps({"items": items}).encode())

    await nc.subscribe(f"partner.{store_id}.quote", cb=answer_quotes)
    durable = f"partner_{store_id}"
    try:  # on a guarded server it was made by `broker streams provision`
        await js.consumer_info("PARTNER_COMMANDS", durable)
    except NotFoundError:
        subjects = [f"partner.{store_id}.{operation}" for operation in store.handlers]
        config = ConsumerConfig(durable_name=durable, filter_subjects=subjects,
                                ack_policy=AckPolicy.EXPLICIT, ack_wait=30)
        await js.add_consumer("PARTNER_COMMANDS", config)
    commands = await js.pull_subscribe_bind(consumer=durable, stream="PARTNER_COMMANDS")
    print(f"{store_id} is open", flush=True)
    while True:
        try:
            messages = await commands.fetch(10, timeout=5)
        except NatsTimeout:
            continue
        for message in messages:
            command = json.loads(message.data)
            answer = store.handle(message.subject.rpartition(".")[2], command)
            header = {name: command[name] for name in ("request_id", "attempt")}
            body = json.dumps({"in_reply_to": command["id"], **header, **answer}).encode()
            # The same answer twice is one message; another answer to the same copy is another.
            name = f"{store_id}:{command['id']}:{hashlib.sha256(body).hexdigest()[:16]}"
            await js.publish(command["reply_to"], body, headers={"Nats-Msg-Id": name})
            await message.ack()
            print(f"{message.subject} {command['id']}: {answer['outcome']}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
    except KeyboardInterrupt:
        pass
