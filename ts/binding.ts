// The only importer of the native binding. The binding loads at its first use, so importing the package works everywhere.

import { createRequire } from 'node:module'
import type * as Binding from '#binding'

export type { Ring as BindingRing, BindingSetup } from '#binding'

const require = createRequire(import.meta.url)

let loaded: typeof Binding | undefined

/** Returns the native binding. Throws the loader's error: there is no binary for this platform, or it does not load. */
export function binding(): typeof Binding {
  loaded ??= require('#binding') as typeof Binding
  return loaded
}
