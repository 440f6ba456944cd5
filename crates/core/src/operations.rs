//! A builder for each operation, from the [operation table](crate::operations!).
//!
//! The constructor of a builder takes the required fields, its methods set optional ones, and `build` returns the
//! [`Entry`]. Addresses are only numbers here. Memory is read or written after the entry is pushed, and therefore
//! pushing is `unsafe`.

use crate::entry::{Entry, Entry128, Place, place};
use crate::field::{Address, Field, File, Group, Slot};

/// Row of an operation in the table.
#[derive(Debug)]
pub struct OperationInfo {
    /// Name of the builder.
    pub name: &'static str,
    /// `IORING_OP_*`.
    pub opcode: u8,
    /// Size of the entry in bytes: 64, or 128 for a ring with `SQE128`.
    pub size: usize,
    /// First Linux version that has the operation.
    pub since: &'static str,
    /// Manual page.
    pub man: &'static str,
    /// Description of the operation.
    pub doc: &'static str,
    /// Fields: the required ones first, in the order of the constructor's parameters.
    pub fields: &'static [FieldInfo],
}

/// Field of an operation.
#[derive(Debug)]
pub struct FieldInfo {
    /// Name of the constructor's parameter or of the method.
    pub name: &'static str,
    /// Type: `u8`, `u16`, `u32`, `i32`, `u64`, `File`, `Address`, `Group` or `Slot`.
    pub kind: &'static str,
    /// Place in the entry.
    pub place: Place,
    /// True if the constructor takes the field.
    pub required: bool,
    /// Description of the field.
    pub doc: &'static str,
}

/// The type of a parameter: an integer type itself, otherwise anything that converts into the type.
macro_rules! argument {
    (File) => { impl Into<File> };
    (Address) => { impl Into<Address> };
    (Group) => { impl Into<Group> };
    (Slot) => { impl Into<Slot> };
    ($integer:ident) => { $integer };
}

/// The type that a builder stores an optional field in: a group or slot may be absent, other fields have a default
/// value.
macro_rules! kept {
    (Group) => { Option<Group> };
    (Slot) => { Option<Slot> };
    ($kind:ident) => { $kind };
}

macro_rules! keep {
    (Address, $value:ident) => {
        $value.into()
    };
    (Group, $value:ident) => {
        Some($value.into())
    };
    (Slot, $value:ident) => {
        Some($value.into())
    };
    ($kind:ident, $value:ident) => {
        $value
    };
}

/// The type of a row's entry: 64 bytes unless the row names another type.
macro_rules! entry {
    () => {
        Entry
    };
    ($entry:ident) => {
        $entry
    };
}

macro_rules! define_builders {
    ($(
        $name:ident $(: $entry:ident)? {
            opcode: $opcode:literal, since: $since:literal, man: $man:literal, doc: $doc:literal,
            fixed: { $($fixed:ident = $bits:expr),* }
            required: { $($req:ident: $req_kind:ident => $req_place:ident, $req_doc:literal;)* }
            optional: { $($opt:ident: $opt_kind:ident = $default:expr => $opt_place:ident, $opt_doc:literal;)* }
        }
    )*) => {
        $(
            #[doc = $doc]
            #[doc = ""]
            #[doc = concat!("Since Linux ", $since, ". See `", $man, "`.")]
            #[derive(Clone, Copy, Debug)]
            #[must_use = "an operation does nothing until its entry is pushed"]
            pub struct $name {
                $($req: $req_kind,)*
                $($opt: kept!($opt_kind),)*
            }

            impl $name {
                /// `IORING_OP_*`.
                pub const OPCODE: u8 = $opcode;

                #[doc = concat!("Makes a builder of `", stringify!($name), "`.", $("\n\n* `", stringify!($req), "`: ", $req_doc),*)]
                #[allow(clippy::new_without_default)] // operations have required fields, with few exceptions
                pub fn new($($req: argument!($req_kind)),*) -> Self {
                    Self {
                        $($req: $req.into(),)*
                        $($opt: $default,)*
                    }
                }

                $(
                    #[doc = $opt_doc]
                    pub fn $opt(mut self, $opt: argument!($opt_kind)) -> Self {
                        self.$opt = keep!($opt_kind, $opt);
                        self
                    }
                )*

                /// Returns the entry.
                #[must_use]
                pub fn build(self) -> entry!($($entry)?) {
                    let Self { $($req,)* $($opt),* } = self; // names all fields, so that an unused one is a warning
                    #[allow(unused_mut)]
                    let mut entry = <entry!($($entry)?)>::new(Self::OPCODE);
                    $(entry.set_bits(place::$fixed, $bits);)*
                    $($req.put(&mut entry, place::$req_place);)*
                    $($opt.put(&mut entry, place::$opt_place);)*
                    entry
                }
            }
        )*

        /// The operation table.
        pub static OPERATIONS: &[OperationInfo] = &[$(
            OperationInfo {
                name: stringify!($name),
                opcode: $opcode,
                size: <entry!($($entry)?)>::SIZE,
                since: $since,
                man: $man,
                doc: $doc,
                fields: &[
                    $(FieldInfo { name: stringify!($req), kind: stringify!($req_kind), place: place::$req_place, required: true, doc: $req_doc },)*
                    $(FieldInfo { name: stringify!($opt), kind: stringify!($opt_kind), place: place::$opt_place, required: false, doc: $opt_doc },)*
                ],
            },
        )*];
    };
}

crate::operations!(define_builders);
