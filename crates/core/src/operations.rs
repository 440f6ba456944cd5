//! Builders, one an operation, made from the [operation table](crate::operations!).
//!
//! A builder takes what the operation cannot do without, then what has a default, and gives the [`Entry`]. Addresses
//! are only numbers here: nothing is read or written until the entry is pushed, which is `unsafe` for that reason.

use crate::entry::{Entry, Place, WideEntry, place};
use crate::field::{Address, Field, File, Group, Slot};

/// An operation's row in the table.
#[derive(Debug)]
pub struct OperationInfo {
    /// Name of the builder.
    pub name: &'static str,
    /// `IORING_OP_*`.
    pub opcode: u8,
    /// Bytes of its entry: 64, or 128 for a ring with `SQE128`.
    pub size: usize,
    /// First kernel that has it.
    pub since: &'static str,
    /// Manual page.
    pub man: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Its fields: the required ones first, in the order of the constructor.
    pub fields: &'static [FieldInfo],
}

/// A field of an operation.
#[derive(Debug)]
pub struct FieldInfo {
    /// Name of the argument or method.
    pub name: &'static str,
    /// `u8`, `u16`, `u32`, `i32`, `u64`, `File`, `Address`, `Group` or `Slot`.
    pub kind: &'static str,
    /// Where it lands in the entry.
    pub place: Place,
    /// Whether the constructor takes it.
    pub required: bool,
    /// What it is.
    pub doc: &'static str,
}

/// The type of a parameter: integers as they are, the rest as anything that converts.
macro_rules! argument {
    (File) => { impl Into<File> };
    (Address) => { impl Into<Address> };
    (Group) => { impl Into<Group> };
    (Slot) => { impl Into<Slot> };
    ($integer:ident) => { $integer };
}

/// The type that a builder keeps an optional field in: a group or a slot is there or not, the rest has a default.
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

/// The entry of a row: 64 bytes if it does not say otherwise.
macro_rules! entry {
    () => {
        Entry
    };
    ($wide:ident) => {
        $wide
    };
}

macro_rules! define_builders {
    ($(
        $name:ident $(: $wide:ident)? {
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

                #[doc = concat!("A new `", stringify!($name), "`.", $("\n\n* `", stringify!($req), "`: ", $req_doc),*)]
                #[allow(clippy::new_without_default)] // an operation without arguments is no default of anything
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

                /// The entry.
                #[must_use]
                pub fn build(self) -> entry!($($wide)?) {
                    let Self { $($req,)* $($opt),* } = self; // complete: a field that is forgotten below is a warning
                    #[allow(unused_mut)]
                    let mut entry = <entry!($($wide)?)>::new(Self::OPCODE);
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
                size: <entry!($($wide)?)>::SIZE,
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
