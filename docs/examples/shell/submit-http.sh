#!/usr/bin/env bash
# Buys a book over HTTP with curl: submit-http.sh ISBN MAX_TOTAL_IN_CENTS
#
# Exit codes: 0 ordered, 7 ended without an order, 1 anything else (as the broker's command line).
# GATEWAY_URL and BROKER_TOKEN say where and as whom; `broker token` makes tokens. Needs jq.
set -euo pipefail

if (($# != 2)); then echo "usage: $0 ISBN MAX_TOTAL_IN_CENTS" >&2; exit 1; fi
isbn=$1 cents=$2 open_for_s=60
requests=${GATEWAY_URL:-http://127.0.0.1:8090}/v1/purchase-requests
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# In a file, so that the token is not in the list of processes.
printf 'header = "Authorization: Bearer %s"\n' "${BROKER_TOKEN-}" >"$scratch/caller"

# UUID version 7: the idempotency key, and the request's id; made once, before the first attempt.
uuid7() {
    local ms r
    ms=$(printf '%012x' $(($(date +%s) * 1000)))
    r=$(od -An -N10 -tx1 /dev/urandom | tr -d ' \n')
    echo "${ms:0:8}-${ms:8:4}-7${r:0:3}-8${r:3:3}-${r:6:12}"
}

# wish ISBN CENTS MODE. The total is delivered: everything included. Never a card number: a token.
wish() {
    jq -cn --arg isbn "$1" --argjson cents "$2" --arg mode "$3" --argjson open_for "$open_for_s" '{
        item: { scheme: "isbn", value: $isbn },
        max_total: { amount: $cents, currency: "USD" },
        expires_at: (now + $open_for | floor | todate),
        destination: { country: "US", postal_code: "94107" },
        payment_token: "tok_visa",
        mode: $mode
    }'
}

# ask PATH [KEY BODY]: the answer with its HTTP status as `.http`; headers are in a file. curl repeats
# what was not answered and what is refused for now; with the same key it is done only once.
ask() {
    local change=() status
    if (($# > 1)); then
        change=(-H "Idempotency-Key: $2" -H "Content-Type: application/json" --data-raw "$3")
    fi
    if ! status=$(curl -sS -K "$scratch/caller" --max-time 15 --retry 5 --retry-all-errors \
        -D "$scratch/headers" -o "$scratch/body" -w '%{http_code}' "${change[@]}" "$requests$1"); then
        echo "$1: no answer; send the same call with the same key again later" >&2
        exit 1
    fi
    jq -c --argjson http "$status" '. + { http: $http }' "$scratch/body"
}

replayed() { grep -qi '^idempotent-replayed: true' "$scratch/headers" && echo true || echo false; }

# outcome ID ENDINGS: follows the request until it is in one of these statuses; after a lost
# connection it goes on behind the last event.
outcome() {
    local line last=0 give_up=$((SECONDS + open_for_s + 30)) events
    while ((SECONDS < give_up)); do
        exec {events}< <(curl -sSN -K "$scratch/caller" --max-time $((give_up - SECONDS)) \
            -H "Last-Event-ID: $last" "$requests/$1/events")
        while read -r line <&"$events"; do
            case $line in
            "id: "*) last=${line#id: } ;;
            "data: "*)
                if jq -e --arg endings "$2" '.status | IN($endings | split(" ")[])' \
                    >/dev/null <<<"${line#data: }"; then
                    jq -c .request <<<"${line#data: }"
                    kill "$!" 2>/dev/null || true
                    return
                fi
                ;;
            esac
        done
        sleep 1
    done
    echo "$1: no outcome yet; ask for it later" >&2
    exit 1
}

money='def money: "\(.amount / 100 | floor).\(.amount % 100 + 100 | tostring[1:]) \(.currency)";'
show() {
    jq -r "$money"'(.checkout.quote // .best_quote) as $best
        | "\(.status) \(.request_id)\(if $best then " \($best.total | money) at \($best.partner_id)" else "" end)"' \
        <<<"$1"
    ask "/$(jq -r .request_id <<<"$1")/receipt" | jq -r "$money"'
          (.receipt.beaten[:3][]? | "  beaten: \(.total | money) at \(.partner_id)"),
          (.receipt.search.rounds[]? | "  asked after \(.after_ms) ms, \(.why): "
            + ([.asked[] | "\(.partner_id) \(.outcome) \(.took_ms) ms"] | join(", ")))'
}

key=$(uuid7)
order=$(wish "$isbn" "$cents" one_shot)
for word in accepted repeated; do # the second time as after a lost answer
    answer=$(ask "" "$key" "$order")
    if (($(jq .http <<<"$answer") != 202)); then
        jq -r '"refused \(.code) (\(.number)): \(.detail)"' <<<"$answer" >&2
        exit 1
    fi
    echo "$word $(jq -r .request_id <<<"$answer") replayed=$(replayed)"
done
told=$(outcome "$key" "ordered expired failed canceled quoted out_of_stock")
show "$told"

# One that stays open, as nobody sells at that price, until we change our mind. With mode `watch` the
# search goes on after a price or an empty shelf.
other=$(ask "" "$(uuid7)" "$(wish "$isbn" 1 watch)" | jq -r .request_id)
ask "/$other/cancel" "$(uuid7)" '{ "reason": "found one" }' >/dev/null
show "$(outcome "$other" "ordered expired failed canceled")"

ask "" "$(uuid7)" "$(wish 978-0-306-40615-8 "$cents" one_shot)" | # a digit is wrong
    jq -r '"refused \(.errors[0].code) (\(.number)) in \(.errors[0].pointer): \(.errors[0].detail)"'
[[ $(jq -r .status <<<"$told") == ordered ]] || exit 7
