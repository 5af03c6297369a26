//! DSA keys of 2048 and 256 bits, which nothing should use and `genPrivateKey "dsa"` still gives.

use std::rc::Rc;

use num_bigint_dig::{BigUint, RandBigInt, RandPrime, prime::probably_prime};

use super::random::Chance;
use crate::{Source, der};

const MODULUS_BITS: usize = 2_048;
const ORDER_BITS: usize = 256;

pub(super) fn generate(source: &Rc<dyn Source>) -> String {
    let mut chance = Chance(source);
    let one = BigUint::from(1_u32);
    let two = BigUint::from(2_u32);
    let (p, q) = loop {
        let q = chance.gen_prime(ORDER_BITS);
        let doubled = &q * &two;
        let found = (0..4 * MODULUS_BITS).find_map(|_| {
            let mut candidate = chance.gen_biguint(MODULUS_BITS);
            candidate |= &one << (MODULUS_BITS - 1);
            // The order must divide what is one below the modulus.
            let p = &candidate - (&candidate % &doubled) + &one;
            (p.bits() == MODULUS_BITS && probably_prime(&p, 20)).then_some(p)
        });
        if let Some(p) = found {
            break (p, q);
        }
    };
    let exponent = (&p - &one) / &q;
    let mut base = two;
    let g = loop {
        let g = base.modpow(&exponent, &p);
        if g != one {
            break g;
        }
        base += &one;
    };
    let x = chance.gen_biguint_range(&one, &q);
    let y = g.modpow(&x, &p);
    let numbers = [BigUint::from(0_u32), p, q, g, y, x];
    let encoded: Vec<Vec<u8>> = numbers
        .iter()
        .map(|it| der::integer(&it.to_bytes_be()))
        .collect();
    der::to_pem(
        "DSA PRIVATE KEY",
        &der::element(der::SEQUENCE, &encoded.concat()),
    )
}
