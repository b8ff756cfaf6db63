"""What the bookstore has and has promised, in one SQLite file; knows nothing of NATS.

Each command is one transaction. The key comes before anything else: whoever asks again is told what
was decided the first time, even if it would be decided otherwise now.
"""

import sqlite3
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

Json = dict[str, Any]

SHIPPING, TAX_PERCENT = 399, 8  # cents, to anywhere; the tax is on the books
OFFER_FOR = timedelta(minutes=10)
TABLES = """
CREATE TABLE IF NOT EXISTS shelf (isbn TEXT PRIMARY KEY, copies INTEGER, cents INTEGER);
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY,  -- made by the broker: one per hold and one per order
    state TEXT,            -- held, released, ordered, canceled; closed: nothing can come of it
    isbn TEXT, copies INTEGER, total INTEGER, until TEXT);
"""


def now() -> datetime:
    return datetime.now(timezone.utc)


def text(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def refused(reason: str, final: bool) -> Json:
    """Final: never, for this key. Otherwise only this copy of the command was no good."""
    return {"outcome": "refused", "reason": reason, "final_for_key": final}


def confirmed(key: str, total: int) -> Json:
    amount = {"amount": total, "currency": "USD"}
    return {"outcome": "confirmed", "order_id": f"order-{key}", "total": amount}


NEVER: Json = {"outcome": "not_found", "final_for_key": True}


class Store:
    def __init__(self, file: str) -> None:
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.executescript(TABLES)
        self.handlers: dict[str, Callable[[Json], Json]] = {
            "reserve": self.reserve,
            "release": self.release,
            "place": self.place,
            "cancel": self.cancel,
            "lookup": self.lookup,
        }

    def stock(self, isbn: str, copies: int, cents: int) -> None:
        """A new book; one that is on the shelf already stays as it is."""
        row = (isbn, copies, cents)
        self.db.execute("INSERT OR IGNORE INTO shelf VALUES (?, ?, ?)", row)

    def handle(self, operation: str, command: Json) -> Json:
        """One command, done whole or not at all, and on disk before anybody hears of it."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            self.end_old_holds()
            answer = self.handlers[operation](command)
            self.db.execute("COMMIT")
            return answer
        except BaseException:
            self.db.execute("ROLLBACK")
            raise

    def quote(self, question: Json) -> Json:
        row = self.db.execute(
            "SELECT copies FROM shelf WHERE isbn = ?", (question["isbn"],)
        ).fetchone()
        if question["currency"] != "USD":
            return {"outcome": "refused", "reason": "we sell in USD"}
        if row is None or row[0] < question["quantity"]:
            return {"outcome": "no_stock"}
        item, tax, _ = self.price(question["isbn"], question["quantity"])
        return {
            "outcome": "offer",
            "quote_id": f"{question['isbn']}-{question['call_id']}",
            "isbn": question["isbn"],
            "condition": "new",
            "currency": "USD",
            "item": item,
            "shipping": {"exact": SHIPPING},  # what is not stated is not assumed to be free
            "tax": {"exact": tax},
            "fee": {"exact": 0},
            "in_stock": row[0],
            "valid_until": text(now() + OFFER_FOR),
        }

    def price(self, isbn: str, copies: int) -> tuple[int, int, int]:
        (cents,) = self.db.execute("SELECT cents FROM shelf WHERE isbn = ?", (isbn,)).fetchone()
        item = cents * copies
        tax = (item * TAX_PERCENT + 50) // 100
        return item, tax, item + tax + SHIPPING

    def reserve(self, command: Json) -> Json:
        key = command["reservation_key"]
        state, *_, until = self.find(key)  # the key before anything else
        if state == "held":
            return {"outcome": "reserved", "reservation_id": f"hold-{key}", "valid_until": until}
        if state is not None:
            return refused("this hold is over", True)
        if now() >= instant(command["not_after"]):
            return refused("too late", False)
        until = text(now() + timedelta(milliseconds=command["ttl_ms"]))
        if not self.take(command["isbn"], command["quantity"]):
            self.keep(key, "closed")
            return refused("sold out", True)
        self.keep(key, "held", command["isbn"], command["quantity"], until=until)
        return {"outcome": "reserved", "reservation_id": f"hold-{key}", "valid_until": until}

    def release(self, command: Json) -> Json:
        key = command["reservation_key"]
        state, isbn, copies, *_ = self.find(key)
        if state is None:
            self.keep(key, "closed")  # a reserve that comes after its release holds nothing
            return NEVER
        if state == "held":
            self.take(isbn, -copies)
            self.keep(key, "released")
        elif state != "released":
            return NEVER if state == "closed" else refused("it became an order", False)
        return {"outcome": "released"}

    def place(self, command: Json) -> Json:
        key, isbn, copies = command["placement_key"], command["isbn"], command["quantity"]
        state, _, _, total, _ = self.find(key)
        if state == "ordered":
            return confirmed(key, total)
        if state is not None:
            return refused("canceled or refused before", True)
        if now() >= instant(command["not_after"]):
            return refused("too late", False)
        hold = command.get("reservation_key", "")  # there is none of that name
        is_held = self.find(hold)[0] == "held"
        if not is_held and not self.take(isbn, copies):
            self.keep(key, "closed")
            return refused("sold out", True)
        _, _, total = self.price(isbn, copies)
        cap = command["price_cap"]
        if cap["currency"] != "USD" or total > cap["amount"]:
            if not is_held:
                self.take(isbn, -copies)  # a hold is released by its own command
            self.keep(key, "closed")
            return refused(f"it costs {total} cents now", True)
        if is_held:
            self.keep(hold, "ordered")
        self.keep(key, "ordered", isbn, copies, total)
        return confirmed(key, total)

    def cancel(self, command: Json) -> Json:
        key = command["placement_key"]
        state, isbn, copies, total, _ = self.find(key)
        if state == "ordered":
            self.take(isbn, -copies)
            self.keep(key, "canceled", isbn, copies, total)
        elif state is None:
            self.keep(key, "closed")  # the fence: a place that is still on its way finds this
        return self.lookup(command)

    def lookup(self, command: Json) -> Json:
        key = command["placement_key"]
        state, _, _, total, _ = self.find(key)
        if state == "ordered":
            return confirmed(key, total)
        if state == "canceled":
            return {"outcome": "canceled", "order_id": f"order-{key}"}
        # Nothing is known of it yet, and its order may still be on its way.
        return NEVER if state == "closed" else {"outcome": "not_found", "final_for_key": False}

    def find(self, key: str) -> tuple[Any, Any, Any, Any, Any]:
        sql = "SELECT state, isbn, copies, total, until FROM keys WHERE key = ?"
        return self.db.execute(sql, (key,)).fetchone() or (None,) * 5

    def keep(self, key: str, state: str, isbn: str = "", copies: int = 0, total: int = 0,
             until: str = "") -> None:
        row = (key, state, isbn, copies, total, until)
        self.db.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?)", row)

    def take(self, isbn: str, copies: int) -> bool:
        sql = "UPDATE shelf SET copies = copies - ? WHERE isbn = ? AND copies >= ?"
        return self.db.execute(sql, (copies, isbn, copies)).rowcount == 1

    def end_old_holds(self) -> None:
        sql = "SELECT key, isbn, copies FROM keys WHERE state = 'held' AND until < ?"
        for key, isbn, copies in self.db.execute(sql, (text(now()),)).fetchall():
            self.take(isbn, -copies)
            self.keep(key, "released")
