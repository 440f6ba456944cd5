// The one importer of the binding. It loads when something needs it, so importing the package works everywhere.

import { createRequire } from 'node:module'
import type * as Binding from '#binding'

export type { Ring as BindingRing, BindingSetup } from '#binding'

const require = createRequire(import.meta.url)

let loaded: typeof Binding | undefined

/** The native half. Throws what loading it throws: there is no binary for this platform, or it does not fit. */
export function binding(): typeof Binding {
  loaded ??= require('#binding') as typeof Binding
  return loaded
}
