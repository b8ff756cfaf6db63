//! The decision receipt as the customer reads it: the winner, what it beat, what was too dear.

use broker_core::quote::{Cost, Quote};
use broker_core::receipt::{Receipt, Verdict};
use schemas::event as wire;
use schemas::event::{UnaffordableQuote, UnaffordableReason};

use super::{search, view};

/// Quotes of the receipt are best first; with verdict `buy` the first of them won.
pub fn receipt(receipt: &Receipt) -> wire::Receipt {
    let mut quotes = receipt.quotes.iter();
    let winner = match receipt.verdict {
        Verdict::Buy => quotes.next(),
        Verdict::TooDear | Verdict::NoStock | Verdict::NoAnswer => None,
    };
    let mut beaten = Vec::new();
    let mut unaffordable = Vec::new();
    for quote in quotes {
        match why_not(quote, receipt) {
            None => beaten.push(view::quote(quote)),
            Some(why) => unaffordable.push(refused(quote, why)),
        }
    }
    wire::Receipt {
        sweep: receipt.sweep,
        decided_at: receipt.decided_at,
        strategy: receipt.strategy,
        max_total: receipt.max_total,
        verdict: verdict(receipt.verdict),
        eligible: receipt.eligible,
        asked: receipt.eligible,
        answered: receipt.answered,
        coverage_permille: receipt.coverage_permille(),
        directory_version: receipt.directory.to_string(),
        winner: winner.map(view::quote),
        beaten,
        unaffordable,
        search: receipt.search.as_ref().map(search::search),
    }
}

fn why_not(quote: &Quote, receipt: &Receipt) -> Option<UnaffordableReason> {
    if quote.currency != receipt.max_total.currency() {
        return Some(UnaffordableReason::OtherCurrency);
    }
    if [quote.shipping, quote.tax, quote.fee].contains(&Cost::Unknown) {
        return Some(UnaffordableReason::ComponentMissing);
    }
    if !quote.is_affordable(receipt.max_total) {
        return Some(UnaffordableReason::AboveLimit);
    }
    (quote.valid_until <= receipt.decided_at).then_some(UnaffordableReason::Expired)
}

fn refused(quote: &Quote, why: UnaffordableReason) -> UnaffordableQuote {
    UnaffordableQuote {
        partner_id: quote.partner.clone(),
        why,
        currency: quote.currency,
        total: quote.worst_total(),
        item: quote.item,
        shipping: quote.shipping.worst(),
        tax: quote.tax.worst(),
        fee: quote.fee.worst(),
        valid_until: quote.valid_until,
    }
}

fn verdict(verdict: Verdict) -> wire::Verdict {
    match verdict {
        Verdict::Buy => wire::Verdict::Buy,
        Verdict::TooDear => wire::Verdict::TooDear,
        Verdict::NoStock => wire::Verdict::NoStock,
        Verdict::NoAnswer => wire::Verdict::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use schemas::{Currency, Timestamp};

    use super::super::fixture;
    use super::*;

    #[test]
    fn the_winner_comes_first_then_what_it_beat_then_what_could_not_be_bought() {
        let base = fixture::quote();
        let dear = Quote { item: 90_000, ..base.clone() };
        let vague = Quote { tax: Cost::Unknown, ..base.clone() };
        let euro = Quote { currency: Currency::EUR, ..base.clone() };
        let lapsed = Quote { valid_until: Timestamp::from_unix_ms(1), ..base.clone() };
        let second = Quote { item: 1100, ..base.clone() };
        let quotes = vec![base, second, dear, vague, euro, lapsed];
        let receipt = receipt(&fixture::receipt(Verdict::Buy, quotes));
        assert_eq!(receipt.winner.map(|q| q.item), Some(1000));
        assert_eq!(receipt.beaten.iter().map(|q| q.item).collect::<Vec<_>>(), [1100]);
        let reasons: Vec<_> = receipt.unaffordable.iter().map(|q| q.why).collect();
        assert_eq!(
            reasons,
            [
                UnaffordableReason::AboveLimit,
                UnaffordableReason::ComponentMissing,
                UnaffordableReason::OtherCurrency,
                UnaffordableReason::Expired,
            ]
        );
    }

    #[test]
    fn without_a_purchase_there_is_no_winner() {
        let dear = Quote { item: 90_000, ..fixture::quote() };
        let receipt = receipt(&fixture::receipt(Verdict::TooDear, vec![dear]));
        assert_eq!((receipt.winner, receipt.beaten.len()), (None, 0));
        assert_eq!(receipt.unaffordable.len(), 1);
        assert_eq!((receipt.eligible, receipt.answered, receipt.coverage_permille), (4, 2, 500));
    }
}
