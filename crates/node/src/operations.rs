//! A class for each operation, generated from the operation table, and the table itself for tests and documents.
#![allow(unreachable_pub)] // `#[napi]` needs public items, and a cdylib has no Rust interface

use napi::Result;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use typed_uring::entry::EntryBytes;
use typed_uring::operations as core;
use typed_uring::{Address, File, Group, Slot};

use crate::integer::{Number, integer};

/// Converts a number to the type that the builder expects.
macro_rules! field {
    (File, $name:expr, $value:expr) => {
        File::Fd(integer($name, "i32", $value)?)
    };
    (Address, $name:expr, $value:expr) => {
        Address(integer($name, "u64", $value)?)
    };
    (Group, $name:expr, $value:expr) => {
        Group(integer($name, "u16", $value)?)
    };
    (Slot, $name:expr, $value:expr) => {
        match integer::<i64>($name, "u32, or -1 for any", $value)? {
            -1 => Slot::Auto,
            index => Slot::Index(integer($name, "u32, or -1 for any", Number::A(index as f64))?),
        }
    };
    ($integer:ident, $name:expr, $value:expr) => {
        integer::<$integer>($name, stringify!($integer), $value)?
    };
}

macro_rules! define_classes {
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
            #[derive(Debug)]
            #[napi]
            pub struct $name {
                operation: core::$name,
                common: Common,
            }

            #[napi]
            impl $name {
                #[doc = concat!("See `", $man, "`.")]
                #[napi(constructor, catch_unwind)]
                pub fn new($(#[napi(ts_arg_type = "number | bigint")] $req: Number),*) -> Result<Self> {
                    Ok(Self {
                        operation: core::$name::new($(field!($req_kind, stringify!($req), $req)),*),
                        common: Common::default(),
                    })
                }

                $(
                    #[doc = $opt_doc]
                    #[napi(catch_unwind)]
                    pub fn $opt(&mut self, #[napi(ts_arg_type = "number | bigint")] value: Number) -> Result<&Self> {
                        self.operation = self.operation.$opt(field!($opt_kind, stringify!($opt), value));
                        Ok(self)
                    }
                )*

                /// Adds entry flags, `IOSQE_*`.
                #[napi(catch_unwind)]
                pub fn sqe_flags(&mut self, #[napi(ts_arg_type = "number | bigint")] flags: Number) -> Result<&Self> {
                    self.common.flags |= integer::<u8>("flags", "u8", flags)?;
                    Ok(self)
                }

                /// Runs the operation with registered credentials.
                #[napi(catch_unwind)]
                pub fn personality(&mut self, #[napi(ts_arg_type = "number | bigint")] id: Number) -> Result<&Self> {
                    self.common.personality = integer("id", "u16", id)?;
                    Ok(self)
                }

                /// Sets the user data, which the completion returns.
                #[napi(catch_unwind)]
                pub fn user_data(&mut self, #[napi(ts_arg_type = "number | bigint")] value: Number) -> Result<&Self> {
                    self.common.user_data = integer("value", "u64", value)?;
                    Ok(self)
                }

                /// Returns the bytes of the entry.
                #[napi(catch_unwind)]
                pub fn build(&self) -> Uint8Array {
                    self.common.finish(self.operation.build())
                }
            }
        )*
    };
}

typed_uring::operations!(define_classes);

/// The fields that every entry has.
#[derive(Debug, Default)]
struct Common {
    flags: u8,
    personality: u16,
    user_data: u64,
}

impl Common {
    fn finish<const SIZE: usize>(&self, entry: EntryBytes<SIZE>) -> Uint8Array {
        let entry = entry
            .with_flags(self.flags)
            .with_personality(self.personality)
            .with_user_data(self.user_data);
        entry.as_bytes().to_vec().into()
    }
}

/// Field of an operation, and its place in the entry.
#[derive(Debug)]
#[napi(object)]
pub struct BindingField {
    pub name: String,
    pub kind: String,
    pub at: u32,
    pub size: u32,
    pub required: bool,
    pub doc: String,
}

/// Row of the operation table.
#[derive(Debug)]
#[napi(object)]
pub struct BindingOperation {
    pub name: String,
    pub opcode: u8,
    pub size: u32,
    pub since: String,
    pub man: String,
    pub doc: String,
    pub fields: Vec<BindingField>,
}

/// Returns the operation table, from which the classes are generated.
#[napi(catch_unwind)]
#[must_use]
pub fn operation_table() -> Vec<BindingOperation> {
    let field = |field: &core::FieldInfo| BindingField {
        name: field.name.to_owned(),
        kind: field.kind.to_owned(),
        at: field.place.at as u32,
        size: field.place.size as u32,
        required: field.required,
        doc: field.doc.to_owned(),
    };
    core::OPERATIONS
        .iter()
        .map(|row| BindingOperation {
            name: row.name.to_owned(),
            opcode: row.opcode,
            size: row.size as u32,
            since: row.since.to_owned(),
            man: row.man.to_owned(),
            doc: row.doc.to_owned(),
            fields: row.fields.iter().map(field).collect(),
        })
        .collect()
}
