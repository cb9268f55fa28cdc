//! Creates random samples in which unusual values are as likely as ordinary ones.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

/// Generator of samples.
pub(super) struct Maker {
    pub(super) random: fastrand::Rng,
    pub(super) floats: Floats,
}

impl Maker {
    fn double(&mut self) -> Double {
        const UNUSUAL: [u64; 9] = [
            0x8000_0000_0000_0000,
            0x0000_0000_0000_0001,
            0x000f_ffff_ffff_ffff,
            0x7fef_ffff_ffff_ffff,
            0x7ff0_0000_0000_0000,
            0xfff0_0000_0000_0000,
            0x7ff8_0000_0000_1234,
            0x7ff0_0000_0000_0001,
            0x3ff0_0000_0000_0000,
        ];
        loop {
            let random = &mut self.random;
            let value = match random.u32(..4) {
                0 => f64::from_bits(UNUSUAL[random.usize(..UNUSUAL.len())]),
                1 => f64::from_bits(random.u64(..)),
                // Products such as prices, which need many digits.
                _ => (random.u32(..10_000) as f64 / 100.0) * (random.u32(..200) as f64 / 100.0),
            };
            if value.is_finite() || self.floats == Floats::Any {
                return Double(value);
            }
        }
    }

    fn single(&mut self) -> Single {
        // The shortest decimal of this `f32`, read as an `f64`, lies halfway between two `f32` values.
        const HALFWAY: u32 = 0x15ae_43fd;
        const UNUSUAL: [u32; 6] = [
            HALFWAY,
            0x8000_0000,
            1,
            0x7f7f_ffff,
            0x7f80_0000,
            0x7fa0_0001,
        ];
        loop {
            let random = &mut self.random;
            let value = match random.u32(..3) {
                0 => f32::from_bits(UNUSUAL[random.usize(..UNUSUAL.len())]),
                1 => f32::from_bits(random.u32(..)),
                _ => random.u32(..10_000) as f32 / 100.0,
            };
            if value.is_finite() || self.floats == Floats::Any {
                return Single(value);
            }
        }
    }

    /// Random integers in which small and extreme values are as likely as others.
    fn bits(&mut self) -> u128 {
        let random = &mut self.random;
        match random.u32(..5) {
            0 => u128::MAX,
            1 => 1 << random.u32(..128),
            2 => (1 << random.u32(..128)) - 1,
            3 => u128::from(random.u8(..)),
            _ => random.u128(..),
        }
    }

    fn letter(&mut self) -> char {
        const UNUSUAL: [char; 12] = [
            '\0',
            '"',
            '\\',
            '\n',
            '\u{7f}',
            '\u{85}',
            '\u{2028}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{feff}',
            '\u{1f980}',
            '\u{10ffff}',
        ];
        match self.random.bool() {
            true => UNUSUAL[self.random.usize(..UNUSUAL.len())],
            false => self.random.char(..),
        }
    }

    fn text(&mut self) -> String {
        (0..self.random.usize(..8)).map(|_| self.letter()).collect()
    }

    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let count = self.random.usize(..40);
        (0..count).map(|_| self.random.u8(..)).collect()
    }

    fn integers(&mut self) -> Integers {
        let mut bits = || self.bits();
        (
            bits() as i8,
            bits() as i16,
            bits() as i32,
            bits() as i64,
            bits() as u8,
            bits() as u16,
            bits() as u32,
            bits() as u64,
        )
    }

    fn some<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.random.usize(1..5);
        (0..count).map(|_| make(self)).collect()
    }

    fn named<T>(&mut self, make: impl Fn(&mut Self) -> T) -> BTreeMap<String, T> {
        let pairs = self.some(|maker| (format!("_{}", maker.text()), make(maker)));
        pairs.into_iter().collect()
    }

    fn external<T>(&mut self, make: impl Fn(&mut Self) -> T) -> Vec<External<T>> {
        vec![
            External::Unit,
            External::New(make(self)),
            External::Pair(make(self), make(self)),
            External::Fields {
                a: make(self),
                b: self.random.bool().then(|| make(self)),
            },
        ]
    }

    fn adjacent<T>(&mut self, make: impl Fn(&mut Self) -> T) -> Vec<Adjacent<T>> {
        vec![
            Adjacent::Unit,
            Adjacent::New(make(self)),
            Adjacent::Pair(make(self), make(self)),
            Adjacent::Fields { a: make(self) },
        ]
    }

    fn shapes<T>(&mut self, make: impl Fn(&mut Self) -> T) -> Shapes<T> {
        let internal = vec![
            Internal::Unit,
            Internal::New(Inner { inner: make(self) }),
            Internal::Fields {
                a: make(self),
                b: self.random.bool().then(|| make(self)),
            },
        ];
        Shapes {
            external: self.external(&make),
            internal,
            adjacent: self.adjacent(&make),
            untagged: vec![
                Untagged::Fields { only: make(self) },
                Untagged::New(make(self)),
            ],
            flat: Flat {
                first: make(self),
                rest: Inner { inner: make(self) },
                more: self.named(&make),
            },
            named: self.named(&make),
        }
    }

    fn plain<T>(&mut self, make: impl Fn(&mut Self) -> T) -> Plain<T> {
        Plain {
            external: self.external(&make),
            adjacent: self.adjacent(&make),
            numbered: self
                .some(|maker| (maker.bits() as i64, make(maker)))
                .into_iter()
                .collect(),
            lettered: self
                .some(|maker| (maker.letter(), make(maker)))
                .into_iter()
                .collect(),
            coloured: BTreeMap::from([(Colour::Red, make(self)), (Colour::Odd, make(self))]),
            decided: BTreeMap::from([(true, make(self)), (false, make(self))]),
        }
    }

    pub(super) fn sample(&mut self) -> Sample {
        Sample {
            doubles: self.some(Self::double),
            singles: self.some(Self::single),
            double: self.shapes(Self::double),
            single: self.shapes(Self::single),
            integers: self.some(Self::integers),
            signed: self.shapes(|maker| maker.bits() as i64),
            unsigned: self.shapes(|maker| maker.bits() as u64),
            wide: self.plain(|maker| maker.bits() as i128),
            wider: self.plain(Self::bits),
            wide_keys: self
                .some(|maker| (maker.bits(), maker.bits() as i128))
                .into_iter()
                .collect(),
            texts: self.some(Self::text),
            text: self.shapes(Self::text),
            letters: self.some(Self::letter),
            nothing: ((), Nothing, []),
            maybe: self.some(|maker| maker.random.bool().then(|| maker.double())),
            bytes: (self.bytes(), Blob(self.bytes())),
            time: Duration::new(self.random.u64(..), self.random.u32(..1_000_000_000)),
            outcome: match self.random.bool() {
                true => Ok(self.double()),
                false => Err(self.text()),
            },
        }
    }

    pub(super) fn binary(&mut self) -> Binary {
        let number = |maker: &mut Self| (maker.bits() as u64, maker.random.u8(..));
        Binary {
            sample: self.sample(),
            by_pair: self
                .some(|maker| ((maker.bits() as i32, maker.text()), maker.double()))
                .into_iter()
                .collect(),
            by_option: BTreeMap::from([(None, self.single()), (Some(7), self.single())]),
            by_list: BTreeMap::from([(self.bytes(), Nothing)]),
            by_number: Inner {
                inner: Untagged::New(self.some(number).into_iter().collect()),
            },
        }
    }
}
