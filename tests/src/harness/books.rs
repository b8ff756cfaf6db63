//! Books to ask for: as many different valid ISBNs as a scenario needs.

use schemas::Isbn13;

/// The `n`-th book (n below 10^9): different numbers are different books.
pub fn book(n: u32) -> Isbn13 {
    let body = format!("978{:09}", n % 1_000_000_000);
    let sum: u32 = body
        .bytes()
        .zip([1, 3].into_iter().cycle())
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    let check = (10 - sum % 10) % 10;
    Isbn13::parse(&format!("{body}{check}")).expect("prefix 978 and a computed check digit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_numbers_are_different_valid_books() {
        let books: std::collections::BTreeSet<Isbn13> = (0..500).map(book).collect();
        assert_eq!(books.len(), 500);
        assert!(books.iter().all(|isbn| Isbn13::parse(&isbn.to_string()) == Ok(*isbn)));
    }
}
