// Socket addresses: `struct sockaddr_in`, `sockaddr_in6`, `sockaddr_un`, and the bytes of any other family.

import { isUtf8 } from 'node:buffer'
import { isIPv4, isIPv6 } from 'node:net'
import { SocketDomain } from '../flags/index.ts'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { integer, invalidType, invalidValue, MAX_U16, MAX_U32, outOfRange } from '../arguments/validate.ts'

/** An IPv4 or IPv6 address and a port. */
export interface InternetAddress {
  /** The address: `'127.0.0.1'`, `'::1'`. Host names are not resolved. */
  readonly address: string
  /** The port, 0 to 65535. */
  readonly port: number
  /** The index of the interface of a link-local IPv6 address. Default: 0. */
  readonly scopeId?: number
  /** The flow information of an IPv6 address. Default: 0. */
  readonly flowInfo?: number
}

/** The address of a Unix domain socket, see unix(7). */
export interface UnixAddress {
  /**
   * The path of the socket's file, at most 107 bytes; a NUL and a name of the abstract namespace, at most 108 bytes; or
   * `''` for a socket without a name.
   */
  readonly path: string
}

/** A socket address: IPv4 or IPv6, Unix, or the bytes of a `struct sockaddr` of any family (2 to 128 bytes). */
export type Address = InternetAddress | UnixAddress | Uint8Array

/**
 * A socket address that the kernel returned. It can be used as an {@link Address}. An address of another family, or
 * with a path that is not UTF-8, has `bytes` instead, which can be used as an {@link Address} too.
 */
export type SocketAddress =
  | {
      readonly family: 'IPv4' | 'IPv6'
      readonly address: string
      readonly port: number
      readonly scopeId?: number
      readonly flowInfo?: number
    }
  | { readonly family: 'Unix'; readonly path: string }
  | { readonly family: number; readonly bytes: Buffer }

/** The size of an address of any family in bytes (`struct sockaddr_storage`). */
export const ADDRESS_BYTES = 128
/** The size of a `socklen_t` in bytes. */
const LENGTH_BYTES = 4

const FAMILY_BYTES = 2
const IPV4_BYTES = 16
const IPV6_BYTES = 28
const UNIX_BYTES = 110
const MAX_PATH = UNIX_BYTES - FAMILY_BYTES

/** The address of a socket whose family has no addresses. */
export const NO_ADDRESS: SocketAddress = { family: SocketDomain.UNSPEC, bytes: Buffer.alloc(0) }

/** An address in memory. */
export interface AddressBlock extends Block {
  readonly length: number
  /** The path of the file that the address names, if it names one. */
  readonly path: string | undefined
}

/**
 * Encodes an address as a `struct sockaddr`.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not an address; `ERR_INVALID_ARG_VALUE`: not an IP address, or a path
 * that is too long or contains a NUL
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: a port, scope or flow is out of range, or there are less than 2 or more than
 * 128 bytes
 */
export function encodeAddress(address: Address, name: string): Buffer {
  if (address instanceof Uint8Array) {
    if (address.byteLength < FAMILY_BYTES || address.byteLength > ADDRESS_BYTES)
      throw outOfRange(`${name}.byteLength`, `>= ${FAMILY_BYTES} && <= ${ADDRESS_BYTES}`, address.byteLength)
    return Buffer.from(address)
  }
  if (typeof address === 'object' && address !== null) {
    if ('path' in address) return unix(address.path, `${name}.path`)
    if ('address' in address) return internet(address, name)
  }
  throw invalidType(
    name,
    'an object with address and port, an object with path, or an instance of Uint8Array',
    address,
  )
}

/** Returns `address`; throws like {@link encodeAddress}. */
export function checkAddress(address: Address, name = 'address'): Address {
  encodeAddress(address, name)
  return address
}

/** Writes an address to memory that the kernel can read. Throws like {@link encodeAddress}. */
export function addressBlock(address: Address, name: string): AddressBlock {
  const encoded = encodeAddress(address, name)
  const block = allocateBlock(encoded.length)
  block.bytes.set(encoded)
  return { ...block, length: encoded.length, path: fileOf(encoded) }
}

/** Returns the path of the file that an address names, if it names one. */
function fileOf(encoded: Buffer): string | undefined {
  if (encoded.readUInt16LE() !== SocketDomain.UNIX) return undefined
  const decoded = decodeAddress(encoded)
  const path = decoded !== undefined && 'path' in decoded ? decoded.path : ''
  return path === '' || path.startsWith('\0') ? undefined : path
}

