//! The system calls that an expression of `--strace` names.

use crate::linux::table::TABLE;
use crate::linux::trace::Trace;
use std::collections::BTreeSet;

/// Classes of calls, as strace(1) names them.
fn is_in_class(class: &str, number: u16) -> Option<bool> {
    Some(match class {
        "file" => matches!(
            number,
            5 | 6 | 8 | 9 | 11 | 12 | 14 | 15 | 17 | 27 | 33..=41 | 43 | 45 | 48 | 49 | 51 | 53
                | 54 | 56 | 60 | 78 | 79 | 88 | 89 | 221 | 224 | 225 | 263 | 264 | 276 | 281 | 291
                | 428 | 429 | 433 | 437 | 439 | 442 | 452 | 463..=469
        ),
        "desc" => matches!(
            number,
            7 | 10 | 13 | 16 | 19..=32 | 44 | 46 | 47 | 50 | 52 | 55..=59 | 61..=77 | 79 | 80
                | 82..=87 | 213 | 222 | 223 | 262 | 263 | 267 | 279 | 285..=287 | 291 | 436..=438
                | 441
        ),
        "process" => matches!(number, 93 | 94 | 95 | 220 | 221 | 260 | 281 | 435),
        "network" | "net" => matches!(number, 198..=212 | 242 | 243 | 269),
        "signal" => matches!(number, 74 | 129..=139 | 240 | 424),
        "ipc" => matches!(number, 180..=197),
        "memory" => matches!(number, 196 | 197 | 214..=216 | 222 | 226..=239 | 284 | 440 | 462),
        "clock" => matches!(number, 112..=114 | 169 | 170 | 171 | 266),
        "creds" => matches!(number, 90 | 91 | 143..=152 | 158 | 159 | 167 | 174..=177),
        "all" => true,
        "none" => false,
        _ => return None,
    })
}

impl Trace {
    /// From an expression in the manner of `strace -e`: names of calls and `%class`es, with commas
    /// between them; `!` before all inverts. `all`, `1` and nothing at all mean every call.
    ///
    /// # Errors
    /// The word that is neither a call nor a class.
    pub fn parse(expression: &str) -> Result<Self, String> {
        let words = expression.strip_prefix("trace=").unwrap_or(expression);
        let (inverted, words) = match words.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, words),
        };
        if !inverted && matches!(words, "" | "1" | "all") {
            return Ok(Self::default());
        }
        let mut named = BTreeSet::new();
        for word in words.split(',').filter(|w| !w.is_empty()) {
            let class = word.strip_prefix('%').unwrap_or(word);
            let before = named.len();
            for call in TABLE {
                let by_name = word == call.name;
                if by_name || is_in_class(class, call.number) == Some(true) {
                    named.insert(call.number);
                }
            }
            if named.len() == before && is_in_class(class, 0).is_none() && !is_call(word) {
                return Err(word.to_owned());
            }
        }
        let shown = |n: &u16| named.contains(n) != inverted;
        Ok(Self { calls: Some(TABLE.iter().map(|c| c.number).filter(shown).collect()), file: None })
    }
}

fn is_call(name: &str) -> bool {
    TABLE.iter().any(|call| call.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_name_calls_and_classes() {
        let shows = |e: &str, n| Trace::parse(e).unwrap().shows(n);
        assert!(shows("all", 63) && shows("", 63) && shows("1", 1000));
        assert!(shows("read,write", 63) && shows("trace=write", 64) && !shows("read", 64));
        assert!(shows("!read", 64) && !shows("!read", 63));
        assert!(shows("%file", 56) && shows("file", 56) && !shows("%file", 63));
        assert!(shows("%network,execve", 221) && !shows("none", 63));
        assert_eq!(Trace::parse("read,nonsense"), Err("nonsense".to_owned()));
    }
}
