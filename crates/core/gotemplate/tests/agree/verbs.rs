//! Makes formats and operands for `Printf` and its kin.

use super::{
    data::{Data, Element},
    random::Random,
    referee::Case,
};

pub fn format(random: &mut Random) -> Case {
    let operands: Vec<Data> = (0..random.below(4)).map(|_| operand(random, 0)).collect();
    if random.one_in(20) {
        return if random.one_in(2) {
            Case::Print(operands)
        } else {
            Case::Println(operands)
        };
    }
    let mut format = String::new();
    for _ in 0..=random.below(3) {
        if random.one_in(3) {
            format.push_str(random.pick(&["a", " ", "ä: ", "x=", "\n", "%%", "]"]));
        }
        verb(random, &mut format);
    }
    if random.one_in(30) {
        format.push_str(random.pick(&[
            "%",
            "%-",
            "%[",
            "%[1",
            "%.",
            "%*",
            "%!",
            "%é",
            "%5",
            "%.3",
            "%99999999d",
        ]));
    }
    Case::Printf(format, operands)
}

fn verb(random: &mut Random, format: &mut String) {
    format.push('%');
    for _ in 0..random.below(3) {
        if random.one_in(2) {
            format.push_str(random.pick(&["#", "0", "+", "-", " "]));
        }
    }
    index(random, format);
    if random.one_in(3) {
        format.push_str(random.pick(&["1", "2", "5", "8", "20", "*", "012"]));
    }
    if random.one_in(3) {
        format.push('.');
        index(random, format);
        format.push_str(random.pick(&["", "0", "1", "2", "3", "7", "20", "*", "40"]));
    }
    index(random, format);
    let verbs = [
        "v", "v", "v", "s", "s", "s", "d", "d", "q", "x", "X", "t", "e", "E", "f", "F", "g", "G",
        "b", "o", "O", "c", "U", "T", "w", "z", "é",
    ];
    format.push_str(random.pick(&verbs));
}

fn index(random: &mut Random, format: &mut String) {
    if random.one_in(25) {
        format.push_str(random.pick(&[
            "[1]", "[2]", "[3]", "[0]", "[9]", "[x]", "[]", "[-1]", "[ 1]",
        ]));
    }
}

/// Any operand but those whose address would show.
pub fn operand(random: &mut Random, depth: usize) -> Data {
    let kinds = if depth > 2 { 20 } else { 27 };
    match random.below(kinds) {
        0 => Data::Nil,
        1 => Data::Bool(random.one_in(2)),
        2..=4 => Data::Int("int", i128::from(signed(random))),
        5 => Data::Int("int64", i128::from(signed(random))),
        6 => Data::Int(
            "int32",
            i128::from(i32::try_from(signed(random) >> 32).expect("shifted")),
        ),
        7 => Data::Int("uint", i128::from(signed(random).unsigned_abs())),
        8 => Data::Int("uint8", i128::from(random.next() & 255)),
        9 => Data::Int("uint64", i128::from(random.next())),
        10..=13 => Data::Float64(float(random)),
        #[expect(clippy::cast_possible_truncation, reason = "any float will do")]
        14 => Data::Float32(float(random) as f32),
        15 => Data::Complex(float(random), float(random)),
        16..=18 => Data::String(bytes(random)),
        19 => Data::Level(signed(random) % 100),
        20 => Data::Bytes(bytes(random)),
        21 => Data::List(
            Element::Any,
            (0..random.below(4))
                .map(|_| operand(random, depth + 1))
                .collect(),
        ),
        22 => Data::List(
            Element::String,
            (0..random.below(4))
                .map(|_| Data::String(bytes(random)))
                .collect(),
        ),
        23 => Data::List(
            Element::Int,
            (0..random.below(4))
                .map(|_| Data::Int("int", i128::from(signed(random))))
                .collect(),
        ),
        24 => {
            let element = if random.one_in(4) {
                Element::Values
            } else {
                Element::Any
            };
            let keys = ["a", "b", "B", "10", "9", ""];
            Data::Map(
                element,
                keys[..random.below(6)]
                    .iter()
                    .map(|key| ((*key).to_owned(), operand(random, depth + 1)))
                    .collect(),
            )
        }
        25 => Data::Map(
            Element::String,
            vec![("k".to_owned(), Data::String(bytes(random)))],
        ),
        _ => match random.below(4) {
            0 => Data::Server("s".to_owned()),
            1 if depth == 0 => Data::Pointer("p".to_owned()),
            2 => Data::List(Element::Nil, Vec::new()),
            _ => Data::Map(Element::Nil, Vec::new()),
        },
    }
}

fn signed(random: &mut Random) -> i64 {
    match random.below(6) {
        0 => 0,
        1 => i64::try_from(random.below(20)).expect("small") - 10,
        2 => i64::try_from(random.below(0x11_FFFF)).expect("small"),
        3 => [i64::MIN, i64::MAX, -1, 255, 65, 0x1F600][random.below(6)],
        _ => random.next().cast_signed() >> random.below(60),
    }
}

fn float(random: &mut Random) -> f64 {
    const SPECIAL: [f64; 20] = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        100_000.0,
        1e6,
        1e20,
        1e21,
        123_456_789.0,
        1e-5,
        0.000_123,
        5e-324,
        1.797_693_134_862_315_7e308,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        2.5,
        0.25,
        999_999.5,
    ];
    match random.below(4) {
        0 => SPECIAL[random.below(SPECIAL.len())],
        1 => f64::from(i32::try_from(random.below(100_000)).expect("small")) / 8.0,
        2 => f64::from_bits(random.next()),
        _ => f64::from(i32::try_from(random.below(1_000_000)).expect("small")) / 1000.0 - 300.0,
    }
}

fn bytes(random: &mut Random) -> Vec<u8> {
    let pieces: [&[u8]; 16] = [
        b"a",
        b"hello",
        b" ",
        b"\"",
        b"`",
        b"\n",
        b"\t",
        b"\\",
        "é".as_bytes(),
        "世界".as_bytes(),
        "😀".as_bytes(),
        b"\xff",
        b"\xe4\xb8",
        b"\0",
        b"\x7f",
        "\u{feff}\u{200b}\u{e000}".as_bytes(),
    ];
    (0..random.below(5))
        .flat_map(|_| pieces[random.below(pieces.len())].to_vec())
        .collect()
}
