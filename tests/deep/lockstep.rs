//! Something for a compiler to do: generic containers, iterators and formatting.
use std::collections::{BTreeMap, HashMap};

fn sieve(limit: usize) -> Vec<usize> {
    let mut composite = vec![false; limit];
    (2..limit)
        .filter(|&n| {
            if !composite[n] {
                (n * n..limit).step_by(n).for_each(|m| composite[m] = true);
            }
            !composite[n]
        })
        .collect()
}

fn main() {
    let primes = sieve(1000);
    let mut last: HashMap<usize, Vec<usize>> = HashMap::new();
    primes.iter().for_each(|p| last.entry(p % 10).or_default().push(*p));
    let sorted: BTreeMap<_, _> = last.iter().map(|(digit, all)| (digit, all.len())).collect();
    println!("{sorted:?}");
}
