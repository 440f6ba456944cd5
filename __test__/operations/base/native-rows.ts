// The rows of the native table, and how to make the native class of each from values of its fields.

import * as native from 'uring/native'

/** Flags from <linux/io_uring.h>: not the facade's own constants. */
export const IOSQE = {
  FIXED_FILE: 1 << 0,
  IO_DRAIN: 1 << 1,
  IO_LINK: 1 << 2,
  IO_HARDLINK: 1 << 3,
  ASYNC: 1 << 4,
  BUFFER_SELECT: 1 << 5,
  CQE_SKIP_SUCCESS: 1 << 6,
} as const

export const ROWS = native.operationTable()
export type Row = (typeof ROWS)[number]

export interface NativeOperation {
  sqeFlags(flags: number): unknown
  personality(id: number): unknown
  userData(value: bigint): unknown
  build(): Uint8Array
}

export type Value = number | bigint
/** Values of a row's fields, under the names of the table. */
export type Fields = Readonly<Record<string, Value>>

export function nativeClass(name: string): (new (...required: Value[]) => NativeOperation) | undefined {
  return (native as unknown as Record<string, new (...required: Value[]) => NativeOperation>)[name]
}

/** `open_flags` is `openFlags` in JavaScript. */
export function methodOf(field: string): string {
  return field.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}

export function setter(operation: NativeOperation, field: string): (value: Value) => unknown {
  const methods = operation as unknown as Record<string, (value: Value) => unknown>
  const method = methods[methodOf(field)]
  if (method === undefined) throw new Error(`there is no method ${methodOf(field)}`)
  return method.bind(operation)
}

export function construct(row: Row, fields: Fields): NativeOperation {
  const Class = nativeClass(row.name)
  if (Class === undefined) throw new Error(`there is no native class ${row.name}`)
  for (const name of Object.keys(fields)) {
    if (!row.fields.some((field) => field.name === name)) throw new Error(`${row.name} has no field ${name}`)
  }
  const operation = new Class(
    ...row.fields
      .filter(({ required }) => required)
      .map(({ name }) => {
        const value = fields[name]
        if (value === undefined) throw new Error(`${row.name} needs ${name}`)
        return value
      }),
  )
  for (const { name, required } of row.fields) {
    const value = fields[name]
    if (!required && value !== undefined) setter(operation, name)(value)
  }
  return operation
}
