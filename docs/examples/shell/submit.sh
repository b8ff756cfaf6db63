#!/usr/bin/env bash
# Buys a book with the NATS command line: submit.sh ISBN MAX_TOTAL_IN_CENTS
#
# Exit codes: 0 ordered, 7 ended without an order, 1 anything else (as the broker's command line).
# `nats` finds its server by NATS_URL, NATS_USER, NATS_PASSWORD or a context. With `--print` the
# commands are only printed, one JSON document per line, and nothing is sent. Needs jq.
set -euo pipefail

print=false
if [[ ${1-} == --print ]]; then print=true; shift; fi
if (($# != 2)); then echo "usage: $0 [--print] ISBN MAX_TOTAL_IN_CENTS" >&2; exit 1; fi
isbn=$1 cents=$2 customer=${BROKER_CUSTOMER:-alice} open_for_s=60

# UUID version 7: the request's id and idempotency key, made once, before the first attempt.
uuid7() {
    local ms r
    ms=$(printf '%012x' $(($(date +%s) * 1000)))
    r=$(od -An -N10 -tx1 /dev/urandom | tr -d ' \n')
    echo "${ms:0:8}-${ms:8:4}-7${r:0:3}-8${r:3:3}-${r:6:12}"
}

# wish ISBN CENTS MODE. The total is delivered: everything included. Never a card number: a token.
wish() {
    jq -cn --arg id "$(uuid7)" --arg isbn "$1" --argjson cents "$2" --arg mode "$3" \
        --argjson open_for "$open_for_s" '{
        request_id: $id,
        item: { scheme: "isbn", value: $isbn },
        max_total: { amount: $cents, currency: "USD" },
        expires_at: (now + $open_for | floor | todate),
        destination: { country: "US", postal_code: "94107" },
        payment_token: "tok_visa",
        mode: $mode
    }'
}

# ask OPERATION BODY. Silence does not tell whether it was done, and the same bytes are done only
# once: repeat.
ask() {
    local pause reply
    for pause in 1 2 4 8; do
        reply=$(nats request --raw --timeout 5s "purchase.api.$1.$customer" "$2" 2>/dev/null) || reply=
        if [[ -n $reply ]] && jq -e '.result == "accepted" or (.retryable | not)' \
            >/dev/null <<<"$reply"; then
            echo "$reply"
            return
        fi
        sleep "$pause"
    done
    echo "$1: no answer; send the same bytes again later" >&2
    exit 1
}

# outcome ID PASS_OVER: what is told about that request, but for the outcomes passed over. With mode
# `watch` the search goes on after a price or an empty shelf.
outcome() {
    local told give_up=$((SECONDS + open_for_s + 30))
    while ((SECONDS < give_up)); do
        told=$(nats consumer next --raw --ack --timeout 5s NOTIFICATIONS "customer_$customer" \
            2>/dev/null) || continue
        if jq -e --arg id "$1" --arg news "incident action_required ${2-}" \
            '.request_id == $id and (.outcome | IN($news | split(" ")[]) | not)' \
            >/dev/null <<<"$told"; then
            echo "$told"
            return
        fi
    done
    echo "$1: no outcome yet; it will be told" >&2
    exit 1
}

show() {
    jq -r 'def money: "\(.amount / 100 | floor).\(.amount % 100 + 100 | tostring[1:]) \(.currency)";
        (.request.checkout.quote // .request.best_quote) as $best
        | "\(.outcome) \(.request_id)\(if $best then " \($best.total | money) at \($best.partner_id)" else "" end)",
          (.receipt.beaten[:3][]? | "  beaten: \(.total | money) at \(.partner_id)"),
          (.receipt.search.rounds[]? | "  asked after \(.after_ms) ms, \(.why): "
            + ([.asked[] | "\(.partner_id) \(.outcome) \(.took_ms) ms"] | join(", ")))' <<<"$1"
}

order=$(wish "$isbn" "$cents" one_shot)
other=$(wish "$isbn" 1 watch) # stays open, as nobody sells at that price, until we change our mind
other_id=$(jq -r .request_id <<<"$other")
cancel=$(jq -cn --arg id "$other_id" '{ request_id: $id, command_id: "cancel-1", reason: "found one" }')
if $print; then printf '%s\n' "$order" "$other" "$cancel"; exit; fi

# Before the first request. Durable: what is told while we are away waits for us.
nats consumer info NOTIFICATIONS "customer_$customer" >/dev/null 2>&1 ||
    nats consumer add NOTIFICATIONS "customer_$customer" --pull --defaults --ack explicit \
        --filter "notify.$customer.*" >/dev/null

for word in accepted repeated; do # the second time as after a lost answer
    reply=$(ask create "$order")
    if ! jq -e '.result == "accepted"' >/dev/null <<<"$reply"; then
        jq -r '"refused \(.code) (\(.number)): \(.detail)"' <<<"$reply" >&2
        exit 1
    fi
    jq -r --arg word "$word" '"\($word) \(.request.request_id) replayed=\(.replayed)"' <<<"$reply"
done
told=$(outcome "$(jq -r .request_id <<<"$order")")
show "$told"

ask create "$other" >/dev/null
ask cancel "$cancel" >/dev/null
show "$(outcome "$other_id" "quoted out_of_stock")"

ask create "$(wish 978-0-306-40615-8 "$cents" one_shot)" | # a digit is wrong
    jq -r '"refused \(.code) (\(.number)) in \(.field): \(.detail)"'
[[ $(jq -r .outcome <<<"$told") == ordered ]] || exit 7
