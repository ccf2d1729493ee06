//! What is different each time: random texts and numbers, UUIDs. All of it comes from the cryptographic generator.

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::function::Kind::{Int, Str};
use crate::function::{Function, fixed, int, text};
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const DIGITS: &str = "0123456789";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BOTH: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("randAlphaNum", &[Int], |b, a| {
        random_text(b, int(&a[0]), BOTH.as_bytes())
    }),
    fixed("randAlpha", &[Int], |b, a| {
        random_text(b, int(&a[0]), LETTERS.as_bytes())
    }),
    fixed("randNumeric", &[Int], |b, a| {
        random_text(b, int(&a[0]), DIGITS.as_bytes())
    }),
    fixed("randAscii", &[Int], |b, a| {
        let printable: Vec<u8> = (b' '..=b'~').collect();
        random_text(b, int(&a[0]), &printable)
    }),
    fixed("randBytes", &[Int], |b, a| {
        let count = usize::try_from(int(&a[0])).map_err(|_| Fault::new("a count is not negative"))?;
        b.charge(count)?;
        b.text(STANDARD.encode(bytes(count)?))
    }),
    fixed("randInt", &[Int, Int], |_, a| {
        let (min, max) = (int(&a[0]), int(&a[1]));
        let span = max.checked_sub(min).filter(|span| *span > 0);
        let span = span.ok_or_else(|| Fault::new("randInt wants a maximum above its minimum"))?;
        Ok(Value::from(min + below(span as u64)? as i64))
    }),
    fixed("shuffle", &[Str], |b, a| {
        let mut chars: Vec<char> = text(&a[0]).chars().collect();
        b.step(chars.len())?;
        for index in (1..chars.len()).rev() {
            chars.swap(index, below(index as u64 + 1)? as usize);
        }
        b.text(chars.into_iter().collect::<String>())
    }),
    fixed("uuidv4", &[], |b, _| {
        let mut id = [0; 16];
        id.copy_from_slice(&bytes(16)?);
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        let hex: String = id.iter().map(|b| format!("{b:02x}")).collect();
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        b.text(parts.join("-"))
    }),
];

pub(super) fn bytes(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Fault::new("there is no randomness"))?;
    Ok(bytes)
}

/// A number below `end`, each as likely.
fn below(end: u64) -> Result<u64> {
    // What is above the last multiple would make the small ones likelier.
    let fair = u64::MAX - u64::MAX % end;
    loop {
        let mut number = [0; 8];
        number.copy_from_slice(&bytes(8)?);
        let number = u64::from_le_bytes(number);
        if number < fair {
            return Ok(number % end);
        }
    }
}

fn random_text(budget: &Budget, count: i64, alphabet: &[u8]) -> Result<Value> {
    let count = usize::try_from(count).unwrap_or(0);
    budget.charge(count)?;
    budget.step(count)?;
    let letters = (0..count).map(|_| Ok(char::from(alphabet[below(alphabet.len() as u64)? as usize])));
    budget.text(letters.collect::<Result<String>>()?)
}
