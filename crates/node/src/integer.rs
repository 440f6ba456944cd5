//! Integers from JavaScript, checked. The conversions of napi-rs wrap values that do not fit.

use napi::bindgen_prelude::{BigInt, Either};
use napi::{Error, Result, Status};

/// The type of every numeric parameter of an operation class.
pub(crate) type Number = Either<f64, BigInt>;

fn out_of_range(name: &str, kind: &str) -> Error {
    Error::new(
        Status::InvalidArg,
        format!("\"{name}\" must be an integer that fits {kind}"),
    )
}

/// Converts `number` to an integer type of the operation table.
pub(crate) fn integer<T: TryFrom<i128>>(name: &str, kind: &str, number: Number) -> Result<T> {
    let value = match number {
        // Both bounds are exact doubles, and every integer between them fits an i128.
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
