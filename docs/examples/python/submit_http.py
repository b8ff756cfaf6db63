#!/usr/bin/env python3
"""Buys a book over HTTP, with nothing but the standard library: submit_http.py ISBN MAX_TOTAL_IN_CENTS

Exit codes: 0 ordered, 7 ended without an order, 1 anything else (as the command line does).
GATEWAY_URL and BROKER_TOKEN say where and as whom; `broker token` makes tokens.
"""

import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone
from http.client import HTTPException
from typing import Any

GATEWAY = os.environ.get("GATEWAY_URL", "http://127.0.0.1:8090")
TOKEN = os.environ.get("BROKER_TOKEN", "")
REQUESTS = "/v1/purchase-requests"
OPEN_FOR = timedelta(seconds=60)
PATIENCE_S = 30  # after the deadline: an order that was sent in time may be confirmed later
QUIET_S = 40  # of a connection with events; a comment comes every 15 s
CLOSED = {"ordered", "expired", "failed", "canceled"}
RESTING = CLOSED | {"quoted", "out_of_stock"}  # with mode `watch` the search goes on after these

Json = dict[str, Any]


class Refused(Exception):
    def __init__(self, problem: Json) -> None:
        self.problem = problem
        super().__init__(f"refused {problem['code']} ({problem.get('number')}): {problem['detail']}")


def uuid7() -> str:
    """The idempotency key, and the request's id. Make it once, before the first attempt to send."""
    raw = bytearray(int(time.time() * 1000).to_bytes(6, "big") + secrets.token_bytes(10))
    raw[6], raw[8] = raw[6] & 0x0F | 0x70, raw[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def wish(isbn: str, cents: int, **more: Any) -> Json:
    return {
        "item": {"scheme": "isbn", "value": isbn},
        "max_total": {"amount": cents, "currency": "USD"},  # delivered: everything included
        "expires_at": (datetime.now(timezone.utc) + OPEN_FOR).isoformat(),
        "destination": {"country": "US", "postal_code": "94107"},
        "payment_token": "tok_visa",  # from the payment provider; never a card number
        **more,
    }


def opened(method: str, path: str, body: Json | None, timeout_s: float, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(GATEWAY + path, data, method=method)
    call.add_header("Authorization", f"Bearer {TOKEN}")
    if data is not None:
        call.add_header("Content-Type", "application/json")
    for name, value in headers.items():
        call.add_header(name.replace("_", "-"), value)
    return urllib.request.urlopen(call, timeout=timeout_s)


def ask(method: str, path: str, body: Json | None = None, **headers: str) -> tuple[Json, bool]:
    """The answer, and whether it is one of before. Silence does not tell whether it was done, and
    with the same key it is done only once: repeat."""
    for pause_s in (0.5, 1.0, 2.0, 4.0, 8.0):
        try:
            with opened(method, path, body, 15, **headers) as answer:
                return json.load(answer), answer.headers["Idempotent-Replayed"] == "true"
        except urllib.error.HTTPError as refusal:
            problem: Json = json.load(refusal)
            if not problem["retryable"]:
                raise Refused(problem) from None
            pause_s = float(refusal.headers.get("Retry-After", pause_s))
        except (OSError, HTTPException):
            pass
        time.sleep(pause_s)
    sys.exit(f"{method} {path}: no answer; send the same call with the same key again later")


def outcome(request_id: str, endings: set[str]) -> Json:
    """Follows the request; goes on behind the last event after a lost connection."""
    give_up = time.monotonic() + OPEN_FOR.total_seconds() + PATIENCE_S
    last: dict[str, str] = {}
    while time.monotonic() < give_up:
        try:
            with opened("GET", f"{REQUESTS}/{request_id}/events", None, QUIET_S, **last) as events:
                for line in events:
                    field, _, value = line.decode().rstrip("\n").partition(": ")
                    if field == "id":
                        last = {"Last_Event_ID": value}
                    if field == "data" and (told := json.loads(value))["status"] in endings:
                        return told["request"]
        except (OSError, HTTPException):
            pass
        time.sleep(1)
    sys.exit(f"{request_id}: no outcome yet; ask for it later")


def money(total: Json) -> str:
    return f"{total['amount'] // 100}.{total['amount'] % 100:02} {total['currency']}"


def show(request: Json) -> None:
    best = (request.get("checkout") or {}).get("quote") or request.get("best_quote")
    price = f" {money(best['total'])} at {best['partner_id']}" if best else ""
    print(f"{request['status']} {request['request_id']}{price}")
    receipt = ask("GET", f"{REQUESTS}/{request['request_id']}/receipt")[0].get("receipt") or {}
    for beaten in receipt.get("beaten", [])[:3]:
        print(f"  beaten: {money(beaten['total'])} at {beaten['partner_id']}")
    for turn in (receipt.get("search") or {}).get("rounds", []):
        asked = (f"{a['partner_id']} {a['outcome']} {a['took_ms']} ms" for a in turn["asked"])
        print(f"  asked after {turn['after_ms']} ms, {turn['why']}: {', '.join(asked)}")


def main(isbn: str, cents: int) -> int:
    key, order = uuid7(), wish(isbn, cents)
    for word in ("accepted", "repeated"):  # the second time as after a lost answer
        request, replayed = ask("POST", REQUESTS, order, Idempotency_Key=key)
        print(f"{word} {request['request_id']} replayed={json.dumps(replayed)}")
    told = outcome(key, RESTING)
    show(told)

    # One that stays open, as nobody sells at that price, until we change our mind.
    other, _ = ask("POST", REQUESTS, wish(isbn, 1, mode="watch"), Idempotency_Key=uuid7())
    cancel = f"{REQUESTS}/{other['request_id']}/cancel"
    ask("POST", cancel, {"reason": "found one"}, Idempotency_Key=uuid7())
    show(outcome(other["request_id"], CLOSED))

    try:
        ask("POST", REQUESTS, wish("978-0-306-40615-8", cents), Idempotency_Key=uuid7())
    except Refused as no:  # a digit is wrong
        where = no.problem["errors"][0]
        print(f"refused {where['code']} ({no.problem['number']}) in {where['pointer']}: {where['detail']}")
    return 0 if told["status"] == "ordered" else 7


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        sys.exit(main(sys.argv[1], int(sys.argv[2])))
    except Refused as refused:
        sys.exit(str(refused))