function internet(given: InternetAddress, name: string): Buffer {
  const { address, port, scopeId = 0, flowInfo = 0 } = given
  if (typeof address !== 'string') throw invalidType(`${name}.address`, 'of type string', address)
  const number = integer(port, `${name}.port`, 0, MAX_U16)
  const scope = integer(scopeId, `${name}.scopeId`, 0, MAX_U32)
  const flow = integer(flowInfo, `${name}.flowInfo`, 0, MAX_U32)
  if (isIPv4(address)) {
    const bytes = Buffer.alloc(IPV4_BYTES)
    bytes.writeUInt16LE(SocketDomain.INET)
    bytes.writeUInt16BE(number, 2)
    bytes.set(address.split('.').map(Number), 4)
    return bytes
  }
  if (!isIPv6(address) || address.includes('%')) {
    throw invalidValue(
      `${name}.address`,
      address,
      'must be an IPv4 or IPv6 address, without a scope: pass that as scopeId',
    )
  }
  const bytes = Buffer.alloc(IPV6_BYTES)
  bytes.writeUInt16LE(SocketDomain.INET6)
  bytes.writeUInt16BE(number, 2)
  bytes.writeUInt32BE(flow, 4)
  for (const [index, group] of groupsOf(address).entries()) bytes.writeUInt16BE(group, 8 + 2 * index)
  bytes.writeUInt32LE(scope, 24)
  return bytes
}

/** Returns the eight groups of a valid IPv6 address. */
function groupsOf(address: string): number[] {
  const embedded = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  let text = address
  if (embedded !== null) {
    const [a, b, c, d] = embedded.slice(2).map(Number) as [number, number, number, number]
    text = `${embedded[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  }
  const [head = '', tail] = text.split('::')
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const first = parse(head)
  if (tail === undefined) return first
  const last = parse(tail)
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last]
}

function unix(path: string, name: string): Buffer {
  if (typeof path !== 'string') throw invalidType(name, 'of type string', path)
  const encoded = Buffer.from(path)
  const abstract = encoded[0] === 0
  if (!abstract && encoded.includes(0))
    throw invalidValue(name, path, 'must have no null bytes, other than one in front of an abstract name')
  // A path ends with a NUL; an abstract name has a length instead.
  const length = encoded.length + (abstract || encoded.length === 0 ? 0 : 1)
  if (length > MAX_PATH)
    throw invalidValue(name, path, `must have at most ${MAX_PATH - (abstract ? 0 : 1)} bytes`)
  const bytes = Buffer.alloc(FAMILY_BYTES + length)
  bytes.writeUInt16LE(SocketDomain.UNIX)
  bytes.set(encoded, FAMILY_BYTES)
  return bytes
}

/** Decodes an address that the kernel wrote; `undefined` if it wrote none, as for a socket without a peer. */
export function decodeAddress(bytes: Buffer): SocketAddress | undefined {
  if (bytes.length < FAMILY_BYTES) return undefined
  const family = bytes.readUInt16LE()
  if (family === SocketDomain.INET && bytes.length >= IPV4_BYTES) {
    return { family: 'IPv4', address: bytes.subarray(4, 8).join('.'), port: bytes.readUInt16BE(2) }
  }
  if (family === SocketDomain.INET6 && bytes.length >= IPV6_BYTES - 4) {
    const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(8 + 2 * index))
    return {
      family: 'IPv6',
      address: shortest(groups),
      port: bytes.readUInt16BE(2),
      scopeId: bytes.length < IPV6_BYTES ? 0 : bytes.readUInt32LE(24),
      flowInfo: bytes.readUInt32BE(4),
    }
  }
  if (family === SocketDomain.UNIX) {
    const name = bytes.subarray(FAMILY_BYTES)
    const end = name[0] === 0 ? -1 : name.indexOf(0) // an abstract name may contain NULs
    const path = end < 0 ? name : name.subarray(0, end)
    if (isUtf8(path)) return { family: 'Unix', path: path.toString() }
  }
  return { family, bytes: Buffer.from(bytes) }
}

/** Formats an IPv6 address as in RFC 5952: `::` replaces the longest run of two or more zero groups. */
function shortest(groups: readonly number[]): string {
  const [a, b, c, d, e, f, g, h] = groups as [number, number, number, number, number, number, number, number]
  if (a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff)
    return `::ffff:${g >> 8}.${g & 0xff}.${h >> 8}.${h & 0xff}`
  let [from, length] = [0, 1]
  for (let start = 0; start < groups.length; start += 1) {
    let end = start
    while (groups[end] === 0) end += 1
    if (end - start > length) [from, length] = [start, end - start]
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  if (length === 1) return text(groups)
  return `${text(groups.slice(0, from))}::${text(groups.slice(from + length))}`
}

/** Memory for an address that the kernel writes, followed by its length (`socklen_t`). */
export interface AddressBuffer extends Block {
  /** The address of the length. */
  readonly lengthAddress: number
}

/** Allocates memory for an address of any family. */
export function addressBuffer(): AddressBuffer {
  const block = allocateBlock(ADDRESS_BYTES + LENGTH_BYTES)
  block.bytes.writeUInt32LE(ADDRESS_BYTES, ADDRESS_BYTES)
  return { ...block, lengthAddress: block.address + ADDRESS_BYTES }
}

/**
 * Decodes the address that the kernel wrote, and resets the length: an entry that is pushed again reuses the memory.
 */
export function addressIn({ bytes }: AddressBuffer): SocketAddress | undefined {
  const length = Math.min(bytes.readUInt32LE(ADDRESS_BYTES), ADDRESS_BYTES)
  bytes.writeUInt32LE(ADDRESS_BYTES, ADDRESS_BYTES)
  return decodeAddress(bytes.subarray(0, length))
}
