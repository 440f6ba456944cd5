//! Integers from JavaScript, checked: napi-rs by itself wraps what does not fit.

use napi::bindgen_prelude::{BigInt, Either};
use napi::{Error, Result, Status};

/// What every numeric parameter of an operation class takes.
pub(crate) type Number = Either<f64, BigInt>;

fn out_of_range(name: &str, kind: &str) -> Error {
    Error::new(
        Status::InvalidArg,
        format!("\"{name}\" must be an integer that fits {kind}"),
    )
}

/// `number` as an integer type of the operation table.
pub(crate) fn integer<T: TryFrom<i128>>(name: &str, kind: &str, number: Number) -> Result<T> {
    let value = match number {
        // Both bounds are exact as doubles, and every integer between them fits.
        Either::A(number) if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 => {
            number as i128
        }
        Either::A(_) => return Err(out_of_range(name, kind)),
        Either::B(big) => {
            let (value, lossless) = big.get_i128();
            if !lossless {
                return Err(out_of_range(name, kind));
            }
            value
        }
    };
    T::try_from(value).map_err(|_| out_of_range(name, kind))
}
